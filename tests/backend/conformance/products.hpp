// Cases of products, their epilogues and the gradients of these.
#pragma once

#include "reference.hpp"

#include <vitral/core/math.hpp>
#include <vitral/tensor/reduce.hpp>

#include <algorithm>

namespace conformance {

TEST_CASE_TEMPLATE_DEFINE("a backend multiplies matrices and transposed ones, and adds", X, matmul_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  constexpr long m = 37, k = 20, n = 18;
  const Numbers a = normal<T>(m * k, 1), b = normal<T>(k * n, 2), expected = product(a, b, m, k, n);
  const auto a_rows = put<B, T>(a), b_rows = put<B, T>(b);
  const auto a_cols = put<B, T>(transposed_of(a, m, k)), b_cols = put<B, T>(transposed_of(b, k, n));
  for (const bool a_plain : {true, false})
    for (const bool b_plain : {true, false}) {
      CAPTURE(a_plain);
      CAPTURE(b_plain);
      const auto left = a_plain ? row_major(a_rows.data(), m, k) : transposed(row_major(a_cols.data(), k, m));
      const auto right = b_plain ? row_major(b_rows.data(), k, n) : transposed(row_major(b_cols.data(), n, k));
      check_gradient<B, T>(expected, [&](T* c, bool add) { B::matmul(left, right, row_major(c, m, n), add); });
    }

  const auto wide = put<B, compute_t<T>>(Numbers(m * n));
  B::matmul(row_major(a_rows.data(), m, k), row_major(b_rows.data(), k, n), row_major(wide.data(), m, n), false);
  CHECK(gap(take(wide), expected) < 3e-5);
}

TEST_CASE_TEMPLATE_DEFINE("a backend adds a bias and applies an activation, keeping its argument or not", X,
                          epilogue_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  constexpr long m = 37, k = 20;
  // CUDA has GELU in the product for widths that 8 divides; the emulated device refuses a bias for two of these.
  for (const long n : {18, 24, 40, 56})
    for (const Activation activation : {Activation::none, Activation::relu, Activation::gelu})
      for (const bool keep : {true, false}) {
        CAPTURE(n);
        CAPTURE(static_cast<int>(activation));
        CAPTURE(keep);
        const Numbers a = normal<T>(m * k, 1), b = normal<T>(k * n, 2), bias = normal<compute_t<T>>(n, 3);
        const auto left = put<B, T>(a), right = put<B, T>(b);
        const auto c = put<B, T>(Numbers(at(m * n), 1)), pre = put<B, T>(Numbers(at(m * n)));
        const auto shift = put<B, compute_t<T>>(bias);
        B::matmul(row_major(left.data(), m, k), row_major(right.data(), k, n), row_major(c.data(), m, n), true,
                  Epilogue<T>{shift.data(), activation, keep ? pre.data() : nullptr});
        Numbers before = product(a, b, m, k, n);
        for (std::size_t i = 0; i < before.size(); ++i) before[i] += 1 + bias[i % at(n)];
        Numbers after = before;
        for (double& value : after)
          value = activation == Activation::gelu   ? gelu_of(value)
                  : activation == Activation::relu ? std::max(value, 0.0)
                                                   : value;
        CHECK(gap(take(c), after) < tolerance<T>());
        CHECK(gap(take(pre), keep ? before : Numbers(at(m * n))) < tolerance<T>());
      }
}

TEST_CASE_TEMPLATE_DEFINE("a backend sums columns, by itself where it offers that", X, column_sums_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  using P = compute_t<T>;
  for_row_shapes([](long rows, long cols, long shift) {
    const Numbers x = normal<T>(rows * cols, 6), expected = column_sums_of(x, cols);
    const auto in = put_shifted<B, T>(x, shift);
    if constexpr (OffersColumnSums<B, T>)
      check_gradient<B, P>(expected,
                           [&](P* sums, bool add) { B::column_sums(in.data() + shift, rows, cols, sums, add); });
    else
      CHECK_MESSAGE(B::on_host, "a device adds the rows of a matrix up for each bias");
    if (shift == 0) {
      const Tensor<T, Shape<dyn, dyn>, B> matrix(in.buffer(), {static_cast<int>(rows), static_cast<int>(cols)});
      CHECK(gap(take(sum<0>(matrix)), expected) < tolerance<T>());
      Numbers means = expected;
      for (double& value : means) value /= static_cast<double>(rows);
      CHECK(gap(take(mean<0>(matrix)), means) < tolerance<T>());
    }
  });
}

TEST_CASE_TEMPLATE_DEFINE("a backend that offers it applies GELU's gradient and sums its columns", X, gelu_gradient_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  using P = compute_t<T>;
  const auto slope_of = [](double x) {
    if (!std::is_same_v<T, bf16>) return math::gelu_grad(x);
    const double t = std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x));  // as products have it
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / std::acos(-1.0)) * (1 + 3 * 0.044715 * x * x);
  };
  for_row_shapes([&](long rows, long cols, long shift) {
    const Numbers up = normal<T>(rows * cols, 8);
    Numbers pre = normal<T>(rows * cols, 9);
    for (double& value : pre) value = static_cast<double>(static_cast<T>(static_cast<P>(2 * value)));
    const auto dy = put<B, T>(up), argument = put_shifted<B, T>(pre, shift);
    if constexpr (OffersGeluGradient<B, T>) {
      Numbers expected = up, rounded(up.size());
      for (std::size_t i = 0; i < up.size(); ++i) expected[i] *= slope_of(pre[i]);
      P* const none = nullptr;
      const auto dx = put<B, T>(Numbers(up.size()));
      B::gelu_gradient(dy.data(), argument.data() + shift, dx.data(), rows, cols, none, false);
      const Numbers separate = take(dx);
      double worst = 0;  // relative, for the sake of the slope where it is small
      for (std::size_t i = 0; i < up.size(); ++i)
        worst = std::max(worst, std::fabs(separate[i] - expected[i]) / (1e-4 + std::fabs(expected[i])));
      CHECK(worst < (std::is_same_v<T, bf16> ? 5e-3 : 1e-3));
      check_gradient<B, P>(column_sums_of(separate, cols), [&](P* sums, bool add) {
        B::copy(put<B, T>(up).data(), dy.data(), rows * cols);
        B::gelu_gradient(dy.data(), argument.data() + shift, dy.data(), rows, cols, sums, add);
      });
      CHECK(take(dy) == separate);
    } else {
      CHECK(B::on_host);
    }
  });
}

TEST_CASE_TEMPLATE_DEFINE("a backend multiplies batches", X, batched_matmul_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  constexpr long m = 5, k = 7, n = 6, count = 3;
  const Numbers a = normal<T>(count * m * k, 4), b = normal<T>(k * n, 5);
  Numbers expected;
  for (long i = 0; i < count; ++i)
    for (const double value : product(Numbers(a.begin() + i * m * k, a.end()), b, m, k, n)) expected.push_back(value);
  const auto left = put<B, T>(a), right = put<B, T>(b);
  check_gradient<B, T>(expected, [&](T* c, bool add) {
    B::batched_matmul(MatrixBatch<T>{row_major(left.data(), m, k), count, m * k},
                      MatrixBatch<T>{row_major(right.data(), k, n), count, 0},
                      MatrixBatch<T>{row_major(c, m, n), count, m * n}, add);
  });
}

}  // namespace conformance
