// Which object each pixel of an image belongs to.
#pragma once

#include <vitral/core/config.hpp>

#include <cstdint>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The object that each pixel belongs to, row by row: 0 is the background, 255 is void, which is not judged.
struct LabelMap {
  static constexpr int void_label = 255;
  int height = 0, width = 0;
  std::vector<std::uint8_t> label;
};

}}  // namespace vitral
