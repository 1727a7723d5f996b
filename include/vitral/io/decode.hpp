// PNG, JPEG and WebP files as the RGB that PIL makes of them. Needs libpng, libjpeg (libjpeg-turbo) and libwebp.
// The first two report errors by longjmp, so the functions that call setjmp own nothing that has a destructor.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/io/exif.hpp>
#include <vitral/io/image.hpp>
#include <vitral/io/read_bytes.hpp>

#include <algorithm>
#include <cctype>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>
#include <webp/decode.h>

namespace vitral { inline namespace VITRAL_ABI {

/// Images with more pixels are refused: a few damaged bytes must not ask for gigabytes of memory. So are longer
/// files.
inline constexpr long max_pixels = 1l << 26;
inline constexpr std::uint64_t max_image_bytes = 1ul << 29;

namespace detail {

struct PngReader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::uint8_t* at = nullptr;
  std::size_t left = 0;
  char message[128] = "";

  PngReader(const std::uint8_t* bytes, std::size_t size) : at(bytes), left(size) {
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

/// Reads the header and asks for eight-bit RGB without alpha; false on error.
inline bool png_begin(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;  // NOLINT
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);
  png_set_strip_16(reader.png);
  png_set_strip_alpha(reader.png);
  png_set_gray_to_rgb(reader.png);
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

struct JpegReader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump{};
  bool truncated = false;
  char message[JMSG_LENGTH_MAX] = "";

  JpegReader() {
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = &JpegReader::stop;
    errors.emit_message = &JpegReader::note;
    jpeg.client_data = this;
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&jpeg); }

  [[noreturn]] static void stop(j_common_ptr jpeg) {
    auto* self = static_cast<JpegReader*>(jpeg->client_data);
    jpeg->err->format_message(jpeg, self->message);
    std::longjmp(self->jump, 1);
  }
  static void note(j_common_ptr jpeg, int) {  // the only warning that means lost pixels
    if (jpeg->err->msg_code == JWRN_JPEG_EOF) static_cast<JpegReader*>(jpeg->client_data)->truncated = true;
  }
  /// Encoders make some ten scans of a progressive image; a file of thousands is made to keep us busy.
  static void limit_scans(j_common_ptr jpeg) {
    if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= 500) return;
    auto* self = static_cast<JpegReader*>(jpeg->client_data);
    std::snprintf(self->message, sizeof self->message, "more than 500 scans");
    std::longjmp(self->jump, 1);
  }
};

/// Reads the header and asks for RGB (CMYK stays CMYK: the library cannot convert it), at the smallest of the scales 1,
/// 1/2, 1/4 and 1/8 that leaves `least_side` pixels, or at scale 1 if that is 0; false on error.
inline bool jpeg_begin(JpegReader& reader, const std::uint8_t* bytes, std::size_t size, int least_side) {
  if (setjmp(reader.jump)) return false;  // NOLINT
  jpeg_create_decompress(&reader.jpeg);
  reader.jpeg.client_data = &reader;
  reader.progress.progress_monitor = &JpegReader::limit_scans;
  reader.jpeg.progress = &reader.progress;
  jpeg_save_markers(&reader.jpeg, JPEG_APP0 + 1, 0xffff);
  jpeg_mem_src(&reader.jpeg, bytes, static_cast<unsigned long>(size));
  jpeg_read_header(&reader.jpeg, TRUE);
  const bool cmyk = reader.jpeg.jpeg_color_space == JCS_CMYK || reader.jpeg.jpeg_color_space == JCS_YCCK;
  reader.jpeg.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  const JDIMENSION shorter = std::min(reader.jpeg.image_width, reader.jpeg.image_height);
  const auto least = static_cast<JDIMENSION>(least_side);
  while (least > 0 && reader.jpeg.scale_denom < 8 && shorter / (2 * reader.jpeg.scale_denom) >= least)
    reader.jpeg.scale_denom *= 2;
  jpeg_calc_output_dimensions(&reader.jpeg);
  return true;
}

/// Reads every row; `row` holds one row of the decoder's output. False on error.
inline bool jpeg_finish(JpegReader& reader, std::uint8_t* row, std::uint8_t* rgb) {
  if (setjmp(reader.jump)) return false;  // NOLINT
  jpeg_start_decompress(&reader.jpeg);
  const std::size_t width = reader.jpeg.output_width;
  const bool cmyk = reader.jpeg.output_components == 4;
  while (reader.jpeg.output_scanline < reader.jpeg.output_height && !reader.truncated) {
    std::uint8_t* out = rgb + width * 3 * reader.jpeg.output_scanline;
    jpeg_read_scanlines(&reader.jpeg, &row, 1);
    if (!cmyk) {
      std::memcpy(out, row, width * 3);
      continue;
    }
    // The inks are stored inverted, as Adobe has them; PIL takes them so with and without Adobe's marker, and rounds
    // so.
    for (std::size_t x = 0; x < width; ++x)
      for (std::size_t c = 0; c < 3; ++c) {
        const int black = row[4 * x + 3], product = (255 - row[4 * x + c]) * black + 128;
        out[3 * x + c] = static_cast<std::uint8_t>(black - ((product + (product >> 8)) >> 8));
      }
  }
  if (!reader.truncated) jpeg_finish_decompress(&reader.jpeg);
  return true;
}

inline void check_extents(const std::string& name, long height, long width) {
  check(height > 0 && width > 0 && height <= max_pixels / width, name, ": ", height, " x ", width,
        " pixels, expected at most ", max_pixels, " in all");
}

inline Image blank_image(const std::string& name, long height, long width) {
  check_extents(name, height, width);
  const std::size_t bytes = static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
  return {static_cast<int>(height), static_cast<int>(width), std::vector<std::uint8_t>(bytes)};
}

inline void check_image_bytes(const std::string& name, std::uint64_t size) {
  check(size <= max_image_bytes, name, ": ", size, " bytes, expected at most ", max_image_bytes, " for an image");
}

}  // namespace detail

