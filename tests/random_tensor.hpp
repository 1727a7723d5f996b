// Tensors of seeded random numbers, for tests.
#pragma once

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/tensor/evaluate.hpp>

#include <limits>

namespace vitral_tests {

using namespace vitral;

/// A shape of run-time extents: of<2>.
template <int... I>
auto dynamic_shape(std::integer_sequence<int, I...>) -> Shape<(static_cast<void>(I), dyn)...>;
template <int Rank>
using Dyn = decltype(dynamic_shape(std::make_integer_sequence<int, Rank>{}));

/// Standard normal numbers; each stream gives others.
template <class T = double, class S>
Tensor<T, S> normal(const S& shape, std::uint64_t stream) {
  const Random random{2111, stream, 0};
  std::vector<T> values(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(static_cast<compute_t<T>>(random.normal(i)));
  return Tensor<T, S>::from(values, shape);
}

/// The same numbers as doubles.
template <class T, class S>
std::vector<double> doubles(const Tensor<T, S>& x) {
  std::vector<double> out;
  for (const T& value : x.to_vector()) out.push_back(static_cast<double>(static_cast<compute_t<T>>(value)));
  return out;
}

/// max |a - b| / max |b|, or max |a| where b is zero; infinity where the sizes differ or a number is NaN.
inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) || std::isnan(b[i])) return std::numeric_limits<double>::infinity();
    if (a[i] != b[i]) difference = std::max(difference, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(b[i]));
  }
  return difference / (scale > 0 ? scale : 1);
}

/// Central differences of step 1e-5 in double are good for about 1e-9; a wrong derivative is wrong by far more than
/// this.
inline constexpr double gradient_tolerance = 1e-7;

}  // namespace vitral_tests
