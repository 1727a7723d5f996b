// Pictures as PNG files. Needs libpng.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/data/image.hpp>
#include <vitral/io/atomic_file.hpp>

#include <png.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace vitral::inline VITRAL_ABI {

/// Writes an RGB picture; an older file is replaced whole. Throws Error with the file's name.
inline void write_png(const std::filesystem::path& path, const Image& image) {
  check_image(image);
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  check(png_image_write_get_memory_size(png, size, 0, image.rgb.data(), 0, nullptr) != 0, path.string(), ": ",
        png.message);
  std::vector<std::byte> bytes(size);
  check(png_image_write_to_memory(&png, bytes.data(), &size, 0, image.rgb.data(), 0, nullptr) != 0, path.string(), ": ",
        png.message);
  AtomicFile file(path);
  file.write(std::span(bytes).first(size));
  file.commit();
}

}  // namespace vitral::inline VITRAL_ABI
