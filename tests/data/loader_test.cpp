#include "temporary.hpp"

#include <vitral/data/cifar10.hpp>
#include <vitral/data/loader.hpp>

#include <algorithm>
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
  from.start(epoch, first);
  for (Batch batch; from.next(batch); batch = Batch{}) batches.push_back(batch);
  return batches;
}

bool same(const Batch& a, const Batch& b) {
  return a.epoch == b.epoch && a.index == b.index && a.size == b.size && a.labels == b.labels && a.view1 == b.view1 &&
         a.view2 == b.view2;
}

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

TEST_CASE("an epoch shows every picture once, in an order of its own") {
  Loader data = loader(60, {.batch = 7, .workers = 2, .drop_last = false});
  CHECK(data.batches() == 9);
  std::vector<std::vector<int>> orders;
  for (long epoch = 0; epoch < 2; ++epoch) {
    std::vector<int> seen;
    for (const Batch& batch : all(data, epoch)) {
      CHECK(batch.size == (batch.index == 8 ? 4 : 7));
      CHECK(batch.view1.size() == static_cast<std::size_t>(batch.size) * 3 * 64);
      CHECK(batch.view2.size() == batch.view1.size());
      seen.insert(seen.end(), batch.labels.begin(), batch.labels.end());
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

TEST_CASE("seed, epoch and view decide a picture's pixels, not its place in the batch") {
  const TwoViews views = two_views(moco_v3_augmentation(8));
  Loader data = loader(12, {.batch = 4, .seed = 7});
  for (const Batch& batch : all(data, 2))
    for (std::size_t i = 0; i < 4; ++i) {
      const auto which = static_cast<std::uint64_t>(batch.labels[i]);  // the computed pictures' labels
      std::vector<float> out(192);
      views.first(Computed{12}.image(batch.labels[i]), {7, stream_first_view + 2, which}, out.data());
      CHECK(std::equal(out.begin(), out.end(), batch.view1.begin() + static_cast<long>(i * 192)));
      views.second(Computed{12}.image(batch.labels[i]), {7, stream_second_view + 2, which}, out.data());
      CHECK(std::equal(out.begin(), out.end(), batch.view2.begin() + static_cast<long>(i * 192)));
    }
  Loader other = loader(12, {.batch = 4, .seed = 8});
  CHECK(all(other, 2)[0].view1 != all(data, 2)[0].view1);
}

TEST_CASE("a batch larger than the data set is an error that gives both numbers and the remedy") {
  const std::string message = error_of([] { loader(100, {.batch = 256}); });
  CHECK(contains(message, "a batch of 256 images is larger than computed, which has 100"));
  CHECK(contains(message, "use --batch with at most 100"));
  CHECK_THROWS_AS(loader(100, {.batch = 0}), Error);
  CHECK_THROWS_AS(loader(100, {.batch = 10, .workers = -1}), Error);
  CHECK(loader(100, {.batch = 100}).batches() == 1);
}

TEST_CASE("an exception in a worker comes out of next, at the batch it belongs to, and nothing hangs") {
  for (const int workers : {0, 1, 2, 4}) {
    Loader data(Failing{{40}}, two_views(moco_v3_augmentation(8)), {.batch = 4, .workers = workers});
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

TEST_CASE("a loader is made from a data set and a recipe in one line") {
  const testing::TemporaryFolder folder;
  for (int i = 1; i <= 5; ++i)
    testing::write_bytes(folder.path / ("data_batch_" + std::to_string(i) + ".bin"),
                         std::vector<std::uint8_t>(3073, 3));
  Loader data(Cifar10(folder.path), two_views(moco_v3_augmentation(32)), {.batch = 5});
  data.start(0);
  Batch batch;
  CHECK(data.next(batch));
  CHECK(batch.labels == std::vector<int>(5, 3));
  CHECK(data.dataset().name() == "cifar10");
  CHECK(data.options().batch == 5);
}

TEST_CASE("load_batch fills consecutive views in the data set's order") {
  const Dataset data = Computed{6};
  std::vector<float> out(2 * 192), one(192);
  load_batch(data, 3, 2, center_view(8), out.data());
  center_view(8)(data.image(4), one.data());
  CHECK(std::equal(one.begin(), one.end(), out.begin() + 192));
  CHECK_THROWS_AS(load_batch(data, 5, 2, center_view(8), out.data()), Error);
}
