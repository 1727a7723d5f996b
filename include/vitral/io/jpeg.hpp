// Reads JPEG files. Needs libjpeg (libjpeg-turbo), which reports errors by longjmp: a function that calls setjmp owns
// nothing that has a destructor.
#pragma once

#include <vitral/io/exif.hpp>
#include <vitral/io/image.hpp>

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <jerror.h>
#include <jpeglib.h>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

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
  static void note(j_common_ptr jpeg, int) {  // of all warnings only this one means lost pixels
    if (jpeg->err->msg_code == JWRN_JPEG_EOF) static_cast<JpegReader*>(jpeg->client_data)->truncated = true;
  }
  /// Encoders write about ten scans of a progressive image; thousands of them are an attack on our time.
  static void limit_scans(j_common_ptr jpeg) {
    if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= 500) return;
    auto* self = static_cast<JpegReader*>(jpeg->client_data);
    std::snprintf(self->message, sizeof self->message, "more than 500 scans");
    std::longjmp(self->jump, 1);
  }
};

/// Reads the header, asks for RGB (or for CMYK, which libjpeg does not convert) and sets the scale; false on error.
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

/// Reads every row into `rgb`; `row` has room for one row as libjpeg gives it. False on error.
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
    // The inks are inverted, as Adobe stores them. PIL takes this for granted, and rounds like this.
    for (std::size_t x = 0; x < width; ++x)
      for (std::size_t c = 0; c < 3; ++c) {
        const int black = row[4 * x + 3], product = (255 - row[4 * x + c]) * black + 128;
        out[3 * x + c] = static_cast<std::uint8_t>(black - ((product + (product >> 8)) >> 8));
      }
  }
  if (!reader.truncated) jpeg_finish_decompress(&reader.jpeg);
  return true;
}

}  // namespace detail

/// Any JPEG file as RGB, turned upright as its EXIF data say. Where `least_side` is not 0, a large image comes out at
/// 1/2, 1/4 or 1/8 of its size, in less time, as long as its shorter side keeps that many pixels. Throws Error, with
/// `name`, on a file that is damaged or has more than max_pixels.
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

}}  // namespace vitral
