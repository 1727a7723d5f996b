// Reductions over one axis and over all, short and long, of tensors and of expressions, against plain loops.
#include "../random_tensor.hpp"

#include <vitral/tensor/layout.hpp>
#include <vitral/tensor/reduce.hpp>

#include <doctest/doctest.h>

#include <tuple>

using namespace vitral_tests;
using doctest::Contains;

namespace {

const double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// What a reduction must give: sums in double, the largest values and their places.
struct Wanted {
  std::vector<double> sums, largest;
  std::vector<int> places;
};

/// Plain loops over [outer, n, inner].
Wanted by_loops(const std::vector<double>& x, Reduction r) {
  Wanted out;
  for (long o = 0; o < r.outer; ++o) {
    for (long i = 0; i < r.inner; ++i) {
      const auto at = [&](long k) { return x[static_cast<std::size_t>((o * r.n + k) * r.inner + i)]; };
      long double sum = 0;
      int best = 0;
      for (long k = 0; k < r.n; ++k) {
        sum += at(k);
        if (at(k) > at(best)) best = static_cast<int>(k);
      }
      out.sums.push_back(static_cast<double>(sum));
      out.largest.push_back(at(best));
      out.places.push_back(best);
    }
  }
  return out;
}

std::vector<double> divided_by(std::vector<double> x, double n) {
  for (double& v : x) v /= n;
  return x;
}

/// Sum, mean, max and argmax of x along the axis, whose extent the loops see as r.n.
template <int Axis, class X>
void check_reductions(const X& x, Reduction r, double tolerance) {
  CAPTURE(Axis);
  const Wanted wanted = by_loops(doubles(eval(x)), r);
  CHECK(distance(doubles(sum<Axis>(x)), wanted.sums) < tolerance);
  CHECK(distance(doubles(mean<Axis>(x)), divided_by(wanted.sums, static_cast<double>(r.n))) < tolerance);
  CHECK(doubles(max<Axis>(x)) == wanted.largest);
  CHECK(argmax<Axis>(x).to_vector() == wanted.places);
}

/// The results of all reductions of x along the axis, with a given number of threads.
template <int Axis, class X>
auto on_threads(int count, const X& x) {
  const int before = cpu::threads();
  cpu::set_threads(count);
  const std::tuple out{sum<Axis>(x).to_vector(), mean<Axis>(x).to_vector(), max<Axis>(x).to_vector(),
                       argmax<Axis>(x).to_vector()};
  cpu::set_threads(before);
  return out;
}
template <int Axis, class X>
bool same_on_threads(const X& x) {
  return on_threads<Axis>(1, x) == on_threads<Axis>(2, x) && on_threads<Axis>(1, x) == on_threads<Axis>(3, x);
}

template <class T>
constexpr double precision = std::is_same_v<T, double>  ? 1e-14
                             : std::is_same_v<T, float> ? 1e-6
                                                        : 0x1p-8;

using X = Tensor<float, Shape<3, dyn, 5>>;
static_assert(std::is_same_v<reduced_shape<X, 0, Axes::drop>, Shape<dyn, 5>>);
static_assert(std::is_same_v<reduced_shape<X, -1, Axes::drop>, Shape<3, dyn>>);
static_assert(std::is_same_v<reduced_shape<X, 1, Axes::keep>, Shape<3, 1, 5>>);
static_assert(std::is_same_v<reduced_shape<X, all_axes, Axes::drop>, Shape<>>);
static_assert(std::is_same_v<scalar_of<decltype(argmax<0>(std::declval<X>()))>, int>);
static_assert(std::is_trivially_copyable_v<Reduction>);

}  // namespace

TEST_CASE_TEMPLATE("every axis of [3, 4, 5] and all of them are reduced", T, float, double, bf16) {
  const auto x = normal<T>(Dyn<3>{3, 4, 5}, 1);
  check_reductions<0>(x, {1, 3, 20}, precision<T>);
  check_reductions<1>(x, {3, 4, 5}, precision<T>);
  check_reductions<2>(x, {12, 5, 1}, precision<T>);
  check_reductions<-2>(x, {3, 4, 5}, precision<T>);
  check_reductions<all_axes>(x, {1, 60, 1}, precision<T>);
  CHECK(sum<1>(x).shape() == Shape<3, 5>{});
  CHECK(sum(x).shape() == Shape<>{});
}

