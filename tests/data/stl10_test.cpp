#include "temporary.hpp"

#include <vitral/data/stl10.hpp>

using namespace vitral;
using testing::contains;
using testing::error_of;

namespace {

constexpr std::size_t record = 3 * 96 * 96;

/// Images whose byte for channel c, column x and row y is computed; stored column by column.
std::vector<std::uint8_t> images(std::size_t count) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t x = 0; x < 96; ++x)
        for (std::size_t y = 0; y < 96; ++y)
          bytes.push_back(static_cast<std::uint8_t>(50 * i + 80 * c + x / 2 + y % 7));
  return bytes;
}

}  // namespace

TEST_CASE("STL-10's images come out row by row, its labels from 0 on") {
  const testing::TemporaryFolder folder;
  testing::write_bytes(folder.path / "stl10_binary" / "train_X.bin", images(3));
  testing::write_bytes(folder.path / "stl10_binary" / "train_y.bin", {1, 10, 4});
  const Dataset data = Stl10(folder.path);
  REQUIRE(data.size() == 3);
  CHECK(data.label(0) == 0);
  CHECK(data.label(1) == 9);
  CHECK(data.classes()[3] == "cat");
  const Image image = data.image(1);
  CHECK(image.height == 96);
  CHECK(image.width == 96);
  REQUIRE(image.rgb.size() == record);
  for (std::size_t y = 0; y < 96; ++y)
    for (std::size_t x = 0; x < 96; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        REQUIRE(image.rgb[(y * 96 + x) * 3 + c] == static_cast<std::uint8_t>(50 + 80 * c + x / 2 + y % 7));
}

TEST_CASE("STL-10's unlabeled images have no classes") {
  const testing::TemporaryFolder folder;
  testing::write_bytes(folder.path / "unlabeled_X.bin", images(2));
  const Dataset data = Stl10(folder.path, Split::unlabeled);
  CHECK(data.size() == 2);
  CHECK(data.label(1) == -1);
  CHECK(data.classes().empty());
}

TEST_CASE("missing, truncated and mislabelled STL-10 files are errors") {
  const testing::TemporaryFolder folder;
  const auto error = [&] { return error_of([&] { Stl10 data(folder.path, Split::test); }); };
  CHECK(contains(error(), (folder.path / "test_X.bin").string() + ": no such file"));
  testing::write_bytes(folder.path / "test_X.bin", images(2));
  CHECK(contains(error(), (folder.path / "test_y.bin").string() + ": no such file"));
  testing::write_bytes(folder.path / "test_y.bin", {1});
  CHECK(contains(error(), "1 labels for the 2 images"));
  testing::write_bytes(folder.path / "test_y.bin", {1, 11});
  CHECK(contains(error(), "label 11 of image 1, expected 1 to 10"));
  std::filesystem::resize_file(folder.path / "test_X.bin", record + 1);
  CHECK(contains(error(), "truncated, 27649 bytes"));
  std::filesystem::resize_file(folder.path / "test_X.bin", 0);
  CHECK(contains(error(), "truncated, 0 bytes"));
  std::filesystem::remove(folder.path / "test_X.bin");
  std::filesystem::create_directory(folder.path / "test_X.bin");
  CHECK(contains(error(), "is no regular file"));
}
