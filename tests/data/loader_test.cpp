#include "temporary.hpp"

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/data/cifar.hpp>
#include <vitral/data/loader.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

using namespace vitral;
using testing::Computed;
using testing::contains;
using testing::error_of;

namespace {

struct Failing : Computed {
  Image image(long i) const {
    if (i == 17) fail("image ", i, " is broken");
    return Computed::image(i);
  }
};

Loader loader(long count, LoaderOptions options) {
  return Loader(Computed{count}, two_views(moco_v3_augmentation(8)), options);
}

std::vector<Batch> all(Loader& from, long epoch, long first = 0) {
  std::vector<Batch> batches;
  for (const Batch& batch : from.epoch(epoch, first)) batches.push_back(batch);
  return batches;
}

template <class T, class S>
bool same(const Tensor<T, S>& a, const Tensor<T, S>& b) {
  return a.shape() == b.shape() && std::equal(a.data(), a.data() + a.size(), b.data());
}
bool same(const Batch& a, const Batch& b) {
  bool views = a.views.size() == b.views.size();
  for (std::size_t k = 0; views && k < a.views.size(); ++k) views = same(a.views[k], b.views[k]);
  return a.epoch == b.epoch && a.index == b.index && a.places == b.places && same(a.labels, b.labels) && views;
}
std::vector<int> labels_of(const Batch& batch) { return {batch.labels.data(), batch.labels.data() + batch.size()}; }

}  // namespace

TEST_CASE("batches are the same whatever the number of workers, and come in order") {
  Loader reference = loader(103, {.batch = 10, .seed = 5, .workers = 0});
  const std::vector<Batch> expected = all(reference, 3);
  REQUIRE(expected.size() == 10);
  for (const int workers : {1, 2, 4}) {
    Loader other = loader(103, {.batch = 10, .seed = 5, .workers = workers});
    const std::vector<Batch> batches = all(other, 3);
    REQUIRE(batches.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
      CHECK(batches[i].index == static_cast<long>(i));
      CHECK(batches[i].epoch == 3);
      CHECK(same(batches[i], expected[i]));
    }
  }
}

TEST_CASE("starting in the middle of an epoch gives the batches that would have come") {
  Loader whole = loader(64, {.batch = 8, .workers = 2});
  const std::vector<Batch> expected = all(whole, 1);
  for (const long first : {0l, 3l, 7l, 8l}) {
    Loader resumed = loader(64, {.batch = 8, .workers = 2});
    const std::vector<Batch> rest = all(resumed, 1, first);
    REQUIRE(rest.size() == static_cast<std::size_t>(8 - first));
    for (std::size_t i = 0; i < rest.size(); ++i) CHECK(same(rest[i], expected[static_cast<std::size_t>(first) + i]));
  }
  CHECK(same(all(whole, 1, 5)[0], expected[5]));  // also of a loader that has been used
  CHECK_THROWS_AS(whole.start(1, 9), Error);
  CHECK_THROWS_AS(whole.start(-1), Error);
}

TEST_CASE("an epoch shows every image once, in an order of its own") {
  Loader data = loader(60, {.batch = 7, .workers = 2, .drop_last = false});
  CHECK(data.batches() == 9);
  std::vector<std::vector<int>> orders;
  for (long epoch = 0; epoch < 2; ++epoch) {
    std::vector<int> seen;
    for (const Batch& batch : all(data, epoch)) {
      CHECK(batch.size() == (batch.index == 8 ? 4 : 7));
      REQUIRE(batch.views.size() == 2);
      for (const auto& view : batch.views) CHECK(view.shape() == Shape<dyn, 3, dyn, dyn>{batch.size(), 8, 8});
      const std::vector<int> labels = labels_of(batch);  // the computed images' numbers
      CHECK(std::equal(labels.begin(), labels.end(), batch.places.begin(), batch.places.end()));
      seen.insert(seen.end(), labels.begin(), labels.end());
    }
    CHECK(std::set<int>(seen.begin(), seen.end()).size() == 60);
    CHECK(seen.size() == 60);
    CHECK(!std::is_sorted(seen.begin(), seen.end()));
    orders.push_back(seen);
  }
  CHECK(orders[0] != orders[1]);
  Loader dropping = loader(60, {.batch = 7});
  CHECK(dropping.batches() == 8);
  CHECK(all(dropping, 0).size() == 8);
}

