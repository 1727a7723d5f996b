// Images as PNG files. Needs libpng.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/atomic_file.hpp>
#include <vitral/io/image.hpp>

#include <png.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// `palette`: 256 colours of three bytes where the format is that of a colour map.
inline void write_png(const std::filesystem::path& path, int height, int width, png_uint_32 format,
                      const std::uint8_t* pixels, const std::uint8_t* palette) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = format;
  png.colormap_entries = palette != nullptr ? 256 : 0;
  png_alloc_size_t size = 0;
  check(png_image_write_get_memory_size(png, size, 0, pixels, 0, palette) != 0, path.string(), ": ", png.message);
  std::vector<std::byte> bytes(size);
  check(png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels, 0, palette) != 0, path.string(), ": ",
        png.message);
  write_file_atomically(path, {std::span<const std::byte>(bytes).first(size)});
}

}  // namespace detail

/// Writes an RGB image; an older file is replaced whole. Throws Error with the file's name.
inline void write_png(const std::filesystem::path& path, const Image& image) {
  check_image(image);
  detail::write_png(path, image.height, image.width, PNG_FORMAT_RGB, image.rgb.data(), nullptr);
}

}}  // namespace vitral
