// Whatever is done to an image's file, reading it gives an image or an Error, in bounded memory; under the sanitizers
// as well. The fuzzers of tests/fuzz go on from here.
#include "images.hpp"

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/core/philox.hpp>
#include <vitral/data/image_folder.hpp>
#include <vitral/data/loader.hpp>

#include <zlib.h>

#include <algorithm>

using namespace vitral;
using testing::contains;
using testing::error_of;
using testing::TemporaryFolder;

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

std::vector<Bytes> good_files() {
  std::vector<Bytes> files;
  for (const auto& entry : fs::directory_iterator(VITRAL_TESTS_DIR "/fixtures/images"))
    files.push_back(read_bytes(entry.path()));
  REQUIRE(files.size() > 20);
  return files;
}

/// Whether the bytes are an image; anything but an Error is a failure.
bool decodes(const Bytes& bytes) {
  try {
    check_image(decode_image(bytes, "damaged"));
    return true;
  } catch (const Error& error) {
    CHECK(contains(error.what(), "damaged"));
    return false;
  }
}

}  // namespace

TEST_CASE("images cut off anywhere and with bytes changed anywhere are errors, or images") {
  const Random random{11, 0, 0};
  std::uint64_t draw = 0;
  long errors = 0, all = 0;
  for (const Bytes& good : good_files()) {
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
  CHECK(errors > all / 4);
  CHECK(errors < all);
}

TEST_CASE("empty files, other types, folders and absurd extents are errors that say what to do") {
  const TemporaryFolder folder;
  const auto error = [&](const char* name, const Bytes& bytes) {
    testing::write_bytes(folder.path / name, bytes);
    return error_of([&] { (void)read_image(folder.path / name); });
  };
  CHECK(contains(error("empty.jpg", {}), "but empty; convert or remove it"));
  CHECK(contains(error("page.png", {'<', 'h', 't', 'm', 'l', '>'}), "neither a PNG, a JPEG nor a WebP; convert"));
  CHECK(contains(error("animation.png", {'G', 'I', 'F', '8', '9', 'a'}), "neither a PNG"));
  fs::create_directory(folder.path / "folder.png");
  CHECK(contains(error_of([&] { (void)read_image(folder.path / "folder.png"); }), "is a directory"));
  // A PNG header of 60000 x 60000 pixels: the checksum is right, so that the extents are believed.
  Bytes huge = read_bytes(VITRAL_TESTS_DIR "/fixtures/images/rgb.png");
  const Bytes extents{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60};
  std::copy(extents.begin(), extents.end(), huge.begin() + 16);
  const auto sum = static_cast<std::uint32_t>(::crc32(0, huge.data() + 12, 17));
  for (int i = 0; i < 4; ++i) huge[static_cast<std::size_t>(29 + i)] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
  CHECK(contains(error("huge.png", huge), "60000 x 60000 pixels, expected at most"));
  testing::write_bytes(folder.path / "long.jpg", {0xff, 0xd8, 0xff});
  fs::resize_file(folder.path / "long.jpg", max_image_bytes + 1);  // a hole, which takes no room
  CHECK(contains(error_of([&] { (void)read_image(folder.path / "long.jpg"); }), "536870913 bytes, expected at most"));
}

TEST_CASE("a folder with broken files among good ones trains on the good ones") {
  const TemporaryFolder folder;
  for (int i = 0; i < 12; ++i) {
    const auto path = folder.path / ("p" + std::to_string(10 + i) + ".png");
    testing::write_png(path, testing::slope(9, 9));
    if (i % 4 == 3) fs::resize_file(path, static_cast<std::uintmax_t>(i) * 5);
  }
  std::vector<std::string> log;
  Loader loader(
      UnlabeledFolder(folder.path), two_views(moco_v3_augmentation(8)),
      {.batch = 3, .workers = 2, .unreadable = 3, .log = [&](const std::string& line) { log.push_back(line); }});
  long images = 0;
  for (const Batch& batch : loader.epoch(0)) images += batch.size();
  CHECK(images == 12);
  CHECK(loader.unreadable() == 3);
  REQUIRE(log.size() == 3);
  for (const std::string& line : log) CHECK(contains(line, folder.path.string()));
}

TEST_CASE("a loader that does not replace leaves out what cannot be read, whatever the number of workers") {
  const TemporaryFolder folder;
  for (int i = 0; i < 9; ++i) {
    const auto path = folder.path / ("p" + std::to_string(i) + ".png");
    testing::write_png(path, testing::slope(9, 9));
    if (i >= 3 && i < 6) fs::resize_file(path, 50);  // three in a row
  }
  for (const int workers : {0, 3}) {
    Loader loader(
        UnlabeledFolder(folder.path), {center_view(8)},
        {.batch = 4, .workers = workers, .drop_last = false, .shuffle = false, .replace = false, .log = nullptr});
    std::vector<std::vector<int>> missing;
    for (const Batch& batch : loader.epoch(0)) {
      missing.push_back(batch.missing);
      for (const int row : batch.missing) CHECK(batch.views[0](row, 0, 0, 0) == 0);
    }
    CHECK(missing == std::vector<std::vector<int>>{{3}, {0, 1}, {}});
    CHECK(loader.unreadable() == 3);
  }
}
