// The orientation in EXIF data, which says how the camera was held, and images turned upright by it.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/io/image.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The orientation 1 ... 8 in EXIF data (CIPA DC-008, tag 0x0112 of the first directory), with or without the "Exif"
/// that a JPEG's APP1 marker puts before them. 1 (upright) where there is none or it makes no sense.
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

/// The same for the text of a PNG in which programs put EXIF data before the format had a chunk for them: two lines and
/// a length, then hexadecimal digits.
[[nodiscard]] inline int text_orientation(std::string_view text) {
  for (int line = 0; line < 3 && !text.empty(); ++line)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  std::vector<std::uint8_t> bytes;
  std::size_t digits = 0, value = 0;
  for (const char c : text) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) continue;
    value = value * 16 + digit;
    if (++digits % 2 == 0) bytes.push_back(static_cast<std::uint8_t>(std::exchange(value, 0)));
  }
  return exif_orientation(bytes.data(), bytes.size());
}

/// The orientation in the EXIF chunk of a WebP file, a RIFF container: a header of 12 bytes, then chunks of a name, a
/// length and as many bytes, filled up to an even number.
[[nodiscard]] inline int webp_orientation(const std::vector<std::uint8_t>& bytes) {
  for (std::size_t at = 12; bytes.size() >= 8 && at <= bytes.size() - 8;) {
    const std::uint8_t* const chunk = bytes.data() + at;
    const std::size_t size =
        chunk[4] | std::size_t{chunk[5]} << 8 | std::size_t{chunk[6]} << 16 | std::size_t{chunk[7]} << 24;
    if (size > bytes.size() - at - 8) break;
    if (std::memcmp(chunk, "EXIF", 4) == 0) return exif_orientation(chunk + 8, size);
    at += 8 + size + size % 2;
  }
  return 1;
}

/// The image turned and mirrored from `orientation` to 1.
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

}}  // namespace vitral