TEST_CASE("seed, epoch and view decide an image's pixels, not its place in the batch") {
  const ImageViews views = two_views(moco_v3_augmentation(8));
  Loader data = loader(12, {.batch = 4, .seed = 7});
  for (const Batch& batch : all(data, 2))
    for (int i = 0; i < 4; ++i)
      for (std::size_t k = 0; k < 2; ++k) {
        const long which = batch.places[static_cast<std::size_t>(i)];
        std::vector<float> out(192);
        views[k](Computed{12}.image(which), {7, stream_view(k) + 2, static_cast<std::uint64_t>(which)}, out.data());
        CHECK(std::equal(out.begin(), out.end(), batch.views[k].data() + i * 192));
      }
  Loader other = loader(12, {.batch = 4, .seed = 8});
  CHECK(!same(all(other, 2)[0].views[0], all(data, 2)[0].views[0]));
}

TEST_CASE("a batch larger than the data set is an error that gives both numbers and the remedy") {
  const std::string message = error_of([] { loader(100, {.batch = 256}); });
  CHECK(contains(message, "a batch of 256 images is larger than computed, which has 100"));
  CHECK(contains(message, "LoaderOptions::batch can be at most 100"));
  CHECK_THROWS_AS(loader(100, {.batch = 0}), Error);
  CHECK_THROWS_AS(loader(100, {.batch = 10, .workers = -1}), Error);
  CHECK(loader(100, {.batch = 100}).batches() == 1);
}

TEST_CASE("with no unreadable image allowed, the first one comes out of next as an error, and nothing hangs") {
  for (const int workers : {0, 1, 2, 4}) {
    Loader data(Failing{{40}}, two_views(moco_v3_augmentation(8)), {.batch = 4, .workers = workers, .unreadable = 0});
    const std::vector<std::uint32_t> order = shuffled(40, 0, 0);
    const long broken = (std::find(order.begin(), order.end(), 17u) - order.begin()) / 4;
    data.start(0);
    Batch batch;
    for (long i = 0; i < broken; ++i) REQUIRE(data.next(batch));
    CHECK(contains(error_of([&] { data.next(batch); }), "image 17 is broken"));
    CHECK_THROWS_AS(data.next(batch), Error);
    data.start(0, broken + 1);  // and the loader can go on
    if (broken + 1 < data.batches()) CHECK(data.next(batch));
  }
}

TEST_CASE("an unreadable image is named once, counted, and replaced by the next, whatever the number of workers") {
  std::vector<Batch> expected;
  for (const int workers : {0, 1, 3}) {
    std::vector<std::string> log;
    Loader data(Failing{{40}}, two_views(moco_v3_augmentation(8)),
                {.batch = 4, .workers = workers, .log = [&](const std::string& line) { log.push_back(line); }});
    const std::vector<Batch> batches = all(data, 0);
    CHECK(all(data, 1).size() == 10);
    CHECK(data.unreadable() == 1);
    REQUIRE(log.size() == 1);
    CHECK(log[0] == "vitral: image 17 is broken; skipped, number 1 of at most 100");
    if (workers == 0) expected = batches;
    REQUIRE(batches.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) CHECK(same(batches[i], expected[i]));
    std::multiset<int> labels;
    for (const Batch& batch : batches)
      for (const int label : labels_of(batch)) labels.insert(label);
    CHECK(labels.count(17) == 0);
    CHECK(labels.count(18) == 2);
  }
}

TEST_CASE("a data set of nothing but unreadable images is an error at the limit") {
  struct Broken : Computed {
    Image image(long i) const { fail("image ", i, " is broken"); }
  };
  for (const long limit : {0l, 3l, 100l}) {
    Loader data(Broken{{8}}, two_views(moco_v3_augmentation(8)),
                {.batch = 4, .workers = 2, .unreadable = limit, .log = nullptr});
    data.start(0);
    Batch batch;
    const std::string message = error_of([&] { data.next(batch); });
    if (limit == 0) CHECK(contains(message, "is broken"));
    if (limit == 3) CHECK(contains(message, "unreadable image number 4; at most 3 are skipped"));
    if (limit == 100) CHECK(contains(message, "none of the 8 images of computed can be read"));
  }
}

