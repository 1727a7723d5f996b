// What analyses of a layer's geometry begin with: the features less the mean of each column.
#pragma once

#include <vitral/eval/features.hpp>

#include <cmath>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Throws Error where there are fewer than two images, or a number is not finite.
inline void check_analysable(const Features& features) {
  check(features.images() >= 2, "an analysis of features needs two images or more, not ", features.images());
  check_features(features, "an analysis of features");
}

/// The mean of each column, exact where a column is constant. Throws as check_analysable does.
[[nodiscard]] inline std::vector<double> column_means(const Features& features) {
  check_analysable(features);
  const long images = features.images(), width = features.width;
  std::vector<double> mean(static_cast<std::size_t>(width));
  const float* const first = features.rows.data();  // summed are differences from this row: 0 in constant columns
  for (long i = 0; i < images; ++i)
    for (long c = 0; c < width; ++c)
      mean[static_cast<std::size_t>(c)] += static_cast<double>(first[i * width + c]) - static_cast<double>(first[c]);
  for (long c = 0; c < width; ++c) {
    double& at = mean[static_cast<std::size_t>(c)];
    at = at / static_cast<double>(images) + static_cast<double>(first[c]);
  }
  return mean;
}

/// The features less `mean`, as floats or doubles: [images, width].
template <class T>
[[nodiscard]] std::vector<T> centred(const Features& features, const std::vector<double>& mean) {
  std::vector<T> out(features.rows.size());
  for (std::size_t i = 0; i < out.size(); i += mean.size())
    for (std::size_t c = 0; c < mean.size(); ++c)
      out[i + c] = static_cast<T>(static_cast<double>(features.rows[i + c]) - mean[c]);
  return out;
}

}}  // namespace vitral
