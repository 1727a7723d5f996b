// Sheets: several images side by side on a white ground.
#pragma once

#include <vitral/io/image.hpp>

#include <algorithm>
#include <cmath>

namespace vitral { inline namespace VITRAL_ABI {

/// An image of one colour.
[[nodiscard]] inline Image blank_image(int height, int width, const Color& color = {255, 255, 255}) {
  Image image{height, width, {}};
  image.rgb.resize(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = color[i % 3];
  return image;
}

/// An image from `planes` [3, side, side] of numbers in [0, 1], which is what a view without normalisation has.
[[nodiscard]] inline Image image_from_floats(const float* planes, int side) {
  Image image = blank_image(side, side);
  const std::size_t count = image.rgb.size() / 3;
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(planes[i % 3 * count + i / 3], 0.0f, 1.0f)));
  return image;
}

/// The image with each pixel as a square of factor x factor, so that one sees the pixels of a small image.
[[nodiscard]] inline Image enlarged(const Image& image, int factor) {
  Image out = blank_image(image.height * factor, image.width * factor);
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      std::copy_n(image.rgb.begin() + (long{y / factor} * image.width + x / factor) * 3, 3,
                  out.rgb.begin() + (long{y} * out.width + x) * 3);
  return out;
}

/// Copies an image into a sheet, its upper left corner to (top, left). Error where it does not fit.
inline void place(Image& sheet, int top, int left, const Image& image) {
  check(top >= 0 && left >= 0 && top + image.height <= sheet.height && left + image.width <= sheet.width,
        "an image of ", image.height, " x ", image.width, " pixels at (", top, ", ", left, ") does not fit a sheet of ",
        sheet.height, " x ", sheet.width);
  for (int y = 0; y < image.height; ++y)
    std::copy_n(image.rgb.begin() + long{y} * image.width * 3, image.width * 3,
                sheet.rgb.begin() + (long{top + y} * sheet.width + left) * 3);
}

}}  // namespace vitral
