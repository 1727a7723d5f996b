// Principal component analysis of features: along which directions they vary, how many of these count, and projections.
#pragma once

#include <vitral/backend/cpu/eigensystem.hpp>
#include <vitral/backend/cpu/matmul.hpp>
#include <vitral/eval/analyses/centred.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Axes of unit length at right angles to each other: features vary most along the first, then along the second, ...
struct PrincipalAxes {
  std::vector<double> mean;      ///< [width]
  std::vector<double> variance;  ///< along each axis, divided by images - 1: [width]
  std::vector<double> axes;      ///< [width, width], a row each; its largest number is positive, which fixes the sign

  [[nodiscard]] int width() const { return static_cast<int>(mean.size()); }
};

/// The principal axes of features. Throws as check_analysable does.
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
    // Centred features of n images vary in n - 1 directions at most; variance beyond these is rounding.
    variance = i < images - 1 ? std::max(variance, 0.0) / static_cast<double>(images - 1) : 0;
    double* const axis = out.axes.data() + i * width;
    const auto less = [](double a, double b) { return std::abs(a) < std::abs(b); };
    if (*std::max_element(axis, axis + width, less) < 0)
      for (long c = 0; c < width; ++c) axis[c] = -axis[c];
  }
  return out;
}

/// The share of the variance that lies along each axis: [width]; all 0 where features are constant.
[[nodiscard]] inline std::vector<double> explained_variance(const PrincipalAxes& axes) {
  const double whole = std::accumulate(axes.variance.begin(), axes.variance.end(), 0.0);
  std::vector<double> out = axes.variance;
  for (double& share : out) share = whole > 0 ? share / whole : 0;
  return out;
}

/// The effective rank (Roy and Vetterli 2007): exp of the entropy of the singular values' shares of their sum. Features
/// are centred, so a direction that all images share does not count. From 1 to the width; 0 where features are
/// constant.
[[nodiscard]] inline double effective_rank(const PrincipalAxes& axes) {
  double sum = 0, entropy = 0;
  for (const double variance : axes.variance) sum += std::sqrt(variance);
  for (const double variance : axes.variance)
    if (const double share = std::sqrt(variance) / sum; share > 0) entropy -= share * std::log(share);
  return sum > 0 ? std::exp(entropy) : 0;
}

/// Coordinates of features along the first `count` axes: [images, count]. They may be others than those that the axes
/// were found from, of the same width.
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
