// Label maps as PNG files whose pixels are numbers into a palette, as DAVIS and Pascal VOC store their masks.
#pragma once

#include <vitral/io/label_map.hpp>
#include <vitral/io/png.hpp>
#include <vitral/io/read_bytes.hpp>

#include <array>
#include <cstddef>
#include <filesystem>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// The pixels' numbers, whatever colours the palette gives them. Throws Error, with the file's name, unless the image
/// has a palette or is gray, with at most eight bits a pixel, and stands upright.
[[nodiscard]] inline LabelMap read_label_png(const std::filesystem::path& path) {
  auto png = detail::decode_png(
      read_bytes(path), detail::PngPixels::number, path.string(),
      "colours, expected a mask whose pixels are numbers: a PNG with a palette, or a gray one of at most 8 bits");
  check(png.orientation == 1, path.string(), ": a mask that is to be turned (EXIF orientation ", png.orientation,
        "); store it upright");
  return {png.height, png.width, std::move(png.bytes)};
}

/// Writes the numbers with the palette of label_color; an older file is replaced as a whole.
inline void write_label_png(const std::filesystem::path& path, const LabelMap& map) {
  check(map.height > 0 && map.width > 0 && static_cast<long>(map.label.size()) == long{map.height} * map.width,
        path.string(), ": ", map.label.size(), " labels for ", map.height, " x ", map.width, " pixels");
  std::array<Color, 256> palette;
  for (std::size_t label = 0; label < palette.size(); ++label) palette[label] = label_color(static_cast<int>(label));
  detail::write_png(path, map.height, map.width, PNG_FORMAT_RGB_COLORMAP, map.label.data(), palette.data()->data());
}

}}  // namespace vitral
