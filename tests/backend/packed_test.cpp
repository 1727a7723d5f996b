// Products with a packed right operand against sums in double.
#include "../random_tensor.hpp"

#include <vitral/backend/cpu/packed.hpp>

#include <doctest/doctest.h>

#include <numeric>
#include <vector>

using namespace vitral_tests;

namespace {

struct Extents {
  int m, k, n;
};

/// The largest error of c = a b (+ c) + bias over the largest value.
template <class T, class C>
double error_of(const Extents& e, bool b_is_transposed, bool accumulate, bool with_bias) {
  using P = compute_t<T>;
  const auto a = normal<T>(Dyn<2>{e.m, e.k}, 1);
  const auto b = b_is_transposed ? normal<P>(Dyn<2>{e.n, e.k}, 2) : normal<P>(Dyn<2>{e.k, e.n}, 2);
  const auto c = normal<C>(Dyn<2>{e.m, e.n}, 3);
  const auto bias = normal<P>(Dyn<1>{e.n}, 4);
  // The numbers as doubles first: the sums below are most of the test's work.
  const std::vector<double> left = doubles(a), before = doubles(c), shift = doubles(bias);
  std::vector<double> right;
  for (int j = 0; j < e.n; ++j)
    for (int i = 0; i < e.k; ++i) {
      const P value = b_is_transposed ? b(j, i) : b(i, j);
      right.push_back(static_cast<double>(static_cast<P>(static_cast<T>(value))));  // packing rounds to T
    }
  std::vector<double> expected;
  for (int i = 0; i < e.m; ++i)
    for (int j = 0; j < e.n; ++j) {
      const double *const row = left.data() + static_cast<long>(i) * e.k, *const column = right.data() + long{j} * e.k;
      const auto at = static_cast<std::size_t>(i) * static_cast<std::size_t>(e.n) + static_cast<std::size_t>(j);
      const double start = (accumulate ? before[at] : 0) + (with_bias ? shift[static_cast<std::size_t>(j)] : 0);
      expected.push_back(std::inner_product(row, row + e.k, column, start));
    }
  cpu::PackedMatrix<T> packed;
  const Matrix<const P> rows = row_major<const P>(b.data(), b.extent(0), b.extent(1));
  packed.pack(b_is_transposed ? transposed(rows) : rows);
  packed.multiply(row_major<const T>(a.data(), e.m, e.k), row_major(c.data(), e.m, e.n), accumulate,
                  with_bias ? bias.data() : nullptr);
  return distance(doubles(c), expected);
}

template <class T, class C>
void check_products(double tolerance) {
  for (const Extents e : {Extents{1, 1, 1}, {1, 7, 5}, {3, 64, 17}, {65, 33, 48}, {130, 192, 100}, {260, 48, 192}})
    for (const bool transposed : {false, true})
      for (const bool accumulate : {false, true})
        for (const bool bias : {false, true}) {
          CAPTURE(e.m);
          CAPTURE(e.k);
          CAPTURE(e.n);
          CAPTURE(transposed);
          CAPTURE(accumulate);
          CAPTURE(bias);
          CHECK(error_of<T, C>(e, transposed, accumulate, bias) < tolerance);
        }
}

}  // namespace

TEST_CASE("packed products in double") { check_products<double, double>(1e-14); }
TEST_CASE("packed products in float") { check_products<float, float>(2e-6); }
TEST_CASE("packed products of bf16, kept in float") { check_products<bf16, float>(2e-6); }
TEST_CASE("packed products of bf16, rounded to bf16 once") { check_products<bf16, bf16>(4e-3); }

TEST_CASE("a packed matrix can be packed again, with other extents") {
  cpu::PackedMatrix<float> packed;
  const auto a = normal<float>(Dyn<2>{2, 3}, 1), small = normal<float>(Dyn<2>{3, 4}, 2);
  const auto large = normal<float>(Dyn<2>{3, 40}, 3);
  const Tensor<float, Dyn<2>> c({2, 40}), d({2, 4});
  packed.pack(row_major<const float>(large.data(), 3, 40));
  packed.multiply(row_major<const float>(a.data(), 2, 3), row_major(c.data(), 2, 40));
  packed.pack(row_major<const float>(small.data(), 3, 4));
  packed.multiply(row_major<const float>(a.data(), 2, 3), row_major(d.data(), 2, 4));
  CHECK(packed.cols() == 4);
  for (int j = 0; j < 4; ++j) {
    float sum = 0;
    for (int k = 0; k < 3; ++k) sum += a(1, k) * small(k, j);
    CHECK(d(1, j) == doctest::Approx(sum).epsilon(1e-5));
  }
}
