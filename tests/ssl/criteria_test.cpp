// The criteria against finite differences and against values worked out by hand.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/ssl/criteria.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

using Rows = Tensor<double, Dyn<2>>;

const Dyn<2> shape{4, 3};
const Rows q0 = normal(shape, 1), q1 = normal(shape, 2), k = normal(shape, 3);

/// The error of a criterion's gradients for one block of queries and for two.
template <class C>
double error_of(const C& criterion) {
  const auto f = [&](const auto& keys, const auto&... q) { return criterion(std::vector{q...}, keys); };
  return std::max(gradcheck(f, k, q0), gradcheck(f, k, q0, q1));
}

/// Rows along the axes, of lengths that must not matter.
Rows axes(const std::vector<int>& axis_of_row, double length = 1) {
  const int rows = static_cast<int>(axis_of_row.size());
  Rows out({rows, 3});
  for (int i = 0; i < rows; ++i) out(i, axis_of_row[static_cast<std::size_t>(i)]) = length * (i + 1);
  return out;
}

double value(const auto& criterion, const Rows& queries, const Rows& keys) {
  return criterion(std::vector{queries}, keys).item();
}

}  // namespace

TEST_CASE("the gradients of InfoNce agree with finite differences") {
  CHECK(error_of(InfoNce{0.5}) < gradient_tolerance);
}

TEST_CASE("the gradients of CosineDistance agree with finite differences") {
  CHECK(error_of(CosineDistance{}) < gradient_tolerance);
}

TEST_CASE("the gradients of NtXent agree with finite differences") {
  CHECK(error_of(NtXent{0.5}) < gradient_tolerance);
}

TEST_CASE("NtXent of a block with itself has the gradient of both roles") {
  const auto f = [](const auto& x) { return NtXent{0.5}(std::vector{x}, x); };
  CHECK(gradcheck(f, q0) < gradient_tolerance);
}

TEST_CASE("InfoNce of aligned orthogonal rows is that of one logit against zeros, whatever the lengths") {
  for (const double t : {0.2, 1.0}) {
    CAPTURE(t);
    const double expected = 2 * t * std::log(1 + 2 * std::exp(-1 / t));
    CHECK(value(InfoNce{t}, axes({0, 1, 2}), axes({0, 1, 2}, 5)) == doctest::Approx(expected).epsilon(1e-12));
    const double wrong = 2 * t * (1 / t + std::log(1 + 2 * std::exp(-1 / t)));  // every row matches another's key
    CHECK(value(InfoNce{t}, axes({0, 1, 2}), axes({1, 2, 0})) == doctest::Approx(wrong).epsilon(1e-12));
  }
}

TEST_CASE("CosineDistance is zero for aligned, two for orthogonal and four for opposite rows") {
  const auto x = axes({0, 1, 2});
  CHECK(std::abs(value(CosineDistance{}, x, axes({0, 1, 2}, 7))) < 1e-14);
  CHECK(value(CosineDistance{}, x, axes({1, 2, 0})) == doctest::Approx(2).epsilon(1e-14));
  CHECK(value(CosineDistance{}, x, axes({0, 1, 2}, -3)) == doctest::Approx(4).epsilon(1e-14));
}

TEST_CASE("NtXent leaves a view itself out") {
  // With one image, the other view is the only candidate. A row that could choose itself would lose something.
  CHECK(value(NtXent{0.5}, axes({0, 1}), axes({0, 1})) == 0);
  // With two, there are the positive and the two views of the other image.
  const double t = 0.5, expected = std::log(1 + 2 * std::exp(-1 / t));
  CHECK(value(NtXent{t}, axes({0, 1, 0, 1}), axes({0, 1, 0, 1})) == doctest::Approx(expected).epsilon(1e-12));
}

TEST_CASE("rows of several views meet the keys of their view alone") {
  const auto views_of = [&](const auto& criterion) {
    const double apart = (value(criterion, q0, k) + value(criterion, q1, q0)) / 2;
    const auto both = criterion.against(concat<0>(k, q0), 2);
    CHECK(eval(both(concat<0>(q0, q1))).item() == doctest::Approx(apart).epsilon(1e-12));
    const auto loss = [](const auto& c, const auto& keys, const auto& q) { return c.against(keys, 2)(q); };
    CHECK(gradcheck([&](const auto& keys, const auto& q) { return loss(criterion, keys, q); }, k, q0) <
          gradient_tolerance);
  };
  views_of(InfoNce{0.5});
  views_of(CosineDistance{});
}

TEST_CASE("several blocks count equally") {
  const auto mean_of = [](const auto& criterion) {
    const double together = criterion(std::vector{q0, q1}, k).item();
    CHECK(together == doctest::Approx((value(criterion, q0, k) + value(criterion, q1, k)) / 2).epsilon(1e-12));
  };
  mean_of(InfoNce{});
  mean_of(CosineDistance{});
  mean_of(NtXent{});
}

TEST_CASE("bf16 rows are compared in float") {
  const auto q = normal<bf16>(shape, 1), keys = normal<bf16>(shape, 3);
  const auto loss = InfoNce{}(std::vector{q}, keys);
  static_assert(std::is_same_v<scalar_of<decltype(loss)>, float>);
  const auto exact = [](const auto& x) { return Rows::from(doubles(x), x.shape()); };
  CHECK(static_cast<double>(loss.item()) == doctest::Approx(value(InfoNce{}, exact(q), exact(keys))).epsilon(1e-5));
}

TEST_CASE("NtXent refuses an odd number of rows, every criterion an empty list") {
  CHECK_THROWS_WITH_AS(static_cast<void>(value(NtXent{}, axes({0, 1, 2}), axes({0, 1, 2}))),
                       doctest::Contains("an even number of rows, not 3"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(CosineDistance{}(std::vector<Rows>{}, k)),
                       doctest::Contains("at least one block of queries"), Error);
}
