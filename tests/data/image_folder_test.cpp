#include "../images.hpp"
#include "temporary.hpp"

#include <vitral/data/augment.hpp>
#include <vitral/data/image_folder.hpp>
#include <vitral/data/resize.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

using namespace vitral;
using testing::contains;
using testing::error_of;
using testing::largest_difference;
using testing::make_jpeg;
using testing::make_png;
using testing::slope;
using testing::TemporaryFolder;

namespace {

namespace fs = std::filesystem;

void write_classes(const fs::path& root) {
  make_png(root / "zebra" / "b.png", slope(4, 6));
  make_png(root / "zebra" / "a.PNG", slope(5, 6));
  make_jpeg(root / "ant" / "deep" / "c.jpeg", slope(9, 7));
  testing::write_bytes(root / "ant" / "notes.txt", {1, 2, 3});
  make_png(root / ".hidden" / "d.png", slope(1, 1));
  make_png(root / "__MACOSX" / "ant" / "c.png", slope(1, 1));
}

}  // namespace

TEST_CASE("an image folder's classes are its folders, sorted; its images are found at any depth") {
  const TemporaryFolder folder;
  write_classes(folder.path / "animals");
  const ImageFolder data(folder.path / "animals");
  CHECK(data.name() == "animals");
  CHECK(data.classes() == std::vector<std::string>{"ant", "zebra"});
  REQUIRE(data.size() == 3);
  CHECK(data.label(0) == 0);
  CHECK(data.label(1) == 1);
  CHECK(data.label(2) == 1);
  CHECK(data.file(1).filename() == "a.PNG");
  CHECK(data.image(2).rgb == slope(4, 6).rgb);
  CHECK(data.image(2).height == 4);
  CHECK(data.image(2).width == 6);
  CHECK(largest_difference(data.image(0), slope(9, 7)) <= 6);
  CHECK(ImageFolder(folder.path / "animals", Split::test).size() == 3);
  CHECK(Dataset(data).size() == 3);
}

TEST_CASE("an image folder with train and test or val folders keeps them apart") {
  const TemporaryFolder folder;
  write_classes(folder.path / "train");
  CHECK(contains(error_of([&] { ImageFolder data(folder.path, Split::test); }), "neither test/ nor val/"));
  make_png(folder.path / "val" / "zebra" / "x.png", slope(3, 3));
  CHECK(ImageFolder(folder.path).size() == 3);
  const ImageFolder data(folder.path, Split::test);
  REQUIRE(data.size() == 1);
  CHECK(data.label(0) == 1);  // numbered as in train, though "ant" is missing here
  CHECK(data.classes().size() == 2);
  make_png(folder.path / "val" / "yak" / "x.png", slope(3, 3));
  CHECK(contains(error_of([&] { ImageFolder bad(folder.path, Split::test); }), "no class of this name"));
}

TEST_CASE("names that are not ASCII and links are followed; a link that leads back up is an error") {
  const TemporaryFolder folder;
  const fs::path root = folder.path / "Bäume und 樹";
  make_png(root / "Föhre" / "été №1.png", slope(4, 4));
  make_png(folder.path / "elsewhere" / "x.png", slope(3, 3));
  fs::create_directory_symlink(folder.path / "elsewhere", root / "樹");
  const ImageFolder data(root);
  CHECK(data.name() == "Bäume und 樹");
  CHECK(data.classes() == std::vector<std::string>{"Föhre", "樹"});
  REQUIRE(data.size() == 2);
  CHECK(data.image(0).height == 4);
  CHECK(data.image(1).height == 3);
  fs::create_directory_symlink(root, root / "Föhre" / "up");
  CHECK(contains(error_of([&] { ImageFolder again(root); }), "a link leads here to"));
  fs::remove(root / "Föhre" / "up");
  for (int i = 0; i < 40; ++i) {  // two ways from each folder to the next would be 2^40 ways to the last
    const fs::path here = folder.path / "ways" / std::to_string(i), next = folder.path / "ways" / std::to_string(i + 1);
    fs::create_directories(here);
    for (const char* way : {"a", "b"}) fs::create_directory_symlink(next, here / way);
  }
  make_png(folder.path / "ways" / "40" / "x.png", slope(3, 3));
  CHECK(contains(error_of([&] { UnlabeledFolder twice(folder.path / "ways" / "0"); }), "would be taken twice"));
}

TEST_CASE("large JPEGs are decoded at a scale that leaves the pixels asked for, and resized as the whole image is") {
  const TemporaryFolder folder;
  Image image{96, 128, {}};
  for (int y = 0; y < 96; ++y)
    for (int x = 0; x < 128; ++x)
      for (int c = 0; c < 3; ++c)
        image.rgb.push_back(static_cast<std::uint8_t>(128 + 60 * std::sin(0.11 * x + c) + 60 * std::cos(0.07 * y)));
  make_jpeg(folder.path / "a.jpg", image);
  make_png(folder.path / "b.png", image);
  CHECK(UnlabeledFolder(folder.path, Split::train, 12).image(0).height == 12);
  CHECK(UnlabeledFolder(folder.path, Split::train, 12).image(1).height == 96);  // PNG has no scales
  const Image whole = read_image(folder.path / "a.jpg"), half = read_image(folder.path / "a.jpg", 48);
  REQUIRE(half.width == 64);
  std::vector<float> from_whole(3 * 32 * 32), from_half(from_whole);
  resize(whole, {0, 0, 96, 128}, 32, Interpolation::bilinear, false, from_whole.data());
  resize(half, {0, 0, 48, 64}, 32, Interpolation::bilinear, false, from_half.data());
  for (std::size_t i = 0; i < from_whole.size(); ++i) REQUIRE(std::abs(from_whole[i] - from_half[i]) < 2.0f / 255);
}

