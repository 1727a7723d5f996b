// Position embeddings resized from one grid of patches to another, for images of other sizes. As DINO's code does it;
// timm's antialiases.
#pragma once

#include <vitral/core/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Weights of the four pixels at floor(at) - 1 to floor(at) + 2: Keys' cubic filter (1981) with a = -3/4, as PyTorch.
inline std::array<double, 4> cubic_weights(double at) {
  const double t = at - std::floor(at);
  const auto inner = [](double x) { return (1.25 * x - 2.25) * x * x + 1; };
  const auto outer = [](double x) { return ((-0.75 * x + 3.75) * x - 6) * x + 3; };
  return {outer(t + 1), inner(t), inner(1 - t), outer(2 - t)};
}

}  // namespace detail

/// table [grid * grid, width] -> [rows * columns, width], by bicubic interpolation. The centres of the outer pixels
/// stay half a pixel from the border, which is repeated outside. Throws Error where the table has another size.
[[nodiscard]] inline std::vector<double> resized_positions(const std::vector<double>& table, int grid, int rows,
                                                           int columns, int width) {
  check(table.size() == static_cast<std::size_t>(long{grid} * grid * width) && rows >= 1 && columns >= 1,
        "positions: ", table.size(), " numbers, expected ", width, " for each of ", grid, " x ", grid,
        " patches, to be resized to 1 x 1 or more, not ", rows, " x ", columns);
  std::vector<double> out(static_cast<std::size_t>(long{rows} * columns * width));
  double* to = out.data();
  for (int row = 0; row < rows; ++row) {
    const double y = (row + 0.5) * grid / rows - 0.5;
    const auto down = detail::cubic_weights(y);
    for (int column = 0; column < columns; ++column, to += width) {
      const double x = (column + 0.5) * grid / columns - 0.5;
      const auto across = detail::cubic_weights(x);
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) {
          const long from_row = std::clamp(static_cast<int>(std::floor(y)) - 1 + i, 0, grid - 1),
                     from_column = std::clamp(static_cast<int>(std::floor(x)) - 1 + j, 0, grid - 1);
          const double* const from = table.data() + (from_row * grid + from_column) * width;
          const double weight = down[static_cast<std::size_t>(i)] * across[static_cast<std::size_t>(j)];
          for (int c = 0; c < width; ++c) to[c] += weight * from[c];
        }
    }
  }
  return out;
}

}}  // namespace vitral
