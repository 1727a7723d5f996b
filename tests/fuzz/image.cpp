// PNG, JPEG and WebP files, with what they say about themselves.
#include "input.hpp"

#include <vitral/data/decode.hpp>

#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  may_fail([&] { vitral::check_image(vitral::decode_image({data, data + size}, "input")); });
  (void)vitral::exif_orientation(data, size);
  return 0;
}