TEST_CASE("a folder without labels gives all images below it") {
  const TemporaryFolder folder;
  make_png(folder.path / "b.png", slope(4, 6));
  make_jpeg(folder.path / "a.jpg", slope(5, 6));
  make_png(folder.path / "deep" / "er" / "c.png", slope(7, 6));
  testing::write_bytes(folder.path / "notes.txt", {1});
  const UnlabeledFolder data(folder.path);
  REQUIRE(data.size() == 3);
  CHECK(data.image(0).height == 5);
  CHECK(data.image(2).height == 7);
  CHECK(data.label(1) == -1);
  CHECK(Dataset(data).classes().empty());
  CHECK(contains(error_of([&] { UnlabeledFolder none(folder.path / "deep" / "none"); }), "no such folder"));
  fs::create_directory(folder.path / "empty");
  CHECK(contains(error_of([&] { UnlabeledFolder none(folder.path / "empty"); }), "no file in it or below ends in"));
}

TEST_CASE("an image folder without classes or images is an error that names it") {
  const TemporaryFolder folder;
  CHECK(contains(error_of([&] { ImageFolder data(folder.path / "none"); }), "the data set's path"));
  CHECK(contains(error_of([&] { ImageFolder data(folder.path); }), "no class folders"));
  fs::create_directory(folder.path / "ant");
  CHECK(contains(error_of([&] { ImageFolder data(folder.path); }), "no file ends in"));
}

TEST_CASE("a JPEG decoded for evaluation keeps the pixels and the crop of its centre view") {
  const TemporaryFolder folder;
  const CenterView view = center_view(28);
  REQUIRE(view.least_side() == 32);
  for (const int side : {27, 28, 29, 31, 32, 33, 55, 56, 57, 63, 64, 65, 66, 127, 128, 129, 200, 255, 256, 257}) {
    CAPTURE(side);
    Image image{side, side + side / 3, {}};
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x)
        for (int c = 0; c < 3; ++c)
          image.rgb.push_back(
              static_cast<std::uint8_t>(128 + 60 * std::sin(7.0 * x / side + c) + 60 * std::cos(5.0 * y / side)));
    make_jpeg(folder.path / "a.jpg", image);
    const Image whole = read_image(folder.path / "a.jpg"), some = read_image(folder.path / "a.jpg", view.least_side());
    CHECK(some.height >= std::min(side, 32));
    CHECK((some.height < side) == (side >= 64));
    std::vector<float> expected(3 * 28 * 28), found(expected);
    view(whole, expected.data());
    view(some, found.data());
    float largest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) largest = std::max(largest, std::abs(found[i] - expected[i]));
    CHECK(largest <
          0.35f);  // in standard deviations; an edge may move by half a pixel, as decoded sides are rounded up
    if (side != 56) continue;
    view(read_image(folder.path / "a.jpg", 28), found.data());  // too few pixels: enlarged, and not cropped
    largest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) largest = std::max(largest, std::abs(found[i] - expected[i]));
    CHECK(largest > 0.35f);
  }
}

TEST_CASE("a link to nothing is an image that cannot be read, a pipe is no file") {
  const TemporaryFolder folder;
  make_png(folder.path / "a.png", slope(3, 3));
  fs::create_symlink("nowhere.png", folder.path / "b.png");
  fs::create_symlink("c.png", folder.path / "c.png");
  REQUIRE(::mkfifo((folder.path / "d.png").c_str(), 0600) == 0);
  const UnlabeledFolder data(folder.path);
  REQUIRE(data.size() == 4);
  CHECK(contains(error_of([&] { (void)data.image(1); }), "b.png: cannot open: No such file"));
  CHECK(contains(error_of([&] { (void)data.image(2); }), "c.png: cannot open: Too many levels"));
  CHECK(contains(error_of([&] { (void)data.image(3); }), "d.png: is a pipe"));
  fs::create_symlink("loop", folder.path / "loop");
  CHECK(contains(error_of([&] { UnlabeledFolder loop(folder.path / "loop"); }), "no such folder"));
}

TEST_CASE("a class without images to learn from is refused by name; to test, there may be one") {
  const TemporaryFolder folder;
  make_png(folder.path / "train" / "ant" / "a.png", slope(3, 3));
  testing::write_bytes(folder.path / "train" / "bee" / "notes.txt", {1});
  make_png(folder.path / "val" / "bee" / "a.png", slope(3, 3));
  CHECK(contains(error_of([&] { ImageFolder data(folder.path); }), "train/bee: a class to learn, but no file"));
  make_png(folder.path / "train" / "bee" / "a.png", slope(3, 3));
  fs::create_directory(folder.path / "val" / "ant");
  CHECK(ImageFolder(folder.path, Split::test).size() == 1);
}
