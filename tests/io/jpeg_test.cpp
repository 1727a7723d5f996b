#include "../images.hpp"

#include <vitral/io/jpeg.hpp>
#include <vitral/io/read_bytes.hpp>

#include <cmath>

using namespace vitral;
using testing::make_jpeg;
using testing::slope;
using testing::TemporaryFolder;

namespace {

/// The file's bytes with the extents that its header claims replaced; `frame` is the second byte of the header's
/// marker.
std::vector<std::uint8_t> with_extents(std::vector<std::uint8_t> bytes, std::uint8_t frame, int height, int width) {
  for (std::size_t i = 0; i + 9 < bytes.size(); ++i)
    if (bytes[i] == 0xff && bytes[i + 1] == frame) {  // then length, precision, height, width
      bytes[i + 5] = static_cast<std::uint8_t>(height >> 8);
      bytes[i + 6] = static_cast<std::uint8_t>(height);
      bytes[i + 7] = static_cast<std::uint8_t>(width >> 8);
      bytes[i + 8] = static_cast<std::uint8_t>(width);
      return bytes;
    }
  FAIL("no frame header");
  return {};
}

}  // namespace

TEST_CASE("gray and CMYK JPEGs become RGB") {
  const TemporaryFolder folder;
  const auto read = [&](const char* name) { return decode_jpeg(read_bytes(folder.path / name), name); };
  const std::vector<std::uint8_t> gray(64, 77);
  make_jpeg(folder.path / "gray.jpg", gray.data(), 8, 8, 1);
  CHECK(read("gray.jpg").rgb == std::vector<std::uint8_t>(192, 77));
  std::vector<std::uint8_t> cmyk;
  for (int i = 0; i < 64; ++i) cmyk.insert(cmyk.end(), {255, 128, 0, 204});  // inverted inks, as Adobe stores them
  make_jpeg(folder.path / "cmyk.jpg", cmyk.data(), 8, 8, 4);
  const Image image = read("cmyk.jpg");
  CHECK(std::abs(image.rgb[0] - 204) <= 2);
  CHECK(std::abs(image.rgb[1] - 102) <= 2);
  CHECK(std::abs(image.rgb[2] - 0) <= 2);
}

TEST_CASE("large JPEGs are decoded at the smallest scale that leaves the pixels asked for") {
  const TemporaryFolder folder;
  make_jpeg(folder.path / "a.jpg", slope(96, 128));
  const auto bytes = read_bytes(folder.path / "a.jpg");
  const auto side = [&](int least) { return decode_jpeg(bytes, "a.jpg", least).height; };
  CHECK(side(0) == 96);
  CHECK(side(97) == 96);
  CHECK(side(49) == 96);
  CHECK(side(48) == 48);
  CHECK(side(25) == 48);
  CHECK(side(24) == 24);
  CHECK(side(1) == 12);
}

TEST_CASE(
    "a JPEG whose header claims too much is refused before memory is asked for, also where it would come out small") {
  const TemporaryFolder folder;
  make_jpeg(folder.path / "a.jpg", slope(8, 8));
  const auto plain = with_extents(read_bytes(folder.path / "a.jpg"), 0xc0, 65280, 65280);
  CHECK_THROWS_WITH_AS((void)decode_jpeg(plain, "a.jpg"), doctest::Contains("a.jpg: 65280 x 65280 pixels"), Error);
  const auto progressive =
      with_extents(read_bytes(VITRAL_TESTS_DIR "/fixtures/images/progressive.jpg"), 0xc2, 32000, 16000);
  CHECK_THROWS_WITH_AS((void)decode_jpeg(progressive, "big", 100),
                       doctest::Contains("big: 32000 x 16000 pixels, expected at most"), Error);
}
