// Colour operations as torchvision's: ColorJitter, grayscale and solarize. They work in place on `planes` [3, count] of
// values in [0, 1]; what they do to one pixel stands in backend/pixels.hpp.
#pragma once

#include <vitral/backend/pixels.hpp>

#include <cstddef>

namespace vitral { inline namespace VITRAL_ABI {

/// Multiplies all values by `factor`: 0 is black.
inline void adjust_brightness(float* planes, int count, float factor) {
  for (int i = 0; i < 3 * count; ++i) planes[i] = detail::unit_clamp(planes[i] * factor);
}

/// Multiplies each value's distance from the image's mean luma by `factor`: 0 is one gray.
inline void adjust_contrast(float* planes, int count, float factor) {
  const float* green = planes + count;
  const float* blue = planes + 2 * static_cast<std::ptrdiff_t>(count);
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += static_cast<double>(luma(planes[i], green[i], blue[i]));
  const float rest = static_cast<float>(sum / count) * (1 - factor);
  for (int i = 0; i < 3 * count; ++i) planes[i] = detail::unit_clamp(planes[i] * factor + rest);
}

/// Multiplies each pixel's distance from its own luma by `factor`: 0 is grayscale.
inline void adjust_saturation(float* planes, int count, float factor) {
  float* green = planes + count;
  float* blue = planes + 2 * static_cast<std::ptrdiff_t>(count);
  for (int i = 0; i < count; ++i) detail::saturate(planes[i], green[i], blue[i], factor);
}

/// Turns the hue of the HSV model by `turn` in [-1/2, 1/2] of the circle; saturation and value stay. As in PIL, with
/// which the recipes were published, the hue has 255 steps and is cut off, not rounded: that alone moves a colour by up
/// to 14 of 255.
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

/// Replaces each value x from `threshold` on by 1 - x.
inline void solarize(float* planes, int count, float threshold) {
  for (int i = 0; i < 3 * count; ++i) planes[i] = detail::solarized(planes[i], threshold);
}

}}  // namespace vitral
