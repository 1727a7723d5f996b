// The data sets of the peers' transfer tables, as tiny sets in their published layouts.
#include "../images.hpp"
#include "temporary.hpp"

#include <vitral/data/datasets.hpp>

#include <array>

using namespace vitral;
using testing::contains;
using testing::error_of;
using testing::make_jpeg;
using testing::slope;
using testing::TemporaryFolder;

namespace {

namespace fs = std::filesystem;

void write_text(const fs::path& path, const std::string& text) {
  testing::write_bytes(path, {text.begin(), text.end()});
}

void write_pets(const fs::path& root) {
  for (const char* name : {"Abyssinian_2", "great_pyrenees_10", "Abyssinian_7", "Bengal_1"})
    make_jpeg(root / "images" / (std::string(name) + ".jpg"), slope(6, 8));
  write_text(root / "annotations" / "trainval.txt",
             "#image label species breed\nAbyssinian_2 1 1 1\ngreat_pyrenees_10 16 2 8\n");
  write_text(root / "annotations" / "test.txt", "Abyssinian_7 1 1 1\r\n\nBengal_1 6 1 2\n");
}

}  // namespace

TEST_CASE("Pets are read from their lists, and breeds are named after their images") {
  const TemporaryFolder folder;
  write_pets(folder.path / "oxford-iiit-pet");
  for (const fs::path& path : {folder.path, folder.path / "oxford-iiit-pet"}) {
    const Dataset train = open_dataset("pets", path, Split::train);
    REQUIRE(train.size() == 2);
    CHECK(train.label(0) == 0);
    CHECK(train.label(1) == 15);
    CHECK(train.file(1).filename() == "great_pyrenees_10.jpg");
    CHECK(train.image(1).width == 8);
    REQUIRE(train.classes().size() == 37);
    CHECK(train.classes()[15] == "great_pyrenees");
    CHECK(train.classes()[1] == "2");
  }
  const Dataset test = open_dataset("pets", folder.path, Split::test);
  REQUIRE(test.size() == 2);
  CHECK(test.label(1) == 5);
  CHECK(test.classes()[15] == "great_pyrenees");
  CHECK(test.classes()[5] == "Bengal");
  CHECK(has_test_split("pets", folder.path));
  CHECK(known_dataset("pets").mean_per_class);
  CHECK_FALSE(known_dataset("cifar100").mean_per_class);
}

TEST_CASE("what is wrong with Pets is said with the file and the line") {
  const TemporaryFolder folder;
  const auto error = [&](Split split = Split::train) { return error_of([&] { OxfordPets(folder.path, split); }); };
  CHECK(contains(error(), (folder.path / "annotations").string() + ": no such file or folder"));
  write_pets(folder.path);
  CHECK(contains(error(Split::unlabeled), "no unlabeled split"));
  const fs::path list = folder.path / "annotations" / "test.txt";
  const auto with = [&](const std::string& line) {
    write_text(list, "Abyssinian_7 1 1 1\n" + line + "\n");
    return error(Split::test);
  };
  CHECK(contains(with("Bengal_1 38 1 2"), list.string() + ": line 2: label 38, expected 1 to 37"));
  CHECK(contains(with("Bengal_1 0 1 2"), "label 0, expected 1 to 37"));
  CHECK(contains(with("Bengal_1 6 1"), "line 2 is \"Bengal_1 6 1\", expected an image and three numbers"));
  CHECK(contains(with("Bengal_1 six 1 2"), "expected an image and three numbers"));
  CHECK(contains(with("Bengal_1 1 1 1"), "label 1 is Bengal here, but Abyssinian before"));
  CHECK(contains(with("../images/Bengal_1 6 1 2"), "without a path"));
  const std::string gone = with("Bengal_9 6 1 2");
  CHECK(contains(gone, "line 2 names the image"));
  CHECK(contains(gone, "Bengal_9.jpg, which is not there"));
  write_text(list, "\n");
  CHECK(contains(error(Split::test), "lists no image"));
  fs::remove(list);
  CHECK(contains(error(Split::test), list.string() + ": cannot open"));
}

#if defined(VITRAL_HAS_MATIO)

namespace {

/// Adds a row of numbers to a MATLAB file of version 5.
template <class T>
void write_row(mat_t* file, const char* name, matio_classes kind, matio_types type, std::vector<T> numbers,
               matio_compression packed) {
  std::array<std::size_t, 2> extents{1, numbers.size()};
  matvar_t* const row = Mat_VarCreate(name, kind, type, 2, extents.data(), numbers.data(), 0);
  REQUIRE(row != nullptr);
  REQUIRE(Mat_VarWrite(file, row, packed) == 0);
  Mat_VarFree(row);
}

mat_t* new_mat(const fs::path& path) {
  fs::create_directories(path.parent_path());
  mat_t* const file = Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5);
  REQUIRE(file != nullptr);
  return file;
}