TEST_CASE("a batch that takes long is said to be waited for") {
  struct Slow : Computed {
    Image image(long i) const {
      std::this_thread::sleep_for(std::chrono::milliseconds(120));
      return Computed::image(i);
    }
  };
  std::vector<std::string> log;
  Loader data(
      Slow{{2}}, two_views(moco_v3_augmentation(8)),
      {.batch = 2, .workers = 1, .patience = 0.05, .log = [&](const std::string& line) { log.push_back(line); }});
  data.start(0);
  Batch batch;
  CHECK(data.next(batch));
  REQUIRE(!log.empty());
  CHECK(contains(log[0], "waiting for a batch of computed"));
}

TEST_CASE("workers share the images of a batch, so that the first is there early") {
  struct Slow : Computed {
    Image image(long i) const {
      const int now = ++*together;
      for (int most = *highest; most < now && !highest->compare_exchange_weak(most, now);) {
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      --*together;
      return Computed::image(i);
    }
    std::shared_ptr<std::atomic<int>> together = std::make_shared<std::atomic<int>>(0);
    std::shared_ptr<std::atomic<int>> highest = std::make_shared<std::atomic<int>>(0);
  };
  const Slow images{{64}};
  Loader data(images, two_views(moco_v3_augmentation(8)), {.batch = 64, .workers = 4});
  data.start(0);
  Batch batch;
  CHECK(data.next(batch));
  CHECK(*images.highest == 4);
}

TEST_CASE("a batch for a device holds its images as they were read, also after an epoch was given up in one") {
  struct Slow : Computed {
    Image image(long i) const {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      return Computed::image(i);
    }
  };
  const Slow images{{24}};
  detail::LoaderState<DrawnBatch> data(images, two_views(moco_v3_augmentation(8)), {.batch = 8, .workers = 1});
  DrawnBatch batch;
  for (const bool given_up : {true, false}) {
    data.start(0, 0);
    if (given_up) std::this_thread::sleep_for(std::chrono::milliseconds(45));  // in the midst of the first batch
    if (given_up) data.stop(), data.start(1, 0);
    int right = 0;
    while (data.next(batch)) {
      REQUIRE(batch.jobs.size() == 2);
      for (std::size_t i = 0; i < 8; ++i) {
        const Image image = images.Computed::image(batch.places[i]);
        const auto first = static_cast<std::ptrdiff_t>(batch.jobs[0][i].first);
        REQUIRE(batch.jobs[1][i].first == batch.jobs[0][i].first);
        REQUIRE(batch.used <= batch.pixels.size());
        right += std::equal(image.rgb.begin(), image.rgb.end(), batch.pixels.begin() + first) &&
                 batch.jobs[0][i].width == image.width && batch.labels.data()[i] == images.label(batch.places[i]);
      }
    }
    CHECK(right == 24);
  }
}

TEST_CASE("ranks share an epoch: together they see what one process with the larger batch sees") {
  Loader whole = loader(50, {.batch = 12, .seed = 3, .workers = 0});
  const std::vector<Batch> expected = all(whole, 4);
  std::vector<std::vector<Batch>> parts;
  for (const int rank : {0, 1, 2}) {
    Loader part = loader(50, {.batch = 4, .seed = 3, .workers = 2, .rank = rank, .ranks = 3});
    CHECK(part.batches() == 4);  // the same for all, or they would wait for each other
    parts.push_back(all(part, 4));
  }
  for (std::size_t k = 0; k < expected.size(); ++k) {
    std::multiset<int> labels;
    for (const auto& part : parts)
      for (const int label : labels_of(part[k])) labels.insert(label);
    const std::vector<int> together = labels_of(expected[k]);
    CHECK(labels == std::multiset<int>(together.begin(), together.end()));
    CHECK(parts[1][k].labels(0) == together[1]);
    const float* const pixels = parts[1][k].views[0].data();
    CHECK(std::equal(pixels, pixels + 192, expected[k].views[0].data() + 192));
  }
  std::size_t seen = 0;
  for (const int rank : {0, 1, 2}) {
    Loader part = loader(50, {.batch = 4, .drop_last = false, .rank = rank, .ranks = 3});
    for (const Batch& batch : part.epoch(0)) seen += batch.places.size();
  }
  CHECK(seen == 50);
  CHECK_THROWS_AS(loader(50, {.batch = 4, .rank = 3, .ranks = 3}), Error);
  CHECK_THROWS_AS(loader(50, {.batch = 4, .rank = 0, .ranks = 0}), Error);
}

TEST_CASE("evaluation passes follow the data set's order and repeat exactly") {
  const Dataset data = Computed{6};
  Loader passes(data, {center_view(8)}, {.batch = 4, .drop_last = false, .shuffle = false});
  const std::vector<Batch> first = all(passes, 0), second = all(passes, 1);
  REQUIRE(first.size() == 2);
  CHECK(labels_of(first[0]) == std::vector<int>{0, 1, 2, 3});
  CHECK(labels_of(first[1]) == std::vector<int>{4, 5});
  CHECK(same(first[1].views[0], second[1].views[0]));
  std::vector<float> one(192);
  center_view(8)(data.image(5), one.data());
  CHECK(std::equal(one.begin(), one.end(), first[1].views[0].data() + 192));
}

TEST_CASE("multi-crop batches hold large views, then small ones") {
  Loader data(Computed{8, 16}, multi_crop(dino_multi_crop(12, 6, 3)), {.batch = 4});
  const std::vector<Batch> batches = all(data, 0);
  REQUIRE(batches[0].views.size() == 5);
  for (std::size_t k = 0; k < 5; ++k)
    CHECK(batches[0].views[k].shape() == Shape<dyn, 3, dyn, dyn>{4, k < 2 ? 12 : 6, k < 2 ? 12 : 6});
  CHECK(!same(batches[0].views[3], batches[0].views[4]));
}

TEST_CASE("what somebody holds of a batch stays as it is when the loader goes on") {
  Loader data = loader(40, {.batch = 4, .seed = 5, .workers = 1});
  const std::vector<Batch> expected = all(data, 0);
  std::vector<Tensor<float, Shape<dyn, 3, dyn, dyn>>> held;
  for (const Batch& batch : data.epoch(0)) held.push_back(batch.views[1]);
  REQUIRE(held.size() == 10);
  for (std::size_t i = 0; i < held.size(); ++i) CHECK(same(held[i], expected[i].views[1]));
}

TEST_CASE("stopping, destroying, moving and starting anew work at any moment") {
  Batch batch;
  for (int taken = 0; taken < 4; ++taken) {
    Loader data = loader(400, {.batch = 16, .workers = 3});
    CHECK(!data.next(batch));  // not started
    data.start(0);
    for (int i = 0; i < taken; ++i) CHECK(data.next(batch));
    if (taken == 1) {
      data.stop();
      CHECK(!data.next(batch));
    }
    if (taken == 2) {
      data.start(5, 2);
      CHECK(data.next(batch));
      CHECK(batch.epoch == 5);
      CHECK(batch.index == 2);
    }
    if (taken == 3) {
      Loader moved = std::move(data);
      CHECK(moved.next(batch));
      CHECK(batch.index == 3);
      data = loader(20, {.batch = 2});
    }
  }
}

TEST_CASE("the time that next waits is accounted for, and small when the batches are ready") {
  Loader data = loader(64, {.batch = 16, .workers = 0});
  (void)all(data, 0);
  CHECK(data.wait_seconds() > 0);
  Loader ahead = loader(64, {.batch = 16, .workers = 2});
  ahead.start(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Batch batch;
  CHECK(ahead.next(batch));
  CHECK(ahead.wait_seconds() < 0.2);
}

TEST_CASE("batches lie in the host memory of a backend, which a whole epoch takes from it only once") {
  static std::atomic<long> taken, released;
  taken = released = 0;
  const HostMemory before = host_memory;
  host_memory = {[](std::size_t bytes) {
                   ++taken;
                   return ::operator new(bytes);
                 },
                 [](void* memory) {
                   ++released;
                   ::operator delete(memory);
                 }};
  {
    Loader data = loader(400, {.batch = 8, .workers = 2});
    Batch batch;
    data.start(0);
    while (data.next(batch)) {
    }
    CHECK(taken > 0);
    CHECK(taken <= 3 * (2 + 2 + 1));  // two views and labels for each slot and for the caller's batch
  }
  CHECK(released == taken);
  host_memory = before;
}

TEST_CASE("a loader is made from a data set and a recipe in one line") {
  const testing::TemporaryFolder folder;
  for (int i = 1; i <= 5; ++i)
    testing::write_bytes(folder.path / ("data_batch_" + std::to_string(i) + ".bin"),
                         std::vector<std::uint8_t>(3073, 3));
  Loader data(Cifar10(folder.path), two_views(moco_v3_augmentation(32)), {.batch = 5});
  data.start(0);
  Batch batch;
  CHECK(data.next(batch));
  CHECK(labels_of(batch) == std::vector<int>(5, 3));
  CHECK(data.dataset().name() == "cifar10");
  CHECK(data.options().batch == 5);
}
