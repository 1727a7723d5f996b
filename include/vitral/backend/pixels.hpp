// What augmentation does to one pixel: written once, for the host's loops, where F is float, and for kernels, which
// bring a type of their own for F. Filters as PIL and torchvision (antialias=True) have them (Fant 1986), colours as
// PIL.
#pragma once

#include <vitral/core/config.hpp>

#include <cmath>

namespace vitral { inline namespace VITRAL_ABI {

/// The resampling filter: a triangle, or Keys' cubic (1981) with a = -1/2.
enum class Interpolation { bilinear, bicubic };

/// One axis of a resize: `in` pixels become `scaled`, of which `out` are kept from `offset` on.
struct ResizeAxis {
  int in = 0;
  int scaled = 0;
  int offset = 0;
  int out = 0;
};

/// The luma of ITU-R BT.601, by which PIL turns colour into gray.
template <class F>
[[nodiscard]] VITRAL_SIMD F luma(F red, F green, F blue) {
  return 0.299f * red + 0.587f * green + 0.114f * blue;
}

namespace detail {

VITRAL_HD inline double filter_value(Interpolation kind, double x) {
  x = std::abs(x);
  if (kind == Interpolation::bilinear) return x < 1 ? 1 - x : 0;
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/// The filter along one axis: each output pixel is a sum over `taps` input pixels.
struct AxisFilter {
  ResizeAxis axis;
  Interpolation kind;
  double scale, stretch, reach;
  int taps;

  VITRAL_HD AxisFilter(const ResizeAxis& axis_, Interpolation kind_) : axis(axis_), kind(kind_) {
    scale = static_cast<double>(axis.in) / axis.scaled;
    stretch = scale < 1 ? 1 : scale;
    reach = stretch * (kind == Interpolation::bilinear ? 1 : 2);
    taps = static_cast<int>(std::ceil(reach)) * 2 + 1;
    taps = axis.in < taps ? axis.in : taps;
  }

  /// Writes the weights of output pixel x, whose sum is 1; returns the first input pixel.
  VITRAL_HD int weights(int x, float* weight) const {
    const double center = (x + axis.offset + 0.5) * scale;
    const int lowest = static_cast<int>(std::floor(center - reach + 0.5)), last = axis.in - taps;
    const int first = lowest < 0 ? 0 : last < lowest ? last : lowest;
    double sum = 0;
    for (int t = 0; t < taps; ++t) sum += filter_value(kind, (first + t + 0.5 - center) / stretch);
    for (int t = 0; t < taps; ++t)
      weight[t] = static_cast<float>(filter_value(kind, (first + t + 0.5 - center) / stretch) / sum);
    return first;
  }
};

/// Pixels on either side that a blur of standard deviation `sigma` reads, and their weights before these are scaled.
VITRAL_HD inline int blur_radius(double sigma) { return static_cast<int>(std::ceil(3 * sigma)); }
VITRAL_HD inline double blur_weight(int t, double sigma) { return std::exp(-0.5 * t * t / (sigma * sigma)); }

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

}}  // namespace vitral
