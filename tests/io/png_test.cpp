// PNG files that libpng has written, and our own.
#include "../images.hpp"

#include <vitral/io/png.hpp>
#include <vitral/io/read_bytes.hpp>

using namespace vitral;
using testing::slope;
using testing::TemporaryFolder;

namespace {

Image read(const std::filesystem::path& path) { return decode_png(read_bytes(path), path.string()); }

}  // namespace

TEST_CASE("gray and transparent PNGs become RGB") {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> gray{0, 50, 200, 255};
  testing::make_png(folder.path / "gray.png", gray.data(), 2, 2, PNG_FORMAT_GRAY);
  CHECK(read(folder.path / "gray.png").rgb ==
        std::vector<std::uint8_t>{0, 0, 0, 50, 50, 50, 200, 200, 200, 255, 255, 255});
  const std::vector<std::uint8_t> rgba{1, 2, 3, 255, 4, 5, 6, 0};
  testing::make_png(folder.path / "rgba.png", rgba.data(), 1, 2, PNG_FORMAT_RGBA);
  CHECK(read(folder.path / "rgba.png").rgb == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("a damaged PNG is an error that names it") {
  const TemporaryFolder folder;
  const auto path = folder.path / "p.png";
  testing::make_png(path, slope(30, 30));
  std::vector<std::uint8_t> bytes = read_bytes(path);
  bytes[bytes.size() - 30] ^= 0x55;
  CHECK_THROWS_WITH_AS((void)decode_png(bytes, "p.png"), doctest::Contains("p.png: not a readable PNG"), Error);
}

TEST_CASE("a written image is read back, and replaces an older file") {
  const TemporaryFolder folder;
  const auto path = folder.path / "p.png";
  for (const Image& image : {slope(7, 5), slope(3, 11)}) {
    write_png(path, image);
    const Image again = read(path);
    CHECK(again.height == image.height);
    CHECK(again.width == image.width);
    CHECK(again.rgb == image.rgb);
  }
  CHECK_THROWS_AS(write_png(path, Image{2, 2, {1, 2, 3}}), Error);
}
