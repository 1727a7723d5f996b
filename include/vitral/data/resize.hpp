// Resizing of a part of an image into three float planes, one pass down and one pass across, without aliasing: where an
// image shrinks, the filter widens with the scale (Fant, 1986), as in PIL and with torchvision's antialias=True.
#pragma once

#include <vitral/backend/views.hpp>
#include <vitral/core/error.hpp>
#include <vitral/io/image.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The same for all output pixels: the first input pixel and the weights of each.
struct AxisWeights {
  int taps = 0;
  std::vector<int> first;
  std::vector<float> weight;  // [out, taps]
};

inline AxisWeights axis_weights(const ResizeAxis& axis, Interpolation kind) {
  const AxisFilter filter(axis, kind);
  AxisWeights result;
  result.taps = filter.taps;
  result.first.resize(static_cast<std::size_t>(axis.out));
  result.weight.resize(static_cast<std::size_t>(axis.out) * static_cast<std::size_t>(filter.taps));
  float* weight = result.weight.data();
  for (int x = 0; x < axis.out; ++x, weight += filter.taps)
    result.first[static_cast<std::size_t>(x)] = filter.weights(x, weight);
  return result;
}

}  // namespace detail

/// Resizes the pixels of `crop` as the two axes say, into `planes` [3, down.out, across.out] with values in [0, 1].
/// Nothing outside of the crop is read; `flip` mirrors left and right.
inline void resize(const Image& image, const PixelBox& crop, const ResizeAxis& down, const ResizeAxis& across,
                   Interpolation kind, bool flip, float* planes) {
  const detail::AxisWeights rows = detail::axis_weights(down, kind);
  const detail::AxisWeights columns = detail::axis_weights(across, kind);
  const int line = crop.width * 3;
  const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(down.out) * across.out;
  std::vector<float> buffer(static_cast<std::size_t>(line) + 1);
  float* const mixed = buffer.data();

  for (int y = 0; y < down.out; ++y) {
    const std::uint8_t* from =
        image.rgb.data() +
        (static_cast<std::ptrdiff_t>(crop.top + rows.first[static_cast<std::size_t>(y)]) * image.width + crop.left) * 3;
    const float* weight = rows.weight.data() + static_cast<std::ptrdiff_t>(y) * rows.taps;
    std::fill_n(mixed, line, 0.0f);
    for (int t = 0; t < rows.taps; ++t, from += static_cast<std::ptrdiff_t>(image.width) * 3) {
      const float w = weight[t];
      if (w == 0) continue;
#pragma omp simd
      for (int x = 0; x < line; ++x) mixed[x] += w * static_cast<float>(from[x]);
    }
    float* out = planes + static_cast<std::ptrdiff_t>(y) * across.out;
    weight = columns.weight.data();
    for (int x = 0; x < across.out; ++x, weight += columns.taps) {
      const float* at = mixed + static_cast<std::ptrdiff_t>(columns.first[static_cast<std::size_t>(x)]) * 3;
      std::array<float, 4> sum{};  // three channels; the fourth sum makes it a vector, and is not used
      for (int t = 0; t < columns.taps; ++t, at += 3)
        for (std::size_t c = 0; c < 4; ++c) sum[c] += weight[t] * at[c];
      const int column = flip ? across.out - 1 - x : x;
      for (std::size_t c = 0; c < 3; ++c) out[column + static_cast<std::ptrdiff_t>(c) * plane] = sum[c];
    }
    for (int c = 0; c < 3; ++c, out += plane)
#pragma omp simd
      for (int x = 0; x < across.out; ++x)
        out[x] = std::min(std::max(out[x] / 255, 0.0f), 1.0f);  // the cubic filter overshoots at edges
  }
}

/// Resizes the pixels of `crop` to a square, `planes` [3, size, size] with values in [0, 1]. Error where the crop does
/// not lie inside the image.
inline void resize(const Image& image, const PixelBox& crop, int size, Interpolation kind, bool flip, float* planes) {
  check(crop.top >= 0 && crop.left >= 0 && crop.height > 0 && crop.width > 0 &&
            crop.top <= image.height - crop.height && crop.left <= image.width - crop.width,
        "a crop of ", crop.height, " x ", crop.width, " pixels at row ", crop.top, ", column ", crop.left,
        " does not lie inside an image of ", image.height, " x ", image.width);
  resize(image, crop, {crop.height, size, 0, size}, {crop.width, size, 0, size}, kind, flip, planes);
}

}}  // namespace vitral
VITRAL_KERNELS_END