/// Images 1 to `labels.size()`; the published files hold bytes and words, packed.
void write_flowers(const fs::path& root, const std::vector<std::uint8_t>& labels,
                   const std::vector<std::uint16_t>& train, const std::vector<std::uint16_t>& valid,
                   const std::vector<std::uint16_t>& test) {
  mat_t* file = new_mat(root / "imagelabels.mat");
  write_row(file, "labels", MAT_C_UINT8, MAT_T_UINT8, labels, MAT_COMPRESSION_ZLIB);
  Mat_Close(file);
  file = new_mat(root / "setid.mat");
  write_row(file, "trnid", MAT_C_UINT16, MAT_T_UINT16, train, MAT_COMPRESSION_ZLIB);
  write_row(file, "valid", MAT_C_DOUBLE, MAT_T_DOUBLE, std::vector<double>(valid.begin(), valid.end()),
            MAT_COMPRESSION_NONE);
  write_row(file, "tstid", MAT_C_UINT16, MAT_T_UINT16, test, MAT_COMPRESSION_ZLIB);
  Mat_Close(file);
}

void write_images(const fs::path& root, int count) {
  for (int i = 1; i <= count; ++i) make_jpeg(root / "jpg" / ("image_0000" + std::to_string(i) + ".jpg"), slope(6, 8));
}

}  // namespace

TEST_CASE("Flowers are read from MATLAB's lists: training and validation to learn from, the rest to test on") {
  const TemporaryFolder folder;
  write_flowers(folder.path / "flowers-102", {77, 1, 102, 77, 5}, {4, 2}, {5}, {3, 1});
  write_images(folder.path / "flowers-102", 5);
  const Dataset train = open_dataset("flowers102", folder.path, Split::train),
                test = open_dataset("flowers102", folder.path / "flowers-102", Split::test);
  REQUIRE(train.size() == 3);
  CHECK(train.label(0) == 76);
  CHECK(train.label(1) == 0);
  CHECK(train.label(2) == 4);
  CHECK(train.file(2).filename() == "image_00005.jpg");
  CHECK(train.image(0).height == 6);
  REQUIRE(test.size() == 2);
  CHECK(test.label(0) == 101);
  CHECK(test.classes().size() == 102);
  CHECK(test.classes()[101] == "102");
  CHECK(known_dataset("flowers102").mean_per_class);
}

TEST_CASE("what is wrong with Flowers is said with the file and the entry") {
  const TemporaryFolder folder;
  const auto error = [&](Split split = Split::train) { return error_of([&] { Flowers102(folder.path, split); }); };
  CHECK(contains(error(), (folder.path / "imagelabels.mat").string() + ": no such file"));
  write_flowers(folder.path, {1, 103, 2}, {2}, {1}, {4});
  write_images(folder.path, 2);
  CHECK(contains(error(), "imagelabels.mat: label 103 of image 2, expected 1 to 102"));
  CHECK(contains(error(Split::test), "setid.mat: tstid number 1 is image 4, but"));
  write_flowers(folder.path, {1, 2, 3}, {2}, {1}, {3});
  CHECK(Flowers102(folder.path).size() == 2);
  const std::string gone = error(Split::test);
  CHECK(contains(gone, "setid.mat: tstid number 1 names the image"));
  CHECK(contains(gone, "image_00003.jpg, which is not there"));

  const fs::path lists = folder.path / "setid.mat";
  mat_t* file = new_mat(lists);
  write_row(file, "valid", MAT_C_DOUBLE, MAT_T_DOUBLE, std::vector<double>{1.5}, MAT_COMPRESSION_NONE);
  Mat_Close(file);
  CHECK(contains(error(), lists.string() + ": it has no variable trnid"));
  CHECK(contains(error_of([&] { (void)read_mat(lists, "valid"); }), "valid number 1 is 1.5, expected a whole number"));
  file = new_mat(lists);
  write_row(file, "trnid", MAT_C_CHAR, MAT_T_UINT8, std::vector<std::uint8_t>{65}, MAT_COMPRESSION_NONE);
  Mat_Close(file);
  CHECK(contains(error(), "trnid does not hold numbers"));
  testing::write_bytes(lists, std::vector<std::uint8_t>(300, 'x'));
  CHECK(contains(error(), lists.string() + ": no MATLAB file that matio can read"));
  fs::remove(lists);
  CHECK(contains(error(), lists.string() + ": cannot open"));
}

#else

TEST_CASE("without matio, Flowers say what is missing") {
  const TemporaryFolder folder;
  testing::write_bytes(folder.path / "imagelabels.mat", {1});
  CHECK(contains(error_of([&] { Flowers102 flowers(folder.path); }), "built without matio"));
}

#endif
