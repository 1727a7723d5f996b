// How alike two layers are, whatever their axes and scale: linear centred kernel alignment (Kornblith, Norouzi, Lee and
// Hinton, "Similarity of Neural Network Representations Revisited", 2019, equation 4).
#pragma once

#include <vitral/backend/cpu/matmul.hpp>
#include <vitral/eval/analyses/centred.hpp>

#include <cmath>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The sum of squares of X'Y, a matrix [x_width, y_width]; row i of both is image i.
inline double cross_squares(const std::vector<float>& x, long x_width, const std::vector<float>& y, long y_width) {
  const long images = static_cast<long>(x.size()) / x_width;
  std::vector<float> product(static_cast<std::size_t>(x_width * y_width));
  cpu::matmul<float, float, float>(transposed(row_major(x.data(), images, x_width)),
                                   row_major(y.data(), images, y_width), row_major(product.data(), x_width, y_width),
                                   false);
  double sum = 0;
  for (const float value : product) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

/// A layer's centred features, and the norm by which its similarities are divided.
struct CentredLayer {
  explicit CentredLayer(const Features& features)
      : rows(centred<float>(features, column_means(features))),
        width(features.width),
        norm(std::sqrt(cross_squares(rows, width, rows, width))) {}

  std::vector<float> rows;
  long width;
  double norm;
};

inline double cka(const CentredLayer& a, const CentredLayer& b) {
  const long images = static_cast<long>(a.rows.size()) / a.width, others = static_cast<long>(b.rows.size()) / b.width;
  check(images == others, "CKA: features of ", images, " and of ", others,
        " images; both must be of the same images in the same order");
  const double norms = a.norm * b.norm;
  return norms > 0 ? cross_squares(a.rows, a.width, b.rows, b.width) / norms : 0;
}

}  // namespace detail

/// Linear CKA of features of the same images, whose widths may differ: from 0 to 1, and 1 where one is the other
/// rotated and scaled. 0 where features are constant. Takes time in proportion to the images, not to their pairs.
[[nodiscard]] inline double cka(const Features& a, const Features& b) {
  return detail::cka(detail::CentredLayer(a), detail::CentredLayer(b));
}

/// CKA of every layer of `a` with every layer of `b`, of the same network or another: table[layer of a][layer of b].
[[nodiscard]] inline std::vector<std::vector<double>> cka_table(const std::vector<Features>& a,
                                                                const std::vector<Features>& b) {
  check(!a.empty() && !b.empty(), "CKA: features of ", a.size(), " and of ", b.size(),
        " layers; expected some of both");
  const std::vector<detail::CentredLayer> rows(a.begin(), a.end());
  std::vector<std::vector<double>> table(a.size(), std::vector<double>(b.size()));
  for (std::size_t j = 0; j < b.size(); ++j) {
    const detail::CentredLayer column(b[j]);
    for (std::size_t i = 0; i < a.size(); ++i)
      table[i][j] = &a == &b && i < j ? table[j][i] : detail::cka(rows[i], column);
  }
  return table;
}

}}  // namespace vitral
