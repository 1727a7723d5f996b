// Rotation, shear and translation of an image's bytes as PIL's Image.transform and Image.rotate make them.
#pragma once

#include <vitral/backend/pixels.hpp>
#include <vitral/io/image.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The value between the inner two of four neighbours, at `t` from the second to the third: their line, or PIL's cubic,
/// Keys' (1981) with a = -1.
inline double between_pixels(Interpolation kind, const std::array<double, 4>& v, double t) {
  if (kind == Interpolation::bilinear) return v[1] + (v[2] - v[1]) * t;
  const double slope = v[2] - v[0], bend = 2 * (v[0] - v[1]) + v[2] - v[3], twist = v[1] - v[0] - v[2] + v[3];
  return v[1] + t * (slope + t * (bend + t * twist));
}

/// Channel c of the image at the point (x, y), the centre of its first pixel being (1/2, 1/2); the border is repeated.
inline std::uint8_t value_at(const Image& image, double x, double y, std::size_t c, Interpolation kind) {
  const double column = std::floor(x - 0.5), row = std::floor(y - 0.5);
  std::array<double, 4> down{};
  for (int i = 0; i < 4; ++i) {
    const int from = std::clamp(static_cast<int>(row) - 1 + i, 0, image.height - 1);
    std::array<double, 4> across{};
    for (int j = 0; j < 4; ++j) {
      const int at = std::clamp(static_cast<int>(column) - 1 + j, 0, image.width - 1);
      across[static_cast<std::size_t>(j)] =
          image.rgb[3 * (static_cast<std::size_t>(from) * static_cast<std::size_t>(image.width) +
                         static_cast<std::size_t>(at)) +
                    c];
    }
    down[static_cast<std::size_t>(i)] = between_pixels(kind, across, x - 0.5 - column);
  }
  return static_cast<std::uint8_t>(std::clamp(between_pixels(kind, down, y - 0.5 - row), 0.0, 255.0));
}

}  // namespace detail

/// The image whose pixel at (x, y) is the given one's at (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), or `fill`
/// where that is outside. Fractions are cut off, as PIL does.
[[nodiscard]] inline Image transformed(const Image& image, const std::array<double, 6>& m, Interpolation kind,
                                       const Color& fill) {
  Image out = image;
  std::uint8_t* to = out.rgb.data();
  for (int row = 0; row < image.height; ++row)
    for (int column = 0; column < image.width; ++column, to += 3) {
      const double x = m[0] * (column + 0.5) + m[1] * (row + 0.5) + m[2],
                   y = m[3] * (column + 0.5) + m[4] * (row + 0.5) + m[5];
      const bool inside = x >= 0 && x < image.width && y >= 0 && y < image.height;
      for (std::size_t c = 0; c < 3; ++c) to[c] = inside ? detail::value_at(image, x, y, c, kind) : fill[c];
    }
  return out;
}

/// The image turned about its middle, counter-clockwise.
[[nodiscard]] inline Image rotated(const Image& image, double degrees, Interpolation kind, const Color& fill) {
  if (degrees == 0) return image;
  const double angle = -degrees * 3.14159265358979323846 / 180, x = image.width / 2.0, y = image.height / 2.0;
  const auto rounded = [](double v) { return std::round(v * 1e15) / 1e15; };
  const double c = rounded(std::cos(angle)), s = rounded(std::sin(angle));
  return transformed(image, {c, s, x - c * x - s * y, -s, c, y + s * x - c * y}, kind, fill);
}

/// The image whose row y is moved by `factor` * y to the left.
[[nodiscard]] inline Image sheared_x(const Image& image, double factor, Interpolation kind, const Color& fill) {
  return transformed(image, {1, factor, 0, 0, 1, 0}, kind, fill);
}
/// The image whose column x is moved by `factor` * x upwards.
[[nodiscard]] inline Image sheared_y(const Image& image, double factor, Interpolation kind, const Color& fill) {
  return transformed(image, {1, 0, 0, factor, 1, 0}, kind, fill);
}

/// The image moved to the left by a share of its width.
[[nodiscard]] inline Image translated_x(const Image& image, double share, Interpolation kind, const Color& fill) {
  return transformed(image, {1, 0, share * image.width, 0, 1, 0}, kind, fill);
}
/// The image moved upwards by a share of its height.
[[nodiscard]] inline Image translated_y(const Image& image, double share, Interpolation kind, const Color& fill) {
  return transformed(image, {1, 0, 0, 0, 1, share * image.height}, kind, fill);
}

}}  // namespace vitral
