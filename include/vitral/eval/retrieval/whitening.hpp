// Whitening of features before they are compared (Jegou and Chum 2012), learned on other images, as DINO does it for
// Copydays (eval_copy_detection.py).
#pragma once

#include <vitral/backend/cpu/eigensystem.hpp>
#include <vitral/backend/cpu/matmul.hpp>
#include <vitral/eval/analyses/centred.hpp>
#include <vitral/eval/feature_rows.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// x -> axes (x - mean).
struct Whitening {
  std::vector<double> mean;  ///< [width]
  std::vector<double> axes;  ///< [width, width]
};

/// Learns it: the axes are the eigenvectors of X^T X / rows, each divided by the root of its eigenvalue. As in DINO's
/// code X is not centred there, and eigenvalues below 1e-5 of the largest count as that. Throws Error where there are
/// no rows, or one is not finite.
[[nodiscard]] inline Whitening learn_whitening(const Features& features) {
  check_features(features, "whitening: the features to learn from");
  const long images = features.images(), width = features.width;
  Whitening out{column_means(features), std::vector<double>(static_cast<std::size_t>(width * width))};
  const std::vector<double> x = centred<double>(features, std::vector<double>(static_cast<std::size_t>(width)));
  const auto rows = row_major(x.data(), images, width);
  const auto axes = row_major(out.axes.data(), width, width);
  cpu::matmul<double, double, double>(transposed(rows), rows, axes, false);
  std::vector<double> energy(static_cast<std::size_t>(width));
  cpu::symmetric_eigensystem(axes, energy.data());
  const double largest = energy[0] / static_cast<double>(images);
  check(largest > 0, "whitening: the features to learn from are all zero");
  for (long i = 0; i < width; ++i) {
    const double own = energy[static_cast<std::size_t>(i)] / static_cast<double>(images);
    const double length = std::sqrt(std::max(own, largest * 1e-5));
    for (long c = 0; c < width; ++c) axes(i, c) /= length;
  }
  return out;
}

/// The features, whitened. Throws Error where their width is another than that it was learned for.
[[nodiscard]] inline Features whitened(Features features, const Whitening& whitening) {
  const long width = std::ssize(whitening.mean), images = features.images();
  check(features.width == width, "whitening: features of width ", features.width,
        " by a whitening that was learned for ", width);
  const std::vector<double> x = centred<double>(features, whitening.mean);
  std::vector<double> y(x.size());
  cpu::matmul<double, double, double>(row_major(x.data(), images, width),
                                      transposed(row_major(whitening.axes.data(), width, width)),
                                      row_major(y.data(), images, width), false);
  features.rows.assign(y.begin(), y.end());
  return features;
}

}}  // namespace vitral
