// Gaussian blur of square float planes, one pass across and one down, with the border's pixels repeated outwards.
#pragma once

#include <vitral/backend/pixels.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// out[x] = sum over t of weight[t] * in(t)[x] for x in [from, to). `block` sums are formed at a time: they fit the
/// registers, and are enough to keep the multipliers busy.
template <int block, class Row>
void mix_blocks(const std::vector<float>& weight, int from, int to, const Row& in, float* out) {
  for (int x = from; x < to; x += block) {
    std::array<float, block> sum{};
    for (std::size_t t = 0; t < weight.size(); ++t) {
      const float w = weight[t];
      const float* row = in(static_cast<int>(t)) + x;
#pragma omp simd
      for (std::size_t i = 0; i < block; ++i) sum[i] += w * row[i];
    }
    std::copy_n(sum.data(), std::min(block, to - x), out + x);
  }
}

/// The same for x in [0, width). Rows must be readable up to the next multiple of 16.
template <class Row>
void mix_rows(const std::vector<float>& weight, int width, const Row& in, float* out) {
  const int wide = width / 64 * 64;
  mix_blocks<64>(weight, 0, wide, in, out);
  mix_blocks<16>(weight, wide, width, in, out);
}

}  // namespace detail

/// Blurs each of `planes` [channels, size, size] in place by a Gaussian of standard deviation `sigma` pixels, which
/// ends at 3 sigma and has sum 1.
inline void gaussian_blur(float* planes, int channels, int size, double sigma) {
  const int radius = detail::blur_radius(sigma);
  std::vector<float> weight(static_cast<std::size_t>(2 * radius + 1));
  double sum = 0;
  for (int t = -radius; t <= radius; ++t) sum += detail::blur_weight(t, sigma);
  for (int t = -radius; t <= radius; ++t)
    weight[static_cast<std::size_t>(t + radius)] = static_cast<float>(detail::blur_weight(t, sigma) / sum);

  const std::ptrdiff_t stride = (size + 15) / 16 * 16;
  std::vector<float> line(static_cast<std::size_t>(stride + 2 * radius));
  std::vector<float> across(static_cast<std::size_t>(stride * size));
  for (int c = 0; c < channels; ++c) {
    float* plane = planes + static_cast<std::ptrdiff_t>(c) * size * size;
    for (int y = 0; y < size; ++y) {
      const float* row = plane + static_cast<std::ptrdiff_t>(y) * size;
      std::fill_n(line.data(), radius, row[0]);
      std::copy_n(row, size, line.data() + radius);
      std::fill_n(line.data() + radius + size, radius, row[size - 1]);
      detail::mix_rows(
          weight, size, [&](int t) { return line.data() + t; }, across.data() + y * stride);
    }
    for (int y = 0; y < size; ++y) {
      const auto row = [&](int t) { return across.data() + std::clamp(y + t - radius, 0, size - 1) * stride; };
      detail::mix_rows(weight, size, row, plane + static_cast<std::ptrdiff_t>(y) * size);
    }
  }
}

}}  // namespace vitral
VITRAL_KERNELS_END