TEST_CASE_TEMPLATE("long axes are reduced", T, float, double, bf16) {
  // Sums around 0 have a relative error of their own; + 1 keeps them away from it.
  check_reductions<0>(eval(normal<T>(Dyn<1>{70000}, 1) + 1), {1, 70000, 1}, precision<T>);
  check_reductions<0>(eval(normal<T>(Dyn<2>{300, 40}, 2) + 1), {1, 300, 40}, precision<T>);
  check_reductions<1>(eval(normal<T>(Dyn<2>{3, 30001}, 3) + 1), {3, 30001, 1}, precision<T>);
  check_reductions<0>(eval(normal<T>(Dyn<2>{9001, 3}, 4) + 1), {1, 9001, 3}, precision<T>);
  check_reductions<1>(eval(normal<T>(Dyn<3>{2, 70, 601}, 5) + 1), {2, 70, 601}, precision<T>);
  check_reductions<all_axes>(eval(normal<T>(Dyn<3>{2, 70, 601}, 6) + 1), {1, 84140, 1}, precision<T>);
}

TEST_CASE("an expression is reduced as its value is") {
  const auto x = normal(Dyn<2>{30, 400}, 1), row = normal(Dyn<2>{1, 400}, 2), column = normal(Dyn<2>{30, 1}, 3);
  const auto e = x * row - column;
  check_reductions<0>(e, {1, 30, 400}, 1e-13);
  check_reductions<1>(e, {30, 400, 1}, 1e-13);
  check_reductions<all_axes>(e, {1, 12000, 1}, 1e-13);
  check_reductions<0>(row + column, {1, 30, 400}, 1e-13);
  CHECK(sum<0>(row + 0 * column).shape() == Shape<400>{});
}

TEST_CASE("a strided view is reduced as its value is") {
  const auto x = normal(Dyn<3>{6, 7, 50}, 1);
  const auto turned = transpose_view<2, 0, 1>(x);
  check_reductions<0>(turned, {1, 50, 42}, 1e-14);
  check_reductions<1>(turned, {50, 6, 7}, 1e-14);
  check_reductions<2>(turned, {300, 7, 1}, 1e-14);
  check_reductions<1>(slice_view<1>(x, 2, 4), {6, 4, 50}, 1e-14);
}

TEST_CASE("axes of one element lose nothing but the axis") {
  const auto x = normal(Dyn<3>{3, 1, 5}, 1);
  CHECK(doubles(sum<1>(x)) == doubles(x));
  CHECK(doubles(max<1>(x)) == doubles(x));
  CHECK(argmax<1>(x).to_vector() == std::vector<int>(15, 0));
  const auto number = Tensor<double, Shape<>>::from({3}, {});
  CHECK(sum(number).item() == 3);
  CHECK(argmax(number).item() == 0);
}

TEST_CASE("an axis that is kept has extent 1, so that the result broadcasts against the operand") {
  const auto x = normal(Dyn<3>{3, 4, 5}, 1);
  const auto kept = sum<1, Axes::keep>(x);
  CHECK(kept.shape() == Shape<3, 1, 5>{});
  CHECK(doubles(kept) == doubles(sum<1>(x)));
  CHECK(max<-1, Axes::keep>(x).shape() == Shape<3, 4, 1>{});
  CHECK(argmax<0, Axes::keep>(x).shape() == Shape<1, 4, 5>{});
  const auto centred = eval(x - mean<1, Axes::keep>(x));
  CHECK(distance(doubles(eval(mean<1>(centred) + 1)), std::vector<double>(15, 1)) < 1e-14);
}

TEST_CASE("argmax is the first of equal values") {
  const auto x = Tensor<float, Dyn<2>>::from({1, 5, 5, 0,  //
                                              2, 2, 2, 2,  //
                                              0, 5, 1, 2},
                                             {3, 4});
  CHECK(argmax<1>(x).to_vector() == std::vector<int>{1, 0, 1});
  CHECK(argmax<0>(x).to_vector() == std::vector<int>{1, 0, 0, 1});
  CHECK(argmax(x).item() == 1);
  const Tensor<float, Dyn<1>> zeros({70000});
  CHECK(argmax(zeros).item() == 0);
  CHECK(argmax(Tensor<float, Dyn<1>>::from({-0.0f, 0.0f}, {2})).item() == 0);
}

