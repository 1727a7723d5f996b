// What a backend is held against: plain loops in double on the host, and how numbers get to the backend and back.
#pragma once

#include <vitral/backend/backend.hpp>
#include <vitral/tensor/tensor.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <tuple>
#include <vector>

namespace conformance {

using namespace vitral;

template <class B, class T>
struct On {
  static_assert(Backend<B> && BackendFor<B, T>);
  using Backend_ = B;
  using Scalar = T;
};
/// A backend with each scalar type, for TEST_CASE_TEMPLATE_APPLY.
template <class B>
using WithEachType = std::tuple<On<B, float>, On<B, double>, On<B, bf16>>;

/// Values on the host, as the backend's scalar type has rounded them.
using Numbers = std::vector<double>;
inline auto at(long i) { return static_cast<std::size_t>(i); }

template <class B, class T>
using Memory = Tensor<T, Shape<dyn>, B>;

template <class B, class T>
Memory<B, T> put(const Numbers& numbers) {
  std::vector<T> values(numbers.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<compute_t<T>>(numbers[i]);
  return Memory<B, T>::from(values, {static_cast<int>(values.size())});
}
template <class T, class S, class B>
Numbers take(const Tensor<T, S, B>& x) {
  Numbers numbers;
  for (const T& value : x.to_vector()) numbers.push_back(static_cast<double>(value));
  return numbers;
}
template <class T>
Numbers normal(long count, std::uint64_t stream) {
  Numbers numbers(at(count));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = static_cast<double>(static_cast<T>(static_cast<compute_t<T>>(Random{7, stream, 0}.normal(i))));
  return numbers;
}

template <class T>
double tolerance() {
  return std::is_same_v<T, double> ? 1e-8 : std::is_same_v<T, float> ? 3e-5 : 4e-2;
}

/// The largest difference, relative where the expected value is above 1; infinite where it is no number.
inline double gap(const Numbers& a, const Numbers& b) {
  if (a.size() != b.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(a[i] - b[i]) / (1 + std::fabs(b[i]));
    worst = difference <= worst ? worst : std::isnan(difference) ? INFINITY : difference;
  }
  return worst;
}

inline double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// The gradient of loss(x), by central differences.
template <class F>
Numbers slope(F&& loss, Numbers x) {
  Numbers out(x.size());
  constexpr double h = 1e-5;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double keep = x[i];
    x[i] = keep + h;
    const double above = loss(x);
    x[i] = keep - h;
    out[i] = (above - loss(x)) / (2 * h);
    x[i] = keep;
  }
  return out;
}

/// run(gradient, add) overwrites what is there, or adds to it.
template <class B, class T, class F>
void check_gradient(const Numbers& expected, F&& run) {
  for (const bool add : {false, true}) {
    const auto gradient = put<B, T>(Numbers(expected.size(), add ? 1 : 99));
    run(gradient.data(), add);
    Numbers sum = expected;
    for (double& value : sum) value += add ? 1 : 0;
    CAPTURE(add);
    CHECK(gap(take(gradient), sum) < tolerance<T>());
  }
}

inline double gelu_of(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

/// f on each row.
template <class F>
Numbers by_row(const Numbers& x, long cols, F&& f) {
  Numbers y;
  for (auto row = x.begin(); row != x.end(); row += cols)
    for (const double value : f(Numbers(row, row + cols))) y.push_back(value);
  return y;
}
inline Numbers softmax_of(Numbers row) {
  double sum = 0;
  for (double& value : row) sum += value = std::exp(value);
  for (double& value : row) value /= sum;
  return row;
}

/// (x - mean) / sqrt(variance + eps) * gamma + beta, gamma and beta [size] or one number each.
inline Numbers normalized(Numbers row, const Numbers& gamma, const Numbers& beta, double eps) {
  const double n = static_cast<double>(row.size());
  double mean = 0, variance = 0;
  for (const double value : row) mean += value / n;
  for (const double value : row) variance += (value - mean) * (value - mean) / n;
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = (row[i] - mean) / std::sqrt(variance + eps) * gamma[i % gamma.size()] + beta[i % beta.size()];
  return row;
}

inline Numbers transposed_of(const Numbers& x, long rows, long cols) {
  Numbers y(x.size());
  for (long i = 0; i < rows; ++i)
    for (long j = 0; j < cols; ++j) y[at(j * rows + i)] = x[at(i * cols + j)];
  return y;
}

inline Numbers product(const Numbers& a, const Numbers& b, long m, long k, long n) {
  Numbers c(at(m * n));
  for (long i = 0; i < m; ++i)
    for (long j = 0; j < n; ++j)
      for (long l = 0; l < k; ++l) c[at(i * n + j)] += a[at(i * k + l)] * b[at(l * n + j)];
  return c;
}

/// Shapes with rows that are read in wide pieces and that are not, of one part and of many.
struct Rows {
  long rows, cols;
};
inline constexpr Rows row_shapes[] = {{1, 8}, {9, 13}, {70, 24}, {3, 1000}, {3000, 16}, {700, 200}, {2500, 7}};

/// f(rows, cols, shift) for each of them, and for addresses `shift` elements behind the start of an allocation.
template <class F>
void for_row_shapes(F&& f) {
  for (const Rows& shape : row_shapes)
    for (const long shift : {0, 1}) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      CAPTURE(shift);
      f(shape.rows, shape.cols, shift);
    }
}

/// As put, but beginning `shift` elements behind the start of an allocation; and as take.
template <class B, class T>
Memory<B, T> put_shifted(Numbers numbers, long shift) {
  numbers.insert(numbers.begin(), at(shift), 5.0);
  return put<B, T>(numbers);
}
template <class T, class B>
Numbers take_shifted(const Memory<B, T>& memory, long shift) {
  const Numbers all = take(memory);
  return Numbers(all.begin() + shift, all.end());
}
inline Numbers column_sums_of(const Numbers& x, long cols) {
  Numbers sums(at(cols));
  for (std::size_t i = 0; i < x.size(); ++i) sums[i % at(cols)] += x[i];
  return sums;
}

}  // namespace conformance
