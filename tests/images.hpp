// Images for tests, and files that hold them, written by libpng and libjpeg themselves.
#pragma once

#include "temporary.hpp"

#include <vitral/io/decode.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace testing {

/// A smooth image, of which JPEG loses little.
inline vitral::Image slope(int height, int width) {
  vitral::Image image{height, width, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) image.rgb.push_back(static_cast<std::uint8_t>(40 + 5 * x + 3 * y * (c + 1)));
  return image;
}

inline void make_png(const std::filesystem::path& path, const std::uint8_t* pixels, int height, int width,
                     unsigned format) {
  std::filesystem::create_directories(path.parent_path());
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = format;
  REQUIRE(png_image_write_to_file(&png, path.c_str(), 0, pixels, 0, nullptr));
}
inline void make_png(const std::filesystem::path& path, const vitral::Image& image) {
  make_png(path, image.rgb.data(), image.height, image.width, PNG_FORMAT_RGB);
}

inline void make_jpeg(const std::filesystem::path& path, const std::uint8_t* pixels, int height, int width,
                      int channels) {
  std::filesystem::create_directories(path.parent_path());
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), &std::fclose);
  REQUIRE(file != nullptr);
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, file.get());
  jpeg.image_height = static_cast<JDIMENSION>(height);
  jpeg.image_width = static_cast<JDIMENSION>(width);
  jpeg.input_components = channels;
  jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < height; ++y) {
    auto* row = const_cast<std::uint8_t*>(pixels + static_cast<std::ptrdiff_t>(y) * width * channels);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
}
inline void make_jpeg(const std::filesystem::path& path, const vitral::Image& image) {
  make_jpeg(path, image.rgb.data(), image.height, image.width, 3);
}

inline int largest_difference(const vitral::Image& a, const vitral::Image& b) {
  REQUIRE(a.height == b.height);
  REQUIRE(a.width == b.width);
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

}  // namespace testing
