// Colour operations on three planes of `count` floats in [0, 1]: torchvision's ColorJitter, grayscale and solarize.
#pragma once

#include <vitral/core/config.hpp>

#include <cstddef>

namespace vitral { inline namespace VITRAL_ABI {

// What is done to a pixel is written once, for the host, where F is float, and for kernels, which bring a type of their
// own.

/// The luma of ITU-R BT.601, by which PIL turns colour into gray.
template <class F>
[[nodiscard]] VITRAL_SIMD F luma(F red, F green, F blue) {
  return 0.299f * red + 0.587f * green + 0.114f * blue;
}

namespace detail {

template <class F>
VITRAL_SIMD F lesser(F a, F b) {
  return b < a ? b : a;
}
template <class F>
VITRAL_SIMD F greater(F a, F b) {
  return a < b ? b : a;
}
template <class F>
VITRAL_SIMD F unit_clamp(F x) {
  return lesser(greater(x, F(0)), F(1));
}

/// Scales the pixel's distance from its luma.
template <class F>
VITRAL_SIMD void saturate(F& red, F& green, F& blue, F factor) {
  const F rest = luma(red, green, blue) * (1 - factor);
  red = unit_clamp(red * factor + rest);
  green = unit_clamp(green * factor + rest);
  blue = unit_clamp(blue * factor + rest);
}

/// A turn of the circle in PIL's steps of the hue.
VITRAL_HD inline float hue_steps(float turn) { return static_cast<float>(static_cast<int>(turn * 255)); }

/// A channel is value - chroma * tent(k), where k runs round the circle of six sectors from the channel's own start.
template <class F>
VITRAL_SIMD F hue_channel(F value, F chroma, F k) {
  k = k >= 6 ? k - 6 : k;
  return value - chroma * unit_clamp(lesser(k, 4 - k));
}

/// Turns the pixel's hue. Selections instead of branches and conditional steps of 6 instead of fmod, so that loops over
/// it vectorise.
template <class F>
VITRAL_SIMD void turn_hue(F& red, F& green, F& blue, F steps) {
  const F r = red, g = green, b = blue;
  const F value = greater(r, greater(g, b));
  const F chroma = value - lesser(r, lesser(g, b));
  const F scale = 1 / greater(chroma, F(1e-20f));  // gray pixels: every difference below is 0
  const F from_red = (g - b) * scale;
  const F from_green = (b - r) * scale + 2;
  const F from_blue = (r - g) * scale + 4;
  const F high = value == g ? from_green : from_blue;
  F hue = value == r ? from_red : high;
  hue = hue < 0 ? hue + 6 : hue;
  F step = static_cast<float>(static_cast<int>(hue * (255.0f / 6))) + steps;
  step = step < 0 ? step + 256 : step;  // PIL's hues are bytes: a circle of 256 values, of which the last is the first
  step = step >= 256 ? step - 256 : step;
  hue = step * (6.0f / 255);
  hue = hue >= 6 ? F(0) : hue;
  red = hue_channel(value, chroma, hue + 5);
  green = hue_channel(value, chroma, hue + 3);
  blue = hue_channel(value, chroma, hue + 1);
}

template <class F>
VITRAL_SIMD F solarized(F x, F threshold) {
  return x < threshold ? x : 1 - x;
}

}  // namespace detail

/// Scales towards black (factor 0) or beyond white.
inline void adjust_brightness(float* planes, int count, float factor) {
  for (int i = 0; i < 3 * count; ++i) planes[i] = detail::unit_clamp(planes[i] * factor);
}

/// Scales the distance from the image's mean luma.
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
  for (int i = 0; i < count; ++i) detail::saturate(planes[i], green[i], blue[i], factor);
}

/// Turns the hue of the HSV model by `turn` in [-1/2, 1/2] of the circle; saturation and value stay. The hue moves in
/// PIL's steps: 255 a circle and cut off, not rounded, which shifts colours by up to 14 of 255 on its own; the recipes
/// were published with it.
inline void adjust_hue(float* planes, int count, float turn) {
  float* green = planes + count;
  float* blue = planes + 2 * static_cast<std::ptrdiff_t>(count);
  const float steps = detail::hue_steps(turn);
  for (int i = 0; i < count; ++i) detail::turn_hue(planes[i], green[i], blue[i], steps);
}

/// Replaces the three channels by their luma.
inline void to_grayscale(float* planes, int count) {
  float* green = planes + count;
  float* blue = planes + 2 * static_cast<std::ptrdiff_t>(count);
  for (int i = 0; i < count; ++i) planes[i] = green[i] = blue[i] = luma(planes[i], green[i], blue[i]);
}

/// Inverts every value that is not below `threshold`.
inline void solarize(float* planes, int count, float threshold) {
  for (int i = 0; i < 3 * count; ++i) planes[i] = detail::solarized(planes[i], threshold);
}

}}  // namespace vitral
