// An eight-bit RGB image: what every data set hands out and every augmentation takes.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// `rgb` holds height * width * 3 bytes, row by row, the three channels of a pixel side by side; gray pixels have three
/// equal channels.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> rgb;
};

/// Larger images are refused: a few damaged bytes of a file must not ask for gigabytes of memory.
inline constexpr long max_pixels = 1l << 26;

/// Red, green and blue.
using Color = std::array<std::uint8_t, 3>;

/// Throws unless the image has at least one pixel and as many bytes as its extents say.
inline void check_image(const Image& image) {
  check(image.height > 0 && image.width > 0 &&
            image.rgb.size() == static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3,
        "an image of ", image.height, " x ", image.width, " pixels cannot hold ", image.rgb.size(),
        " bytes; expected height * width * 3, and at least one pixel");
}

namespace detail {

inline void check_extents(const std::string& name, long height, long width) {
  check(height > 0 && width > 0 && height <= max_pixels / width, name, ": ", height, " x ", width,
        " pixels, expected at most ", max_pixels, " in all");
}

/// The image that a decoder fills; `name` is the file's.
inline Image blank_image(const std::string& name, long height, long width) {
  check_extents(name, height, width);
  const std::size_t bytes = static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
  return {static_cast<int>(height), static_cast<int>(width), std::vector<std::uint8_t>(bytes)};
}

}  // namespace detail

/// An image from its three planes [3, height, width], one after the other.
[[nodiscard]] inline Image image_from_planes(const std::uint8_t* planes, int height, int width) {
  const std::size_t count = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  Image image{height, width, std::vector<std::uint8_t>(3 * count)};
  for (std::size_t p = 0; p < count; ++p)
    for (std::size_t c = 0; c < 3; ++c) image.rgb[3 * p + c] = planes[c * count + p];
  return image;
}

}}  // namespace vitral
