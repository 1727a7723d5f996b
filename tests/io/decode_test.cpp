// Every kind of image file beside PIL's RGB of it (tests/fixtures/make_images.py and make_image_table.py made the
// answers), and files that are damaged: whatever is done to one, reading it gives an image or an Error, in bounded
// memory. The fuzzers of tests/fuzz go on from here.
#include "../images.hpp"
#include "../stored_image.hpp"

#include <vitral/core/philox.hpp>
#include <vitral/io/decode.hpp>

#include <zlib.h>

#include <algorithm>

using namespace vitral;
using testing::image_of;
using testing::largest_difference;
using testing::slope;
using testing::TemporaryFolder;

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// Whether the bytes are an image; anything but an Error is a failure.
bool decodes(const Bytes& bytes) {
  try {
    check_image(decode_image(bytes, "damaged"));
    return true;
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("damaged") != std::string::npos);
    return false;
  }
}

void check_refused(const fs::path& path, const std::string& why) {
  CHECK_THROWS_WITH_AS((void)read_image(path), doctest::Contains(why.c_str()), Error);
}

}  // namespace

TEST_CASE("every kind of file comes out as the RGB that PIL shows") {
  const SafetensorsFile expected(VITRAL_TESTS_DIR "/fixtures/images.safetensors");
  REQUIRE(expected.names().size() > 20);
  for (const std::string& name : expected.names()) {
    CAPTURE(name);
    const Image image = read_image(VITRAL_TESTS_DIR "/fixtures/images/" + name);
    CHECK(largest_difference(image, image_of(expected, name)) <= 1);
  }
}

TEST_CASE("small images of every kind, size, depth and orientation come out as PIL shows them") {
  const SafetensorsFile table(VITRAL_TESTS_DIR "/fixtures/image_table.safetensors");
  int images = 0;
  for (const std::string& name : table.names()) {
    if (name.ends_with(".rgb")) continue;
    ++images;
    CAPTURE(name);
    const auto bytes = table.tensor(name).bytes;
    const auto* first = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const Image image = decode_image({first, first + bytes.size()}, name);
    const bool exact = name.starts_with("png") || name.find("lossless") != std::string::npos;
    CHECK(largest_difference(image, image_of(table, name + ".rgb")) <= (exact ? 0 : 1));
  }
  CHECK(images > 250);
}

TEST_CASE("images cut off anywhere and with bytes changed anywhere are errors, or images") {
  const Random random{11, 0, 0};
  std::uint64_t draw = 0;
  long errors = 0, all = 0, files = 0;
  for (const auto& entry : fs::directory_iterator(VITRAL_TESTS_DIR "/fixtures/images")) {
    const Bytes good = read_bytes(entry.path());
    ++files;
    CHECK(decodes(good));
    for (int i = 0; i < 40; ++i, ++all) {
      Bytes cut(good.begin(), good.begin() + random.below(draw++, static_cast<std::uint32_t>(good.size())));
      errors += !decodes(cut);
    }
    for (int i = 0; i < 60; ++i, ++all) {
      Bytes changed = good;
      for (int k = 0; k <= i % 4; ++k) {
        const auto at = random.below(draw++, static_cast<std::uint32_t>(good.size()));
        changed[at] = static_cast<std::uint8_t>(random.bits(draw++));
      }
      errors += !decodes(changed);
    }
  }
  CHECK(files > 20);
  CHECK(errors > all / 4);
  CHECK(errors < all);
}

TEST_CASE("empty files, other types, folders and absurd extents are errors that say what to do") {
  const TemporaryFolder folder;
  const auto refused = [&](const char* name, const Bytes& bytes, const std::string& why) {
    testing::write_bytes(folder.path / name, bytes);
    check_refused(folder.path / name, why);
  };
  refused("empty.jpg", {}, "but empty; convert or remove it");
  refused("page.png", {'<', 'h', 't', 'm', 'l', '>'}, "neither a PNG, a JPEG nor a WebP; convert");
  refused("animation.png", {'G', 'I', 'F', '8', '9', 'a'}, "neither a PNG");
  fs::create_directory(folder.path / "folder.png");
  check_refused(folder.path / "folder.png", "is a directory");
  check_refused(folder.path / "none.png", "cannot open");
  // A PNG header of 60000 x 60000 pixels: the checksum is right, so that the extents are believed.
  Bytes huge = read_bytes(VITRAL_TESTS_DIR "/fixtures/images/rgb.png");
  const Bytes extents{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60};
  std::copy(extents.begin(), extents.end(), huge.begin() + 16);
  const auto sum = static_cast<std::uint32_t>(::crc32(0, huge.data() + 12, 17));
  for (int i = 0; i < 4; ++i) huge[static_cast<std::size_t>(29 + i)] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
  refused("huge.png", huge, "60000 x 60000 pixels, expected at most");
  testing::write_bytes(folder.path / "long.jpg", {0xff, 0xd8, 0xff});
  fs::resize_file(folder.path / "long.jpg", max_image_bytes + 1);  // a hole, which takes no room
  check_refused(folder.path / "long.jpg", "536870913 bytes, expected at most");
}

TEST_CASE("an image that cannot be read is an error that names the file") {
  const TemporaryFolder folder;
  const fs::path png = folder.path / "p.png", jpeg = folder.path / "j.jpg", other = folder.path / "o.png";
  testing::make_png(png, slope(30, 30));
  testing::make_jpeg(jpeg, slope(30, 30));
  testing::write_bytes(other, {'G', 'I', 'F'});
  check_refused(other, other.string() + ": neither a PNG, a JPEG nor a WebP");
  for (const fs::path& path : {png, jpeg}) {
    const Bytes whole = read_bytes(path);
    CHECK_NOTHROW((void)read_image(path));
    for (const std::size_t cut : {whole.size() - 20, whole.size() / 2, std::size_t{30}, std::size_t{8}}) {
      testing::write_bytes(path, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)});
      check_refused(path, path.string());
    }
  }
}

TEST_CASE("a WebP animation is refused with what to do") {
  Bytes bytes{'R', 'I', 'F', 'F', 22, 0, 0, 0, 'W', 'E', 'B', 'P', 'V', 'P', '8', 'X', 10, 0, 0, 0};
  bytes.insert(bytes.end(), {2, 0, 0, 0, 7, 0, 0, 7, 0, 0});  // animated, 8 x 8 pixels
  CHECK_THROWS_WITH_AS((void)decode_image(bytes, "moving"),
                       doctest::Contains("moving: an animated WebP; convert it to an image, or remove it"), Error);
}
