// Changes of an image's bytes as PIL's ImageOps and ImageEnhance make them: what RandAugment is made of.
#pragma once

#include <vitral/io/image.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// How often each value occurs in a channel.
inline std::array<long, 256> histogram(const Image& image, std::size_t channel) {
  std::array<long, 256> counts{};
  for (std::size_t i = channel; i < image.rgb.size(); i += 3) ++counts[image.rgb[i]];
  return counts;
}

/// Puts table(value) in the place of each value of a channel; the table's numbers are cut off at 0 and 255.
template <class Table>
void map_channel(Image& image, std::size_t channel, const Table& table) {
  std::array<std::uint8_t, 256> bytes{};
  for (int v = 0; v < 256; ++v)
    bytes[static_cast<std::size_t>(v)] = static_cast<std::uint8_t>(std::clamp<long>(table(v), 0, 255));
  for (std::size_t i = channel; i < image.rgb.size(); i += 3) image.rgb[i] = bytes[image.rgb[i]];
}
template <class Table>
void map_bytes(Image& image, const Table& table) {
  for (std::size_t channel = 0; channel < 3; ++channel) map_channel(image, channel, table);
}

/// PIL's luma, a byte.
inline int luma_byte(const std::uint8_t* rgb) {
  return (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16;
}

/// Moves each byte from gray(i), what a factor of 0 gives, through itself, at a factor of 1.
template <class Gray>
void blend_from(Image& image, double factor, const Gray& gray) {
  const auto share = static_cast<float>(factor);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    const int from = gray(i);
    const float value = static_cast<float>(from) + share * static_cast<float>(image.rgb[i] - from);
    image.rgb[i] = static_cast<std::uint8_t>(std::clamp(value, 0.0f, 255.0f));
  }
}

}  // namespace detail

/// Spreads each channel over 0 to 255.
inline void auto_contrast(Image& image) {
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const auto counts = detail::histogram(image, channel);
    int low = 0, high = 255;
    while (low < 255 && counts[static_cast<std::size_t>(low)] == 0) ++low;
    while (high > 0 && counts[static_cast<std::size_t>(high)] == 0) --high;
    if (high <= low) continue;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    detail::map_channel(image, channel, [&](int v) { return static_cast<long>(v * scale + offset); });
  }
}

/// Gives each channel's values about the same frequency.
inline void equalize(Image& image) {
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const auto counts = detail::histogram(image, channel);
    long all = 0, last = 0;  // pixels, and those of the largest value
    for (const long count : counts) {
      all += count;
      if (count > 0) last = count;
    }
    const long step = (all - last) / 255;
    if (step == 0) continue;
    long sum = step / 2;
    detail::map_channel(image, channel, [&](int v) {
      const long before = sum;
      sum += counts[static_cast<std::size_t>(v)];
      return before / step;
    });
  }
}

/// Puts 255 - v in the place of each value v.
inline void invert(Image& image) {
  detail::map_bytes(image, [](int v) { return 255 - v; });
}

/// Keeps the upper `bits` bits of each value, 0 to 8.
inline void posterize(Image& image, int bits) {
  detail::map_bytes(image, [&](int v) { return v & ~((1 << (8 - bits)) - 1); });
}

/// Inverts the values from `threshold` on.
inline void solarize(Image& image, int threshold) {
  detail::map_bytes(image, [&](int v) { return v < threshold ? v : 255 - v; });
}

/// Adds `amount` to the values below 128, as timm's SolarizeAdd.
inline void solarize_add(Image& image, int amount) {
  detail::map_bytes(image, [&](int v) { return v < 128 ? v + amount : v; });
}

/// Brightness of this many times the image's: 0 is black.
inline void enhance_brightness(Image& image, double factor) {
  detail::blend_from(image, factor, [](std::size_t) { return 0; });
}

/// Contrast likewise: 0 is one gray, the image's mean luma.
inline void enhance_contrast(Image& image, double factor) {
  long sum = 0;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) sum += detail::luma_byte(&image.rgb[i]);
  const long count = static_cast<long>(image.rgb.size() / 3);
  const int mean = static_cast<int>((2 * sum + count) / (2 * count));
  detail::blend_from(image, factor, [&](std::size_t) { return mean; });
}

/// Colour likewise: 0 is grayscale.
inline void enhance_color(Image& image, double factor) {
  int gray = 0;
  detail::blend_from(image, factor, [&](std::size_t i) {
    if (i % 3 == 0) gray = detail::luma_byte(&image.rgb[i]);
    return gray;
  });
}

/// Sharpness likewise: 0 is the mean of 3 x 3 pixels, in which the middle one counts five times; the border stays.
inline void enhance_sharpness(Image& image, double factor) {
  const std::vector<std::uint8_t> own = image.rgb;
  const std::ptrdiff_t line = 3 * static_cast<std::ptrdiff_t>(image.width);
  detail::blend_from(image, factor, [&](std::size_t i) {
    const auto at = static_cast<std::ptrdiff_t>(i), row = at / line, column = at % line / 3;
    if (row == 0 || row == image.height - 1 || column == 0 || column == image.width - 1) return int{own[i]};
    int sum = 4 * own[i];
    for (const std::ptrdiff_t down : {-line, std::ptrdiff_t{0}, line})
      for (const std::ptrdiff_t across : {-3, 0, 3}) sum += own[static_cast<std::size_t>(at + down + across)];
    return (2 * sum + 13) / 26;
  });
}

}}  // namespace vitral
