// What a loader makes of files that cannot be read among others that can.
#include "../images.hpp"
#include "temporary.hpp"

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/data/image_folder.hpp>
#include <vitral/data/loader.hpp>

using namespace vitral;
using testing::contains;
using testing::TemporaryFolder;

namespace fs = std::filesystem;

TEST_CASE("a folder with broken files among good ones trains on the good ones") {
  const TemporaryFolder folder;
  for (int i = 0; i < 12; ++i) {
    const auto path = folder.path / ("p" + std::to_string(10 + i) + ".png");
    testing::make_png(path, testing::slope(9, 9));
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
    testing::make_png(path, testing::slope(9, 9));
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
