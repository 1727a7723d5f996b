// Whitening as DINO's eval_copy_detection.py has it: products of whitened features are those of (x - m) C^-1 (y - m).
#include "../../random_tensor.hpp"

#include <vitral/eval/retrieval/whitening.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

TEST_CASE("whitened products are those of the inverse second moments around the mean") {
  // Two numbers a row, so that the inverse is the textbook's.
  const Features known{{1, 2, 3, -1, 0.5f, 4, -2, 1, 2, 2}, 2, {}, 0};
  double a = 0, b = 0, d = 0, first = 0, second = 0;
  for (std::size_t i = 0; i < 10; i += 2) {
    const double x = known.rows[i], y = known.rows[i + 1];
    a += x * x / 5, b += x * y / 5, d += y * y / 5;  // not centred, as there
    first += x / 5, second += y / 5;
  }
  const double determinant = a * d - b * b;
  const Features asked{{1, 1, -3, 0.25f}, 2, {}, 0};
  const Features found = whitened(asked, learn_whitening(known));
  const auto expected = [&](std::size_t i, std::size_t j) {
    const double x0 = asked.rows[2 * i] - first, x1 = asked.rows[2 * i + 1] - second, y0 = asked.rows[2 * j] - first,
                 y1 = asked.rows[2 * j + 1] - second;
    return (d * x0 * y0 - b * (x0 * y1 + x1 * y0) + a * x1 * y1) / determinant;
  };
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j)
      CHECK(found.rows[2 * i] * found.rows[2 * j] + found.rows[2 * i + 1] * found.rows[2 * j + 1] ==
            doctest::Approx(expected(i, j)).epsilon(1e-5));
}

TEST_CASE("directions with next to no energy are not blown up") {
  const Features flat{{1, 0, 2, 0, 3, 0}, 2, {}, 0};
  const Features found = whitened({{0, 1}, 2, {}, 0}, learn_whitening(flat));
  // 1e-5 of the largest eigenvalue, 14 / 3, is what stands in for 0.
  CHECK(std::abs(found.rows[1]) == doctest::Approx(1 / std::sqrt(14 / 3.0 * 1e-5)).epsilon(1e-4));
}

TEST_CASE("features of another width, and rows of zeros, are refused") {
  const Whitening of_two = learn_whitening({{1, 2, 3, 5}, 2, {}, 0});
  CHECK_THROWS_WITH_AS(static_cast<void>(whitened({{1, 2, 3}, 3, {}, 0}, of_two)),
                       "vitral: whitening: features of width 3 by a whitening that was learned for 2", Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(learn_whitening({{0, 0, 0, 0}, 2, {}, 0})),
                       "vitral: whitening: the features to learn from are all zero", Error);
}
