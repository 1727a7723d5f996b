// The directions that features vary in: principal component analysis, how many of them count, and projections.
#pragma once

#include <vitral/backend/cpu/eigensystem.hpp>
#include <vitral/backend/cpu/matmul.hpp>
#include <vitral/eval/analyses/centred.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Axes of unit length, at right angles to each other, along which features vary most, second most, ...
struct PrincipalAxes {
  std::vector<double> mean;      ///< [width]
  std::vector<double> variance;  ///< along each axis, divided by images - 1: [width]
  std::vector<double> axes;      ///< rows [width, width]; the largest number of each is positive, which fixes its sign

  [[nodiscard]] int width() const { return static_cast<int>(mean.size()); }
};

/// The principal axes of features [images, width], in double.
[[nodiscard]] inline PrincipalAxes principal_axes(const Features& features) {
  PrincipalAxes out{column_means(features), {}, {}};
  const long images = features.images(), width = features.width;
  const std::vector<double> x = centred<double>(features, out.mean);
  out.variance.resize(static_cast<std::size_t>(width));
  out.axes.resize(static_cast<std::size_t>(width * width));
  const auto rows = row_major(x.data(), images, width);
  const auto axes = row_major(out.axes.data(), width, width);
  cpu::matmul<double, double, double>(transposed(rows), rows, axes, false);
  cpu::symmetric_eigensystem(axes, out.variance.data());
  for (long i = 0; i < width; ++i) {
    double& variance = out.variance[static_cast<std::size_t>(i)];
    // As many images leave one fewer directions; what stands beyond is rounding.
    variance = i < images - 1 ? std::max(variance, 0.0) / static_cast<double>(images - 1) : 0;
    double* const axis = out.axes.data() + i * width;
    const auto less = [](double a, double b) { return std::abs(a) < std::abs(b); };
    if (*std::max_element(axis, axis + width, less) < 0)
      for (long c = 0; c < width; ++c) axis[c] = -axis[c];
  }
  return out;
}

/// The share of the whole variance that lies along each axis; all 0 where features are constant.
[[nodiscard]] inline std::vector<double> explained_variance(const PrincipalAxes& axes) {
  const double whole = std::accumulate(axes.variance.begin(), axes.variance.end(), 0.0);
  std::vector<double> out = axes.variance;
  for (double& share : out) share = whole > 0 ? share / whole : 0;
  return out;
}

/// exp of the entropy of the singular values' shares of their sum (Roy and Vetterli, "The effective rank", 2007), those
/// of the centred features: a common direction of all images does not count. Between 1 and the width; 0 where features
/// are constant.
[[nodiscard]] inline double effective_rank(const PrincipalAxes& axes) {
  double sum = 0, entropy = 0;
  for (const double variance : axes.variance) sum += std::sqrt(variance);
  for (const double variance : axes.variance)
    if (const double share = std::sqrt(variance) / sum; share > 0) entropy -= share * std::log(share);
  return sum > 0 ? std::exp(entropy) : 0;
}

/// Coordinates of features, those that the axes come from or others, along the first axes: rows [images, count].
[[nodiscard]] inline std::vector<float> project(const PrincipalAxes& axes, const Features& features, int count = 2) {
  check_features(features, "projection");
  const long images = features.images(), width = features.width;
  check(width == axes.width(), "projection: features have width ", width, ", the axes ", axes.width());
  check(count >= 1 && count <= width, "projection: ", count, " axes of ", width, " were asked for");
  const std::vector<double> x = centred<double>(features, axes.mean);
  std::vector<double> out(static_cast<std::size_t>(images * count));
  cpu::matmul<double, double, double>(row_major(x.data(), images, width),
                                      transposed(row_major(axes.axes.data(), count, width)),
                                      row_major(out.data(), images, count), false);
  return {out.begin(), out.end()};
}

}}  // namespace vitral
