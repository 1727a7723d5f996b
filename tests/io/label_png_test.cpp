// Masks that PIL has written (tests/fixtures/make_segmentation.py), and our own.
#include <vitral/io/decode.hpp>
#include <vitral/io/label_png.hpp>
#include <vitral/io/safetensors.hpp>

#include <doctest/doctest.h>

namespace fs = std::filesystem;
using namespace vitral;

namespace {

struct TemporaryFile {
  fs::path path = fs::temp_directory_path() / ("vitral_" + std::to_string(::getpid()) + ".png");
  ~TemporaryFile() { fs::remove(path); }
};

const SafetensorsFile& fixture() {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/segmentation.safetensors");
  return file;
}

std::string from_pil(const std::string& name) {
  const auto bytes = fixture().values<std::uint8_t>("png/" + name);
  return {bytes.begin(), bytes.end()};
}

LabelMap read(const std::string& bytes) {
  const TemporaryFile file;
  std::ofstream(file.path, std::ios::binary) << bytes;
  return read_label_png(file.path);
}

}  // namespace

TEST_CASE("masks are read as numbers, not as the palette's colours or gray levels") {
  const auto truth = fixture().values<std::uint8_t>("masks/truth");
  for (const char* name : {"palette", "gray"}) {
    CAPTURE(name);
    const LabelMap map = read(from_pil(name));
    CHECK(map.height == 90);
    CHECK(map.width == 130);
    CHECK(map.label == truth);
  }
}

TEST_CASE("several pixels in one byte are told apart") {
  const LabelMap map = read(from_pil("few"));
  CHECK(map.width == 130);
  CHECK(map.label[30 * 130 + 40] == 1);
  CHECK(map.label[60 * 130 + 90] == 2);
  CHECK(map.label[60 * 130 + 91] == 2);
  CHECK(map.label[0] == 0);
}

TEST_CASE("a written mask is read back, as numbers and as the colours of the labels") {
  const TemporaryFile file;
  LabelMap map{16, 20, std::vector<std::uint8_t>(16 * 20)};
  for (std::size_t i = 0; i < 256; ++i) map.label[i] = static_cast<std::uint8_t>(i);
  write_label_png(file.path, map);
  const LabelMap again = read_label_png(file.path);
  CHECK(again.height == 16);
  CHECK(again.width == 20);
  CHECK(again.label == map.label);
  const Image image = read_image(file.path);
  for (std::size_t i = 0; i < 256; ++i)
    for (std::size_t c = 0; c < 3; ++c) REQUIRE(image.rgb[3 * i + c] == label_color(static_cast<int>(i))[c]);
}

TEST_CASE("images of colours, and damaged ones, are refused with the file's name") {
  CHECK_THROWS_WITH_AS(static_cast<void>(read(from_pil("color"))),
                       doctest::Contains(".png: colours, expected a mask whose pixels are numbers"), Error);
  const std::string whole = from_pil("palette");
  CHECK_THROWS_WITH_AS(static_cast<void>(read(whole.substr(0, whole.size() / 2))),
                       doctest::Contains("not a readable PNG"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(read("no image")), doctest::Contains("not a readable PNG"), Error);
}
