// RandAugment (Cubuk et al. 2020) as timm has it under the name rand-m9-mstd0.5-inc1: a few of fifteen operations on an
// image's bytes, the stronger the larger the magnitude. Relies on enhance.hpp and affine.hpp.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/core/philox.hpp>
#include <vitral/data/affine.hpp>
#include <vitral/data/enhance.hpp>

#include <algorithm>
#include <cstdint>

namespace vitral { inline namespace VITRAL_ABI {

/// The operations, in timm's order. `none` is one that was passed over.
enum class PhotoOperation : std::uint8_t {
  auto_contrast,
  equalize,
  invert,
  rotate,
  posterize,
  solarize,
  solarize_add,
  color,
  contrast,
  brightness,
  sharpness,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  none
};

/// An operation and what it is told: degrees, bits to keep, a threshold, an amount, a factor, or a share of the side.
struct OperationDraw {
  PhotoOperation operation = PhotoOperation::none;
  double argument = 0;
};

/// How an image is changed; the defaults are those of rand-m9-mstd0.5-inc1, but for the number of operations: timm's
/// is 2.
struct RandAugment {
  int operations = 0;        ///< drawn with replacement
  double probability = 0.5;  ///< with which each is done
  double magnitude = 9;      ///< mean of the strength, 0 to 10 ...
  double deviation = 0.5;    ///< ... and its standard deviation

  /// Operation `k` that `random` draws.
  [[nodiscard]] OperationDraw draw(int k, Random random) const;

  /// Changes the image. What comes from outside of it has the colour `fill`.
  void operator()(Image& image, Interpolation kind, const Color& fill, Random random) const;
};

namespace detail {

/// The first index of the random numbers of the operations, eight for each: behind those of the crop.
inline constexpr std::uint64_t draw_operations = 128;

/// What an operation is told at a strength of 0 to 10; half of those that have two directions go the other way.
inline double operation_argument(PhotoOperation operation, double strength, bool negated) {
  const double sign = negated ? -1 : 1;
  switch (operation) {
    case PhotoOperation::rotate: return sign * 3 * strength;
    case PhotoOperation::posterize: return 4 - static_cast<int>(strength / 10 * 4);
    case PhotoOperation::solarize: return 256 - static_cast<int>(strength / 10 * 256);
    case PhotoOperation::solarize_add: return static_cast<int>(strength / 10 * 110);
    case PhotoOperation::color:
    case PhotoOperation::contrast:
    case PhotoOperation::brightness:
    case PhotoOperation::sharpness: return std::max(0.1, 1 + sign * 0.09 * strength);
    case PhotoOperation::shear_x:
    case PhotoOperation::shear_y: return sign * 0.03 * strength;
    case PhotoOperation::translate_x:
    case PhotoOperation::translate_y: return sign * 0.045 * strength;
    default: return 0;
  }
}

}  // namespace detail

/// Does one operation.
inline void change(Image& image, const OperationDraw& drawn, Interpolation kind, const Color& fill) {
  const double x = drawn.argument;
  switch (drawn.operation) {
    case PhotoOperation::auto_contrast: return auto_contrast(image);
    case PhotoOperation::equalize: return equalize(image);
    case PhotoOperation::invert: return invert(image);
    case PhotoOperation::rotate: image = rotated(image, x, kind, fill); return;
    case PhotoOperation::posterize: return posterize(image, static_cast<int>(x));
    case PhotoOperation::solarize: return solarize(image, static_cast<int>(x));
    case PhotoOperation::solarize_add: return solarize_add(image, static_cast<int>(x));
    case PhotoOperation::color: return enhance_color(image, x);
    case PhotoOperation::contrast: return enhance_contrast(image, x);
    case PhotoOperation::brightness: return enhance_brightness(image, x);
    case PhotoOperation::sharpness: return enhance_sharpness(image, x);
    case PhotoOperation::shear_x: image = sheared_x(image, x, kind, fill); return;
    case PhotoOperation::shear_y: image = sheared_y(image, x, kind, fill); return;
    case PhotoOperation::translate_x: image = translated_x(image, x, kind, fill); return;
    case PhotoOperation::translate_y: image = translated_y(image, x, kind, fill); return;
    case PhotoOperation::none: return;
  }
}

inline OperationDraw RandAugment::draw(int k, Random random) const {
  const std::uint64_t at = detail::draw_operations + 8 * static_cast<std::uint64_t>(k);
  if (random.uniform(at) >= probability) return {};
  const auto operation = static_cast<PhotoOperation>(random.below(at + 1, 15));
  const double strength = std::clamp(magnitude + deviation * random.normal(at + 2), 0.0, 10.0);
  return {operation, detail::operation_argument(operation, strength, random.uniform(at + 3) < 0.5)};
}

inline void RandAugment::operator()(Image& image, Interpolation kind, const Color& fill, Random random) const {
  for (int k = 0; k < operations; ++k) change(image, draw(k, random), kind, fill);
}

/// Throws Error where a number is impossible.
inline void check_rand_augment(const RandAugment& r) {
  check(r.operations >= 0 && r.operations <= 16, "RandAugment: ", r.operations, " operations; expected 0 to 16");
  check(r.probability >= 0 && r.probability <= 1, "RandAugment: a probability of ", r.probability, "; expected 0 to 1");
  check(r.magnitude >= 0 && r.magnitude <= 10 && r.deviation >= 0, "RandAugment: a magnitude of ", r.magnitude,
        " and a deviation of ", r.deviation, "; expected 0 to 10, and 0 or more");
}

}}  // namespace vitral
