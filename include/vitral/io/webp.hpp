// Reads WebP files. Needs libwebp.
#pragma once

#include <vitral/io/exif.hpp>
#include <vitral/io/image.hpp>

#include <webp/decode.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// A WebP file as RGB, turned upright as its EXIF data say; alpha is dropped. Throws Error, with `name`, on a file that
/// is damaged, is an animation or has more than max_pixels.
[[nodiscard]] inline Image decode_webp(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  WebPBitstreamFeatures features;
  check(WebPGetFeatures(bytes.data(), bytes.size(), &features) == VP8_STATUS_OK, name, ": not a readable WebP");
  check(features.has_animation == 0, name, ": an animated WebP; convert it to an image, or remove it");
  Image image = detail::blank_image(name, features.height, features.width);
  check(WebPDecodeRGBInto(bytes.data(), bytes.size(), image.rgb.data(), image.rgb.size(), image.width * 3) != nullptr,
        name, ": not a readable WebP: truncated or damaged");
  return upright(std::move(image), webp_orientation(bytes));
}

}}  // namespace vitral
