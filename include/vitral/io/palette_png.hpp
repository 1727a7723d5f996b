// Maps of labels as PNG files whose pixels are numbers into a palette, as DAVIS and Pascal VOC store their masks.
#pragma once

#include <vitral/io/decode.hpp>
#include <vitral/io/label_map.hpp>
#include <vitral/io/png.hpp>

#include <array>

namespace vitral { inline namespace VITRAL_ABI {

/// Black for the background; for objects, in turn, seven colours that colour-blind eyes tell apart (Okabe and Ito).
[[nodiscard]] constexpr Color label_color(int label) {
  constexpr std::array<Color, 7> colors{
      {{230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {240, 228, 66}, {0, 114, 178}, {213, 94, 0}, {204, 121, 167}}};
  if (label == 0) return {0, 0, 0};
  if (label == LabelMap::void_label) return {255, 255, 255};
  return colors[static_cast<std::size_t>(label - 1) % colors.size()];
}

namespace detail {

/// Reads the header and asks for one byte a pixel, its number as it stands in the file; false on error.
inline bool label_png_begin(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;  // NOLINT
  png_read_info(reader.png, reader.info);
  png_set_packing(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

}  // namespace detail

/// Reads the pixels' numbers, whatever colours the palette gives them. Error, with the file's name, unless the image
/// has a palette or is gray, of at most eight bits.
[[nodiscard]] inline LabelMap read_label_png(const std::filesystem::path& path) {
  const auto bytes = read_bytes(path);
  detail::PngReader reader(bytes.data(), bytes.size());
  check(reader.info != nullptr, path.string(), ": libpng could not be started");
  check(detail::label_png_begin(reader), path.string(), ": not a readable PNG: ", reader.message);
  LabelMap map{static_cast<int>(png_get_image_height(reader.png, reader.info)),
               static_cast<int>(png_get_image_width(reader.png, reader.info)),
               {}};
  check(png_get_rowbytes(reader.png, reader.info) == static_cast<std::size_t>(map.width), path.string(),
        ": colours, expected a mask whose pixels are numbers: a PNG with a palette, or a gray one of at most 8 bits");
  check(map.height <= max_pixels / map.width, path.string(), ": ", map.height, " x ", map.width,
        " pixels, expected at most ", max_pixels, " in all");
  map.label.resize(static_cast<std::size_t>(long{map.height} * map.width));
  std::vector<png_bytep> rows;
  for (int y = 0; y < map.height; ++y) rows.push_back(map.label.data() + long{y} * map.width);
  check(detail::png_finish(reader, rows.data()), path.string(), ": not a readable PNG: ", reader.message);
  const int orientation = detail::png_orientation(reader);
  check(orientation == 1, path.string(), ": a mask that is to be turned (EXIF orientation ", orientation,
        "); store it upright");
  return map;
}

/// Writes the numbers with the palette of label_color; an older file is replaced whole.
inline void write_label_png(const std::filesystem::path& path, const LabelMap& map) {
  check(map.height > 0 && map.width > 0 && static_cast<long>(map.label.size()) == long{map.height} * map.width,
        path.string(), ": ", map.label.size(), " labels for ", map.height, " x ", map.width, " pixels");
  std::array<Color, 256> palette;
  for (std::size_t label = 0; label < palette.size(); ++label) palette[label] = label_color(static_cast<int>(label));
  detail::write_png(path, map.height, map.width, PNG_FORMAT_RGB_COLORMAP, map.label.data(), palette.data()->data());
}

}}  // namespace vitral
