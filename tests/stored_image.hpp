// Images as the fixtures hold them: tensors [height, width, 3] of bytes.
#pragma once

#include <vitral/io/image.hpp>
#include <vitral/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace testing {

inline vitral::Image image_of(const vitral::SafetensorsFile& file, const std::string& name) {
  const auto& shape = file.tensor(name).shape;
  REQUIRE(shape.size() == 3);
  REQUIRE(shape[2] == 3);
  return {static_cast<int>(shape[0]), static_cast<int>(shape[1]), file.values<std::uint8_t>(name)};
}

}  // namespace testing