TEST_CASE("largest gives values and places in one pass, also of negative numbers and infinities") {
  const auto infinity = std::numeric_limits<double>::infinity();
  const auto x = Tensor<double, Dyn<2>>::from({-3, -1, -2, -infinity, -infinity, -infinity, 0, infinity, 1}, {3, 3});
  const auto both = largest<1>(x);
  CHECK(both.values.to_vector() == std::vector<double>{-1, -infinity, infinity});
  CHECK(both.places.to_vector() == std::vector<int>{1, 0, 1});
}

TEST_CASE("a NaN spreads into sums and is the largest value, the first one counting") {
  const auto x = Tensor<double, Dyn<2>>::from({1, not_a_number, 7, not_a_number,  //
                                               1, 2, 3, 4,                        //
                                               not_a_number, 9, 9, 9},
                                              {3, 4});
  CHECK(argmax<1>(x).to_vector() == std::vector<int>{1, 3, 0});
  CHECK(argmax<0>(x).to_vector() == std::vector<int>{2, 0, 2, 0});
  CHECK(argmax(x).item() == 1);
  const auto row_max = max<1>(x).to_vector(), row_sum = sum<1>(x).to_vector();
  CHECK(std::isnan(row_max[0]));
  CHECK(row_max[1] == 4);
  CHECK(std::isnan(row_max[2]));
  CHECK(std::isnan(row_sum[0]));
  CHECK(row_sum[1] == 10);
  CHECK(std::isnan(max(x).item()));
  CHECK(std::isnan(mean(x).item()));
}

TEST_CASE("bf16 is summed in float and rounded once") {
  const auto x = Tensor<bf16, Dyn<1>>::from(std::vector<bf16>(4096, 1.0f), {4096});  // 256 + 1 is 256 in bf16
  CHECK(static_cast<float>(sum(x).item()) == 4096);
  CHECK(static_cast<float>(mean(x).item()) == 1);
}

TEST_CASE("a long float sum keeps its digits") {
  const auto x = Tensor<float, Dyn<1>>::from(std::vector<float>(4'000'000, 0.1f), {4'000'000});
  CHECK(static_cast<double>(mean(x).item()) == doctest::Approx(0.1).epsilon(1e-5));
}

TEST_CASE("reductions give the same bits on any number of threads") {
  CHECK(same_on_threads<0>(normal<float>(Dyn<1>{70000}, 1)));
  CHECK(same_on_threads<0>(normal<float>(Dyn<2>{300, 40}, 2)));
  CHECK(same_on_threads<0>(normal<float>(Dyn<2>{9001, 3}, 3)));
  CHECK(same_on_threads<1>(normal<float>(Dyn<2>{5, 30001}, 4)));
  CHECK(same_on_threads<1>(normal<float>(Dyn<3>{2, 70, 601}, 5)));
  CHECK(same_on_threads<all_axes>(normal<bf16>(Dyn<3>{2, 70, 601}, 6)));
  CHECK(same_on_threads<all_axes>(exp(normal<float>(Dyn<2>{301, 1}, 7)) * normal<float>(Dyn<1>{503}, 8)));
}

TEST_CASE("a sum of nothing is zero, and nothing has no largest value") {
  const Tensor<float, Dyn<2>> no_rows({0, 3}), no_columns({3, 0});
  CHECK(sum<0>(no_rows).to_vector() == std::vector<float>(3, 0));
  CHECK(sum<1>(no_columns).to_vector() == std::vector<float>(3, 0));
  CHECK(sum(no_rows).item() == 0);
  CHECK(sum<1>(no_rows).size() == 0);
  CHECK(sum<0>(no_columns).size() == 0);
  CHECK(max<0>(no_columns).size() == 0);
  CHECK_THROWS_WITH_AS(static_cast<void>(max<0>(no_rows)), Contains("max: the reduced axis of [0, 3] is empty"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(argmax(no_rows)), Contains("is empty"), Error);
}
