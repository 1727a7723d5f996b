// PNG files, read and written. Needs libpng, which reports errors by longjmp: a function that calls setjmp owns nothing
// that has a destructor.
#pragma once

#include <vitral/io/atomic_file.hpp>
#include <vitral/io/exif.hpp>
#include <vitral/io/image.hpp>

#include <png.h>

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::uint8_t* at = nullptr;
  std::size_t left = 0;
  char message[128] = "";

  explicit PngReader(const std::vector<std::uint8_t>& bytes) : at(bytes.data()), left(bytes.size()) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &PngReader::stop, &PngReader::ignore);
    if (png != nullptr) info = png_create_info_struct(png);
    if (info != nullptr) png_set_read_fn(png, this, &PngReader::read);
  }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }

  [[noreturn]] static void stop(png_structp png, png_const_charp text) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(self->message, sizeof self->message, "%s", text);
    png_longjmp(png, 1);
  }
  static void ignore(png_structp, png_const_charp) {}
  static void read(png_structp png, png_bytep out, std::size_t count) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (count > self->left) png_error(png, "truncated");
    std::memcpy(out, self->at, count);
    self->at += count;
    self->left -= count;
  }
};

/// What is read of each pixel: its number as it stands in the file, in one byte, or its colour without alpha, in three.
enum class PngPixels { number = 1, rgb = 3 };

/// Reads the header and asks for such pixels; false on error.
inline bool png_begin(PngReader& reader, PngPixels pixels) {
  if (setjmp(png_jmpbuf(reader.png))) return false;  // NOLINT
  png_read_info(reader.png, reader.info);
  if (pixels == PngPixels::rgb) {
    png_set_expand(reader.png);
    png_set_strip_16(reader.png);
    png_set_strip_alpha(reader.png);
    png_set_gray_to_rgb(reader.png);
  } else {
    png_set_packing(reader.png);
  }
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

/// Reads every row and the file's end; false on error.
inline bool png_finish(PngReader& reader, png_bytepp rows) {
  if (setjmp(png_jmpbuf(reader.png))) return false;  // NOLINT
  png_read_image(reader.png, rows);
  png_read_end(reader.png, reader.info);
  return true;
}

/// The orientation in the EXIF data of a PNG that was read.
inline int png_orientation(PngReader& reader) {
  png_bytep exif = nullptr;
  png_uint_32 size = 0;
  if (png_get_eXIf_1(reader.png, reader.info, &size, &exif) != 0) return exif_orientation(exif, size);
  png_textp texts = nullptr;
  const int count = png_get_text(reader.png, reader.info, &texts, nullptr);
  for (int i = 0; i < count; ++i)
    if (std::string_view(texts[i].key) == "Raw profile type exif") return text_orientation(texts[i].text);
  return 1;
}

struct DecodedPng {
  int height, width, orientation;
  std::vector<std::uint8_t> bytes;  // of the pixels, row by row
};

/// Throws Error with `name`, and with `mismatch` where the file has no such pixels.
inline DecodedPng decode_png(const std::vector<std::uint8_t>& file, PngPixels pixels, const std::string& name,
                             const char* mismatch) {
  PngReader reader(file);
  check(reader.info != nullptr, name, ": libpng could not be started");
  check(png_begin(reader, pixels), name, ": not a readable PNG: ", reader.message);
  const long height = png_get_image_height(reader.png, reader.info);
  const long width = png_get_image_width(reader.png, reader.info);
  const long stride = width * static_cast<long>(pixels);
  check(static_cast<long>(png_get_rowbytes(reader.png, reader.info)) == stride, name, ": ", mismatch);
  check_extents(name, height, width);
  DecodedPng png{static_cast<int>(height), static_cast<int>(width), 1, {}};
  png.bytes.resize(static_cast<std::size_t>(height * stride));
  std::vector<png_bytep> rows;
  for (long y = 0; y < height; ++y) rows.push_back(png.bytes.data() + y * stride);
  check(png_finish(reader, rows.data()), name, ": not a readable PNG: ", reader.message);
  png.orientation = png_orientation(reader);
  return png;
}

/// `palette`: 256 colours of three bytes where `format` is that of a colour map, else null.
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

/// Any PNG file as RGB, turned upright as its EXIF data say; alpha is dropped. Throws Error, with `name`, on a file
/// that is damaged or has more than max_pixels.
[[nodiscard]] inline Image decode_png(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  auto png = detail::decode_png(bytes, detail::PngPixels::rgb, name, "not a PNG that can be read as RGB");
  return upright({png.height, png.width, std::move(png.bytes)}, png.orientation);
}

/// Writes an RGB image; an older file is replaced as a whole. Throws Error with the file's name.
inline void write_png(const std::filesystem::path& path, const Image& image) {
  check_image(image);
  detail::write_png(path, image.height, image.width, PNG_FORMAT_RGB, image.rgb.data(), nullptr);
}

}}  // namespace vitral
