// Position embeddings resized from one grid of patches to another, for images of other sizes, in each of the ways in
// which the published networks do it. Bicubic interpolation is Keys' (1981), as PyTorch's `interpolate` computes it.
#pragma once

#include <vitral/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Whose position embeddings a network has. That says how they start, whether they are trained, and how they become
/// those of another grid of patches.
enum class PositionKind {
  moco_v3,  ///< fixed sines and cosines, made anew for each grid; numbers that are none are resized as DeiT's
  deit,     ///< learned; bicubic, as DeiT and MAE resize theirs
  dino,     ///< learned; bicubic, by the factor (patches + 0.1) / grid, as DINO and DINOv2 without registers do
  timm      ///< learned; bicubic with antialiasing, as timm and DINOv2 with registers do
};

namespace detail {

/// Keys' cubic filter at x.
inline double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// A place of the old axis, and its share in one of the new axis.
struct Share {
  int place;
  double weight;
};

/// What each of `to` places of an axis takes from one of `from` places. The centres of the outer places stay half a
/// place from the border, which is repeated outside; with antialiasing there is nothing outside.
inline std::vector<std::vector<Share>> bicubic_shares(int from, int to, PositionKind how) {
  std::vector<std::vector<Share>> out(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    std::vector<Share>& shares = out[static_cast<std::size_t>(i)];
    const double centre = (i + 0.5) * from / (how == PositionKind::dino ? to + 0.1 : to);
    if (how != PositionKind::timm) {
      const int first = static_cast<int>(std::floor(centre - 0.5)) - 1;
      for (int place = first; place < first + 4; ++place)
        shares.push_back({std::clamp(place, 0, from - 1), cubic(centre - 0.5 - place, -0.75)});
      continue;
    }
    const double width = std::max(1.0, static_cast<double>(from) / to);  // of the filter: wider where places get fewer
    const int first = std::max(0, static_cast<int>(std::floor(centre - 2 * width + 0.5))),
              last = std::min(from, static_cast<int>(std::floor(centre + 2 * width + 0.5)));
    double sum = 0;
    for (int place = first; place < last; ++place) {
      shares.push_back({place, cubic((place + 0.5 - centre) / width, -0.5)});
      sum += shares.back().weight;
    }
    for (Share& share : shares) share.weight /= sum;
  }
  return out;
}

}  // namespace detail

/// table [grid * grid, width] -> [rows * columns, width], resized as `how` says, moco_v3 as deit; a table that fits
/// stays as it is. Throws Error where the table has another size.
[[nodiscard]] inline std::vector<double> resized_positions(const std::vector<double>& table, int grid, int rows,
                                                           int columns, int width,
                                                           PositionKind how = PositionKind::deit) {
  check(table.size() == static_cast<std::size_t>(long{grid} * grid * width) && rows >= 1 && columns >= 1,
        "positions: ", table.size(), " numbers, expected ", width, " for each of ", grid, " x ", grid,
        " patches, to be resized to 1 x 1 or more, not ", rows, " x ", columns);
  if (rows == grid && columns == grid) return table;
  const auto across = detail::bicubic_shares(grid, columns, how);
  std::vector<double> out(static_cast<std::size_t>(long{rows} * columns * width));
  double* to = out.data();
  for (const auto& down : detail::bicubic_shares(grid, rows, how))
    for (const auto& along : across) {
      for (const detail::Share& row : down)
        for (const detail::Share& column : along) {
          const double* const from = table.data() + (long{row.place} * grid + column.place) * width;
          const double weight = row.weight * column.weight;
          for (int c = 0; c < width; ++c) to[c] += weight * from[c];
        }
      to += width;
    }
  return out;
}

}}  // namespace vitral
