// Colour operations on three planes of `count` floats in [0, 1]: torchvision's ColorJitter, grayscale and solarize.
#pragma once

#include <vitral/core/config.hpp>

#include <algorithm>
#include <cstddef>

namespace vitral::inline VITRAL_ABI {

/// The luma of ITU-R BT.601, by which PIL turns colour into gray.
[[nodiscard]] inline float luma(float red, float green, float blue) {
  return 0.299f * red + 0.587f * green + 0.114f * blue;
}

namespace detail {

inline float unit_clamp(float x) { return std::min(std::max(x, 0.0f), 1.0f); }

}  // namespace detail

/// Scales towards black (factor 0) or beyond white.
inline void adjust_brightness(float* planes, int count, float factor) {
  for (int i = 0; i < 3 * count; ++i) planes[i] = detail::unit_clamp(planes[i] * factor);
}

/// Scales the distance from the picture's mean luma.
inline void adjust_contrast(float* planes, int count, float factor) {
  const float* green = planes + count;
  const float* blue = planes + 2 * static_cast<std::ptrdiff_t>(count);
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += static_cast<double>(luma(planes[i], green[i], blue[i]));
  const float rest = static_cast<float>(sum / count) * (1 - factor);
  for (int i = 0; i < 3 * count; ++i) planes[i] = detail::unit_clamp(planes[i] * factor + rest);
}

/// Scales each pixel's distance from its own luma: 0 is gray.
inline void adjust_saturation(float* planes, int count, float factor) {
  float* green = planes + count;
  float* blue = planes + 2 * static_cast<std::ptrdiff_t>(count);
  for (int i = 0; i < count; ++i) {
    const float rest = luma(planes[i], green[i], blue[i]) * (1 - factor);
    planes[i] = detail::unit_clamp(planes[i] * factor + rest);
    green[i] = detail::unit_clamp(green[i] * factor + rest);
    blue[i] = detail::unit_clamp(blue[i] * factor + rest);
  }
}

/// Turns the hue of the HSV model by `turn` in [-1/2, 1/2] of the circle; saturation and value stay. The hue moves in
/// PIL's steps: 255 a circle and cut off, not rounded, which shifts colours by up to 14 of 255 on its own; the recipes
/// were published with it.
inline void adjust_hue(float* planes, int count, float turn) {
  float* red = planes;
  float* green = planes + count;
  float* blue = planes + 2 * static_cast<std::ptrdiff_t>(count);
  const float steps = static_cast<float>(static_cast<int>(turn * 255));
  // Selections instead of branches and conditional steps of 6 instead of fmod, so that the loop vectorises. A channel
  // is value - chroma * tent(k), where k runs round the circle of six sectors from the channel's own start.
  const auto channel = [](float value, float chroma, float k) {
    k = k >= 6 ? k - 6 : k;
    return value - chroma * detail::unit_clamp(std::min(k, 4 - k));
  };
  for (int i = 0; i < count; ++i) {
    const float r = red[i], g = green[i], b = blue[i];
    const float value = std::max(r, std::max(g, b));
    const float chroma = value - std::min(r, std::min(g, b));
    const float scale = 1 / std::max(chroma, 1e-20f);  // gray pixels: every difference below is 0
    const float from_red = (g - b) * scale;
    const float from_green = (b - r) * scale + 2;
    const float from_blue = (r - g) * scale + 4;
    const float high = value == g ? from_green : from_blue;
    float hue = value == r ? from_red : high;
    hue = hue < 0 ? hue + 6 : hue;
    float step = static_cast<float>(static_cast<int>(hue * (255.0f / 6))) + steps;
    step = step < 0 ? step + 256 : step;  // PIL's hues are bytes: a circle of 256 values, of which the last is the first
    step = step >= 256 ? step - 256 : step;
    hue = step * (6.0f / 255);
    hue = hue >= 6 ? 0 : hue;
    red[i] = channel(value, chroma, hue + 5);
    green[i] = channel(value, chroma, hue + 3);
    blue[i] = channel(value, chroma, hue + 1);
  }
}

/// Replaces the three channels by their luma.
inline void to_grayscale(float* planes, int count) {
  float* green = planes + count;
  float* blue = planes + 2 * static_cast<std::ptrdiff_t>(count);
  for (int i = 0; i < count; ++i) planes[i] = green[i] = blue[i] = luma(planes[i], green[i], blue[i]);
}

/// Inverts every value that is not below `threshold`.
inline void solarize(float* planes, int count, float threshold) {
  for (int i = 0; i < 3 * count; ++i) planes[i] = planes[i] < threshold ? planes[i] : 1 - planes[i];
}

}  // namespace vitral::inline VITRAL_ABI
