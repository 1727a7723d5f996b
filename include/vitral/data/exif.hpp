// The one thing that EXIF data say about pixels: how a camera was held, and so how its picture is turned upright.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/data/image.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace vitral::inline VITRAL_ABI {

/// The orientation 1 ... 8 in EXIF data (CIPA DC-008, tag 0x0112 of the first directory), with or without the "Exif"
/// that a JPEG's APP1 marker puts before them; 1, upright, where there is none or it makes no sense.
[[nodiscard]] inline int exif_orientation(const std::uint8_t* data, std::size_t size) {
  const std::size_t tiff = size >= 6 && std::memcmp(data, "Exif\0\0", 6) == 0 ? 6 : 0;  // offsets count from here
  if (size < tiff + 8) return 1;
  const bool big = std::memcmp(data + tiff, "MM", 2) == 0;
  if (!big && std::memcmp(data + tiff, "II", 2) != 0) return 1;
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | data[big ? at + i : at + bytes - 1 - i];
    return value;
  };
  const std::size_t directory = number(tiff + 4, 4);
  if (directory > size - tiff - 2) return 1;
  const std::size_t first = tiff + directory + 2, entries = number(tiff + directory, 2);
  for (std::size_t at = first; at + 12 <= size && at < first + 12 * entries; at += 12)
    if (number(at, 2) == 0x0112) {
      const std::size_t value = number(at + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  return 1;
}

/// The picture turned and mirrored from `orientation` to 1.
[[nodiscard]] inline Image upright(Image image, int orientation) {
  if (orientation == 1) return image;
  const bool sideways = orientation >= 5;
  const int height = sideways ? image.width : image.height, width = sideways ? image.height : image.width;
  Image out{height, width, std::vector<std::uint8_t>(image.rgb.size())};
  std::uint8_t* to = out.rgb.data();
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x, to += 3) {
      int row = sideways ? x : y, column = sideways ? y : x;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) row = image.height - 1 - row;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        column = image.width - 1 - column;
      std::memcpy(to, image.rgb.data() + (static_cast<std::ptrdiff_t>(row) * image.width + column) * 3, 3);
    }
  return out;
}

}  // namespace vitral::inline VITRAL_ABI
