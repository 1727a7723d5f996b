// How well objects of a video were segmented: DAVIS's region similarity J and contour accuracy F (Perazzi et al. 2016),
// as the toolkit of DAVIS 2017 computes them.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/io/label_map.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Throws Error where a mask has no pixels, or not one label for each.
inline void check_label_map(const LabelMap& map) {
  check(map.height >= 1 && map.width >= 1 && static_cast<long>(map.label.size()) == long{map.height} * map.width,
        "segmentation: ", map.label.size(), " labels for a mask of ", map.height, " x ", map.width, " pixels");
}

namespace detail {

/// 1 for the pixels of one object, without those that are void in the truth; 0 for the others.
inline std::vector<std::uint8_t> object_pixels(const LabelMap& map, const LabelMap& truth, int object) {
  check_label_map(map);
  check_label_map(truth);
  check(map.height == truth.height && map.width == truth.width, "segmentation: a mask of ", map.height, " x ",
        map.width, " pixels cannot be compared with one of ", truth.height, " x ", truth.width);
  std::vector<std::uint8_t> inside(map.label.size());
  for (std::size_t i = 0; i < inside.size(); ++i)
    inside[i] = map.label[i] == object && truth.label[i] != LabelMap::void_label;
  return inside;
}

/// 1 for the pixels on a boundary: those that differ from the pixel to the right, below, or below to the right, as far
/// as these are inside the mask.
inline std::vector<std::uint8_t> boundary(const std::vector<std::uint8_t>& inside, int height, int width) {
  std::vector<std::uint8_t> out(inside.size());
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const auto at = [&](int down, int right) {
        const long row = std::min(y + down, height - 1), column = std::min(x + right, width - 1);
        return inside[static_cast<std::size_t>(row * width + column)];
      };
      out[static_cast<std::size_t>(long{y} * width + x)] =
          at(0, 0) != at(0, 1) || at(0, 0) != at(1, 0) || at(0, 0) != at(1, 1);
    }
  return out;
}

/// The share of the pixels of `from` that have a pixel of `to` within `radius`. `from` must have some.
inline double matched_share(const std::vector<std::uint8_t>& from, const std::vector<std::uint8_t>& to, int height,
                            int width, int radius) {
  long count = 0, matched = 0;
  const auto near = [&](int y, int x) {
    for (int row = std::max(0, y - radius); row <= std::min(height - 1, y + radius); ++row) {
      const int reach = static_cast<int>(std::sqrt(radius * radius - (row - y) * (row - y)));
      const auto begin = to.begin() + long{row} * width;
      const auto end = begin + std::min(width, x + reach + 1);
      if (std::find(begin + std::max(0, x - reach), end, 1) != end) return true;
    }
    return false;
  };
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      if (from[static_cast<std::size_t>(long{y} * width + x)] != 0) {
        ++count;
        matched += near(y, x);
      }
  return static_cast<double>(matched) / static_cast<double>(count);
}

}  // namespace detail

/// J: the intersection of both masks of the object over their union; 1 where both are empty.
[[nodiscard]] inline double region_similarity(const LabelMap& found, const LabelMap& truth, int object) {
  const auto a = detail::object_pixels(found, truth, object), b = detail::object_pixels(truth, truth, object);
  long both = 0, either = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += a[i] & b[i];
    either += a[i] | b[i];
  }
  return either > 0 ? static_cast<double>(both) / static_cast<double>(either) : 1;
}

/// F: the harmonic mean of precision and recall of the object's boundary. A pixel of it is right where the other
/// boundary is within 0.008 of the image's diagonal, rounded up to pixels.
[[nodiscard]] inline double contour_accuracy(const LabelMap& found, const LabelMap& truth, int object) {
  const int height = truth.height, width = truth.width;
  const int radius = static_cast<int>(std::ceil(0.008 * std::sqrt(double(height) * height + double(width) * width)));
  const auto a = detail::boundary(detail::object_pixels(found, truth, object), height, width),
             b = detail::boundary(detail::object_pixels(truth, truth, object), height, width);
  const bool found_any = std::find(a.begin(), a.end(), 1) != a.end(), any = std::find(b.begin(), b.end(), 1) != b.end();
  if (!found_any || !any) return found_any == any ? 1 : 0;
  const double precision = detail::matched_share(a, b, height, width, radius),
               recall = detail::matched_share(b, a, height, width, radius);
  return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}

/// What DAVIS reports of an object's J or F over the frames of a video.
struct SegmentationScore {
  double mean = 0;
  double recall = 0;  ///< the share of frames above 0.5
  double decay = 0;   ///< the mean of the first quarter of frames less that of the last
};

/// The score of an object's J or F in each frame. Throws Error where there are no frames.
[[nodiscard]] inline SegmentationScore segmentation_score(const std::vector<double>& frames) {
  check(!frames.empty(), "segmentation: there are no frames to judge");
  const auto mean = [&](std::size_t begin, std::size_t end) {
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += frames[i];
    return sum / static_cast<double>(end - begin);
  };
  // Quarters have their border frames in common. These are evenly spaced, rounded to even as NumPy does.
  const std::size_t last = frames.size() - 1;
  const auto border = [&](int quarter) {
    return static_cast<std::size_t>(std::nearbyint(1 + static_cast<double>(last) * quarter / 4 + 1e-10)) - 1;
  };
  SegmentationScore score{mean(0, frames.size()), 0, mean(0, border(1) + 1) - mean(border(3), frames.size())};
  for (const double frame : frames) score.recall += frame > 0.5;
  score.recall /= static_cast<double>(frames.size());
  return score;
}

}}  // namespace vitral
