// Label maps: which object each pixel of an image belongs to.
#pragma once

#include <vitral/io/image.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The number of each pixel's object, row by row. 0 is the background; void pixels, 255, are not judged.
struct LabelMap {
  static constexpr int void_label = 255;
  int height = 0, width = 0;
  std::vector<std::uint8_t> label;
};

/// Black for the background, white for void; the objects take seven colours in turn that colour-blind eyes tell apart
/// (Okabe and Ito).
[[nodiscard]] constexpr Color label_color(int label) {
  constexpr std::array<Color, 7> colors{
      {{230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {240, 228, 66}, {0, 114, 178}, {213, 94, 0}, {204, 121, 167}}};
  if (label == 0) return {0, 0, 0};
  if (label == LabelMap::void_label) return {255, 255, 255};
  return colors[static_cast<std::size_t>(label - 1) % colors.size()];
}

}}  // namespace vitral
