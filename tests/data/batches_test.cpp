// Batches of arrays: rows and targets stay together, whatever their types and shapes.
#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/data/batches.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace vitral;

namespace {

/// Row i of x holds 10 i and 10 i + 1, its label is i.
const auto x = Tensor<double, Shape<5, 2>>::from({0, 1, 10, 11, 20, 21, 30, 31, 40, 41}, {});
const auto labels = Tensor<int, Shape<dyn>>::from({0, 1, 2, 3, 4}, {5});

}  // namespace

TEST_CASE("an epoch shows every row once beside its target, in an order that seed and epoch decide") {
  Batches data(x, labels, {.batch = 2, .seed = 3, .drop_last = false});
  CHECK(data.batches() == 3);
  std::set<std::vector<long>> orders;
  for (long epoch = 0; epoch < 4; ++epoch) {
    std::vector<long> order;
    for (const auto& batch : data.epoch(epoch)) {
      CHECK(batch.epoch == epoch);
      CHECK(batch.size() == (batch.index == 2 ? 1 : 2));
      CHECK(batch.x.shape() == Shape<dyn, 2>{batch.size()});
      CHECK(batch.y.shape() == Shape<dyn>{batch.size()});
      for (int i = 0; i < batch.size(); ++i) {
        CHECK(batch.y(i) == batch.places[static_cast<std::size_t>(i)]);
        CHECK(batch.x(i, 0) == 10 * batch.y(i));
        CHECK(batch.x(i, 1) == 10 * batch.y(i) + 1);
        order.push_back(batch.y(i));
      }
    }
    CHECK(std::set<long>(order.begin(), order.end()).size() == 5);
    const auto expected = shuffled(5, 3, epoch);
    CHECK(order == std::vector<long>(expected.begin(), expected.end()));
    orders.insert(order);
  }
  CHECK(orders.size() > 1);
}

TEST_CASE(
    "without shuffling rows come in their order; those that fill no batch are left out; an epoch may begin later") {
  Batches data(x, x, {.batch = 2, .shuffle = false});  // targets of any type and shape
  CHECK(data.batches() == 2);
  std::vector<double> seen;
  for (const auto& batch : data.epoch(7, 1)) {
    CHECK(batch.index == 1);
    for (const double value : batch.y.to_vector()) seen.push_back(value);
  }
  CHECK(seen == std::vector<double>{20, 21, 30, 31});
}

TEST_CASE("an array without targets is handed out as one with them is, and its batches have none") {
  const BatchesOptions options{.batch = 2, .seed = 3};
  Batches data(x, options);
  Batches with_labels(x, labels, options);
  std::vector<double> alone, beside;
  for (const auto& batch : data.epoch(1)) {
    static_assert(std::is_same_v<std::remove_cvref_t<decltype(batch.y)>, NoTargets>);
    for (const double value : batch.x.to_vector()) alone.push_back(value);
  }
  for (const auto& batch : with_labels.epoch(1))
    for (const double value : batch.x.to_vector()) beside.push_back(value);
  CHECK(alone == beside);
  CHECK(alone.size() == 8);
}

TEST_CASE("arrays that do not fit each other or a batch are refused with both shapes") {
  const auto fewer = Tensor<int, Shape<dyn>>::from({1, 2}, {2});
  CHECK_THROWS_WITH_AS(Batches(x, fewer), doctest::Contains("x of shape [5, 2] and y of shape [2] differ"), Error);
  CHECK_THROWS_WITH_AS(Batches(x, labels), doctest::Contains("a batch of 256 rows is larger than x, which has 5"),
                       Error);
  CHECK_THROWS_WITH_AS(Batches(x, {.batch = 6}), doctest::Contains("a batch of 6 rows is larger than x"), Error);
  CHECK_THROWS_WITH_AS(Batches(x, labels, {.batch = 0}), doctest::Contains("batch must be 1 or more, not 0"), Error);
  Batches data(x, labels, {.batch = 5});
  CHECK_THROWS_WITH_AS((void)data.epoch(0, 2), doctest::Contains("batch 2 of an epoch that has 1"), Error);
}
