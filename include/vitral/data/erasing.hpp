// Random erasing (Zhong et al. 2020): noise in the place of a rectangle of a view, as timm's RandomErasing has it in
// its mode "pixel".
#pragma once

#include <vitral/backend/views.hpp>
#include <vitral/core/error.hpp>
#include <vitral/core/philox.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace vitral { inline namespace VITRAL_ABI {

/// Where and how often a view is erased; the defaults are timm's and DeiT's, but for the probability: DeiT's is 0.25.
struct RandomErasing {
  double probability = 0;
  double area_min = 0.02;       ///< smallest share of the view's area ...
  double area_max = 1.0 / 3.0;  ///< ... and the largest
  double ratio_min = 0.3;       ///< smallest height / width; the largest is its inverse

  /// The rectangle that `random` draws in a view of `side` pixels a side; of height 0 where none is erased. `Draws` has
  /// uniform and below as Random has them.
  template <class Draws = Random>
  [[nodiscard]] PixelBox draw(int side, const Draws& random) const;

  /// Puts a standard normal number in the place of each value of that rectangle, in `planes` [3, side, side], which are
  /// normalised already.
  void operator()(float* planes, int side, Random random) const;
};

namespace detail {

/// The first index of the random numbers that decide about erasing, and of those that are put there, apart from those
/// that a view is drawn by.
inline constexpr std::uint64_t draw_erasing = 256, draw_noise = std::uint64_t{1} << 32;

}  // namespace detail

template <class Draws>
PixelBox RandomErasing::draw(int side, const Draws& random) const {
  if (random.uniform(detail::draw_erasing) >= probability) return {};
  const double area = static_cast<double>(side) * side, longest = -std::log(ratio_min);
  for (std::uint64_t attempt = 0; attempt < 10; ++attempt) {
    const std::uint64_t at = detail::draw_erasing + 1 + 4 * attempt;
    const double target = area * (area_min + (area_max - area_min) * random.uniform(at));
    const double ratio = std::exp(longest * (2 * random.uniform(at + 1) - 1));
    const int height = static_cast<int>(std::lround(std::sqrt(target * ratio)));
    const int width = static_cast<int>(std::lround(std::sqrt(target / ratio)));
    if (height >= side || width >= side) continue;
    return {static_cast<int>(random.below(at + 2, static_cast<std::uint32_t>(side - height + 1))),
            static_cast<int>(random.below(at + 3, static_cast<std::uint32_t>(side - width + 1))), height, width};
  }
  return {};
}

/// Puts noise(i) in the place of each value of the rectangle `box` of `planes` [3, side, side]; i is the value's index.
template <class Noise>
void erase(float* planes, int side, const PixelBox& box, const Noise& noise) {
  for (int c = 0; c < 3; ++c)
    for (int y = box.top; y < box.top + box.height; ++y)
      for (int x = box.left; x < box.left + box.width; ++x) {
        const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(c) * side + y) * side + x;
        planes[at] = static_cast<float>(noise(static_cast<std::uint64_t>(at)));
      }
}

inline void RandomErasing::operator()(float* planes, int side, Random random) const {
  erase(planes, side, draw(side, random), [&](std::uint64_t i) { return random.normal(detail::draw_noise + i); });
}

/// Throws Error where a probability, share or ratio is impossible.
inline void check_erasing(const RandomErasing& e) {
  check(e.probability >= 0 && e.probability <= 1, "RandomErasing: a probability of ", e.probability,
        "; expected 0 to 1");
  check(e.area_min > 0 && e.area_min <= e.area_max && e.area_max <= 1, "RandomErasing: ", e.area_min, " to ",
        e.area_max, " of a view's area; expected 0 < smallest <= largest <= 1");
  check(e.ratio_min > 0 && e.ratio_min <= 1, "RandomErasing: a smallest ratio of ", e.ratio_min,
        "; expected above 0 and at most 1");
}

}}  // namespace vitral
