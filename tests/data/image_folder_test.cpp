#include "images.hpp"

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
using testing::slope;
using testing::TemporaryFolder;
using testing::write_jpeg;
using testing::write_png;

namespace {

namespace fs = std::filesystem;

int largest_difference(const Image& a, const Image& b) {
  REQUIRE(a.rgb.size() == b.rgb.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

void write_classes(const fs::path& root) {
  write_png(root / "zebra" / "b.png", slope(4, 6));
  write_png(root / "zebra" / "a.PNG", slope(5, 6));
  write_jpeg(root / "ant" / "deep" / "c.jpeg", slope(9, 7));
  testing::write_bytes(root / "ant" / "notes.txt", {1, 2, 3});
  write_png(root / ".hidden" / "d.png", slope(1, 1));
  write_png(root / "__MACOSX" / "ant" / "c.png", slope(1, 1));
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
  write_png(folder.path / "val" / "zebra" / "x.png", slope(3, 3));
  CHECK(ImageFolder(folder.path).size() == 3);
  const ImageFolder data(folder.path, Split::test);
  REQUIRE(data.size() == 1);
  CHECK(data.label(0) == 1);  // numbered as in train, though "ant" is missing here
  CHECK(data.classes().size() == 2);
  write_png(folder.path / "val" / "yak" / "x.png", slope(3, 3));
  CHECK(contains(error_of([&] { ImageFolder bad(folder.path, Split::test); }), "no class of this name"));
}

TEST_CASE("names that are not ASCII and links are followed; a link that leads back up is an error") {
  const TemporaryFolder folder;
  const fs::path root = folder.path / "Bäume und 樹";
  write_png(root / "Föhre" / "été №1.png", slope(4, 4));
  write_png(folder.path / "elsewhere" / "x.png", slope(3, 3));
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
  write_png(folder.path / "ways" / "40" / "x.png", slope(3, 3));
  CHECK(contains(error_of([&] { UnlabeledFolder twice(folder.path / "ways" / "0"); }), "would be taken twice"));
}

TEST_CASE("large JPEGs are decoded at the smallest scale that leaves the pixels asked for") {
  const TemporaryFolder folder;
  Image image{96, 128, {}};
  for (int y = 0; y < 96; ++y)
    for (int x = 0; x < 128; ++x)
      for (int c = 0; c < 3; ++c)
        image.rgb.push_back(static_cast<std::uint8_t>(128 + 60 * std::sin(0.11 * x + c) + 60 * std::cos(0.07 * y)));
  write_jpeg(folder.path / "a.jpg", image);
  write_png(folder.path / "b.png", image);
  const auto side = [&](int least) { return UnlabeledFolder(folder.path, Split::train, least).image(0).height; };
  CHECK(side(0) == 96);
  CHECK(side(97) == 96);
  CHECK(side(49) == 96);
  CHECK(side(48) == 48);
  CHECK(side(25) == 48);
  CHECK(side(24) == 24);
  CHECK(side(1) == 12);
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
  write_png(folder.path / "b.png", slope(4, 6));
  write_jpeg(folder.path / "a.jpg", slope(5, 6));
  write_png(folder.path / "deep" / "er" / "c.png", slope(7, 6));
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

TEST_CASE("gray and transparent PNGs become RGB") {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> gray{0, 50, 200, 255};
  write_png(folder.path / "gray.png", gray.data(), 2, 2, PNG_FORMAT_GRAY);
  CHECK(read_image(folder.path / "gray.png").rgb ==
        std::vector<std::uint8_t>{0, 0, 0, 50, 50, 50, 200, 200, 200, 255, 255, 255});
  const std::vector<std::uint8_t> rgba{1, 2, 3, 255, 4, 5, 6, 0};
  write_png(folder.path / "rgba.png", rgba.data(), 1, 2, PNG_FORMAT_RGBA);
  CHECK(read_image(folder.path / "rgba.png").rgb == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("gray and CMYK JPEGs become RGB") {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> gray(64, 77);
  write_jpeg(folder.path / "gray.jpg", gray.data(), 8, 8, 1);
  CHECK(read_image(folder.path / "gray.jpg").rgb == std::vector<std::uint8_t>(192, 77));
  std::vector<std::uint8_t> cmyk;
  for (int i = 0; i < 64; ++i) cmyk.insert(cmyk.end(), {255, 128, 0, 204});  // inverted inks, as Adobe stores them
  write_jpeg(folder.path / "cmyk.jpg", cmyk.data(), 8, 8, 4);
  const Image image = read_image(folder.path / "cmyk.jpg");
  CHECK(std::abs(image.rgb[0] - 204) <= 2);
  CHECK(std::abs(image.rgb[1] - 102) <= 2);
  CHECK(std::abs(image.rgb[2] - 0) <= 2);
}

TEST_CASE("an image that cannot be read is an error that names the file") {
  const TemporaryFolder folder;
  const fs::path png = folder.path / "p.png", jpeg = folder.path / "j.jpg", other = folder.path / "o.png";
  write_png(png, slope(30, 30));
  write_jpeg(jpeg, slope(30, 30));
  testing::write_bytes(other, {'G', 'I', 'F'});
  const auto error = [](const fs::path& path) { return error_of([&] { (void)read_image(path); }); };
  CHECK(contains(error(other), other.string() + ": neither a PNG, a JPEG nor a WebP"));
  CHECK(contains(error(folder.path / "none.png"), "cannot open"));
  for (const fs::path& path : {png, jpeg}) {
    const std::vector<std::uint8_t> whole = read_bytes(path);
    CHECK_NOTHROW((void)read_image(path));
    for (const std::size_t cut : {whole.size() - 20, whole.size() / 2, std::size_t{30}, std::size_t{8}}) {
      testing::write_bytes(path, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)});
      CHECK(contains(error(path), path.string()));
    }
  }
}

TEST_CASE("a damaged PNG is an error") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "p.png";
  write_png(path, slope(30, 30));
  std::vector<std::uint8_t> bytes = read_bytes(path);
  bytes[bytes.size() - 30] ^= 0x55;
  testing::write_bytes(path, bytes);
  CHECK(contains(error_of([&] { (void)read_image(path); }), path.string()));
}

TEST_CASE("an image of absurd size is refused before memory is asked for") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "huge.jpg";
  write_jpeg(path, slope(8, 8));
  std::vector<std::uint8_t> bytes = read_bytes(path);
  for (std::size_t i = 0; i + 9 < bytes.size(); ++i)
    if (bytes[i] == 0xff && bytes[i + 1] == 0xc0) {  // the frame header: length, precision, height, width
      bytes[i + 5] = bytes[i + 7] = 0xff;
      bytes[i + 6] = bytes[i + 8] = 0x00;
      break;
    }
  testing::write_bytes(path, bytes);
  CHECK(contains(error_of([&] { (void)read_image(path); }), "65280 x 65280 pixels"));
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
    write_jpeg(folder.path / "a.jpg", image);
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
  write_png(folder.path / "a.png", slope(3, 3));
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
  write_png(folder.path / "train" / "ant" / "a.png", slope(3, 3));
  testing::write_bytes(folder.path / "train" / "bee" / "notes.txt", {1});
  write_png(folder.path / "val" / "bee" / "a.png", slope(3, 3));
  CHECK(contains(error_of([&] { ImageFolder data(folder.path); }), "train/bee: a class to learn, but no file"));
  write_png(folder.path / "train" / "bee" / "a.png", slope(3, 3));
  fs::create_directory(folder.path / "val" / "ant");
  CHECK(ImageFolder(folder.path, Split::test).size() == 1);
}

TEST_CASE("a progressive JPEG whose header claims too much is refused, also where it would come out small") {
  std::vector<std::uint8_t> bytes = read_bytes(VITRAL_TESTS_DIR "/fixtures/images/progressive.jpg");
  for (std::size_t i = 0; i + 9 < bytes.size(); ++i)
    if (bytes[i] == 0xff &&
        bytes[i + 1] == 0xc2) {  // the frame header of progressive images: height 32000, width 16000
      bytes[i + 5] = 0x7d;
      bytes[i + 6] = 0x00;
      bytes[i + 7] = 0x3e;
      bytes[i + 8] = 0x80;
      break;
    }
  CHECK(contains(error_of([&] { (void)decode_image(bytes, "big", 100); }),
                 "big: 32000 x 16000 pixels, expected at most"));
}