/// A PNG image of any kind as RGB, turned upright as its EXIF data say; alpha is dropped. `name` is what an Error
/// names.
[[nodiscard]] inline Image decode_png(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  detail::PngReader reader(bytes.data(), bytes.size());
  check(reader.info != nullptr, name, ": libpng could not be started");
  check(detail::png_begin(reader), name, ": not a readable PNG: ", reader.message);
  Image image = detail::blank_image(name, png_get_image_height(reader.png, reader.info),
                                    png_get_image_width(reader.png, reader.info));
  const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
  check(png_get_rowbytes(reader.png, reader.info) == stride, name, ": not a PNG that can be read as RGB");
  std::vector<png_bytep> rows;
  for (int y = 0; y < image.height; ++y) rows.push_back(image.rgb.data() + static_cast<std::size_t>(y) * stride);
  check(detail::png_finish(reader, rows.data()), name, ": not a readable PNG: ", reader.message);
  return upright(std::move(image), detail::png_orientation(reader));
}

/// A JPEG image of any kind as RGB, turned upright as its EXIF data say. `name` is what an Error names. A large
/// image may be decoded at a smaller scale, in less time, as long as its shorter side keeps `least_side` pixels; 0:
/// never.
[[nodiscard]] inline Image decode_jpeg(const std::vector<std::uint8_t>& bytes, const std::string& name,
                                       int least_side = 0) {
  detail::JpegReader reader;
  check(detail::jpeg_begin(reader, bytes.data(), bytes.size(), least_side), name,
        ": not a readable JPEG: ", reader.message);
  int orientation = 1;
  for (const jpeg_marker_struct* marker = reader.jpeg.marker_list; marker != nullptr; marker = marker->next)
    if (orientation == 1) orientation = exif_orientation(marker->data, marker->data_length);
  if (jpeg_has_multiple_scans(&reader.jpeg))  // the decoder holds all of it, at whatever scale it comes out
    detail::check_extents(name, reader.jpeg.image_height, reader.jpeg.image_width);
  Image image = detail::blank_image(name, reader.jpeg.output_height, reader.jpeg.output_width);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(image.width) * 4);
  check(detail::jpeg_finish(reader, row.data(), image.rgb.data()), name, ": not a readable JPEG: ", reader.message);
  check(!reader.truncated, name, ": not a readable JPEG: truncated");
  return upright(std::move(image), orientation);
}

/// A WebP image (not an animation) as RGB, turned upright as its EXIF data say; alpha is dropped. `name` is what an
/// Error names.
[[nodiscard]] inline Image decode_webp(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  WebPBitstreamFeatures features;
  check(WebPGetFeatures(bytes.data(), bytes.size(), &features) == VP8_STATUS_OK, name, ": not a readable WebP");
  check(features.has_animation == 0, name, ": an animated WebP; convert it to an image, or remove it");
  Image image = detail::blank_image(name, features.height, features.width);
  check(WebPDecodeRGBInto(bytes.data(), bytes.size(), image.rgb.data(), image.rgb.size(), image.width * 3) != nullptr,
        name, ": not a readable WebP: truncated or damaged");
  return upright(std::move(image), webp_orientation(bytes));
}

/// A PNG, JPEG or WebP image, told apart by the first bytes. `name` is what an Error names; see decode_jpeg for
/// `least_side`.
[[nodiscard]] inline Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name,
                                        int least_side = 0) {
  const auto begins = [&](std::size_t at, std::string_view text) {
    return bytes.size() >= at + text.size() && std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
  };
  if (begins(0, "\x89PNG\r\n\x1a\n")) return decode_png(bytes, name);
  if (begins(0, "\xff\xd8\xff")) return decode_jpeg(bytes, name, least_side);
  if (begins(0, "RIFF") && begins(8, "WEBP")) return decode_webp(bytes, name);
  fail(name, ": neither a PNG, a JPEG nor a WebP", bytes.empty() ? ", but empty" : "", "; convert or remove it");
}

/// decode_image of a file.
[[nodiscard]] inline Image read_image(const std::filesystem::path& path, int least_side = 0) {
  std::error_code ignored;
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  if (!ignored) detail::check_image_bytes(path.string(), size);
  return decode_image(read_bytes(path), path.string(), least_side);
}

namespace detail {
inline std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}
}  // namespace detail

/// Whether a file's name ends as decode_image's formats do.
[[nodiscard]] inline bool has_image_ending(const std::filesystem::path& path) {
  const std::string ending = detail::lower_case(path.extension().string());
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg" || ending == ".webp";
}
inline constexpr const char* image_endings = ".png, .jpg, .jpeg or .webp";

}}  // namespace vitral
