// Broadcasting in expressions, against loops.
#include "../random_tensor.hpp"

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

/// Element (i, j, k) of a tensor aligned at the right with [I, J, K].
template <class S>
double element(const Tensor<double, S>& x, int i, int j, int k) {
  const int place[3] = {i, j, k};
  long offset = 0;
  for (int axis = 0; axis < S::rank; ++axis)
    offset = offset * x.extent(axis) + (x.extent(axis) == 1 ? 0 : place[axis + 3 - S::rank]);
  return x.data()[offset];
}

template <class A, class B>
void check_sum(const A& left, const B& right, const Dyn<3>& expected_shape) {
  const auto a = normal(left, 1);
  const auto b = normal(right, 2);
  const auto y = eval(a + b * 2);
  std::vector<double> expected;
  for (int i = 0; i < expected_shape[0]; ++i)
    for (int j = 0; j < expected_shape[1]; ++j)
      for (int k = 0; k < expected_shape[2]; ++k) expected.push_back(element(a, i, j, k) + element(b, i, j, k) * 2);
  CHECK(y.to_vector() == expected);
}

const Dyn<3> full{4, 3, 5};

}  // namespace

TEST_CASE("equal shapes") { check_sum(full, full, full); }
TEST_CASE("a row for every row") { check_sum(full, Dyn<1>{5}, full); }
TEST_CASE("a row for every image [B, 1, D]") { check_sum(full, Dyn<3>{4, 1, 5}, full); }
TEST_CASE("a number for every row [N, 1]") { check_sum(full, Dyn<2>{3, 1}, full); }
TEST_CASE("a number for every image [B, 1, 1]") { check_sum(full, Dyn<3>{4, 1, 1}, full); }
TEST_CASE("a table for every image [1, N, D]") { check_sum(full, Dyn<3>{1, 3, 5}, full); }
TEST_CASE("a scalar") { check_sum(full, Shape<>{}, full); }
TEST_CASE("one element of rank three") { check_sum(full, Dyn<3>{1, 1, 1}, full); }
TEST_CASE("a leading operand that is smaller") { check_sum(Dyn<1>{5}, full, full); }
TEST_CASE("both sides") { check_sum(Dyn<3>{4, 1, 5}, Dyn<2>{3, 1}, full); }
TEST_CASE("an outer sum of columns") { check_sum(Dyn<3>{4, 1, 1}, Dyn<3>{1, 3, 5}, full); }
TEST_CASE("extents of one on both sides") { check_sum(Dyn<3>{1, 3, 1}, Dyn<3>{1, 1, 5}, Dyn<3>{1, 3, 5}); }
TEST_CASE("static extents") { check_sum(Shape<dyn, 1, 5>{4}, Shape<3, 1>{}, full); }
TEST_CASE("rows longer than a piece of the loop") { check_sum(Dyn<3>{2, 3, 1000}, Dyn<2>{3, 1}, Dyn<3>{2, 3, 1000}); }

TEST_CASE("shapes that do not broadcast are an error that names both") {
  const auto a = normal(Dyn<2>{2, 3}, 1);
  const auto b = normal(Dyn<1>{4}, 2);
  CHECK_THROWS_WITH_AS(static_cast<void>(eval(a + b)), doctest::Contains("cannot broadcast [2, 3] with [4]"), Error);
}
