// How a view of an image is made: at random, by the operations that the published recipes share (views.hpp), or always
// alike, as evaluation wants it. Relies on resize.hpp, color.hpp and blur.hpp.
#pragma once

#include <vitral/backend/views.hpp>
#include <vitral/core/error.hpp>
#include <vitral/core/philox.hpp>
#include <vitral/data/blur.hpp>
#include <vitral/data/color.hpp>
#include <vitral/data/resize.hpp>
#include <vitral/io/image.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// The last step of each view: (value - mean) / deviation of each channel, whose values are in [0, 1]. The defaults are
/// those of ImageNet.
struct Normalization {
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
  std::array<float, 3> deviation{0.229f, 0.224f, 0.225f};

  /// Normalises `planes` [3, count] in place.
  void operator()(float* planes, int count) const {
    for (std::size_t c = 0; c < 3; ++c) {
      float* plane = planes + static_cast<std::ptrdiff_t>(c) * count;
      for (int i = 0; i < count; ++i) plane[i] = (plane[i] - mean[c]) / deviation[c];
    }
  }
};

/// How a random view is made; the defaults are MoCo v3's first view. Blur's sigma is in pixels of the view, as
/// published for views of 224 pixels; it is not scaled, so smaller views are blurred more strongly for their size.
struct Augmentation {
  int size = 224;                                         ///< height and width of the view
  double crop_min = 0.08;                                 ///< smallest share of the image's area in the crop ...
  double crop_max = 1.0;                                  ///< ... and the largest
  double ratio_min = 3.0 / 4.0;                           ///< smallest width / height of the crop ...
  double ratio_max = 4.0 / 3.0;                           ///< ... and the largest
  Interpolation interpolation = Interpolation::bilinear;  ///< how the crop is resized
  double flip = 0.5;                                      ///< probability of mirroring left and right
  double jitter = 0.8;                                    ///< probability of the four colour changes, in random order
  double brightness = 0.4;                                ///< factor in [1 - b, 1 + b], not below 0
  double contrast = 0.4;                                  ///< likewise
  double saturation = 0.2;                                ///< likewise
  double hue = 0.1;                                       ///< turn in [-h, h], h up to 1/2
  double gray = 0.2;                                      ///< probability of grayscale
  double blur = 1.0;                                      ///< probability of blur
  double sigma_min = 0.1;                                 ///< smallest sigma ...
  double sigma_max = 2.0;                                 ///< ... and the largest
  double solarize = 0.0;                                  ///< probability of solarize at 128 of 255
  Normalization normalize{};

  /// Writes a view of the image to `out` [3, size, size]. The same `random` gives the same view.
  void operator()(const Image& image, Random random, float* out) const;

  /// The two steps of which that consists: draw decides, for an image of these extents, and apply makes the view.
  [[nodiscard]] ViewDraw draw(int height, int width, Random random) const;
  void apply(const ViewDraw& drawn, const Image& image, float* out) const;
  /// What a device has to know for the second step beside what was drawn.
  [[nodiscard]] ViewShape shape() const;

  /// An image whose shorter side has so many pixels gives no crop that has to be enlarged, not even the smallest and
  /// longest that can be drawn.
  [[nodiscard]] int least_side() const {
    return static_cast<int>(std::ceil(size * std::sqrt(std::max(ratio_max, 1 / ratio_min) / crop_min)));
  }

  /// The crop that `random` draws from an image of these extents.
  [[nodiscard]] PixelBox crop(int height, int width, Random random) const;
};

namespace detail {

/// The index of the random number that decides each property. Fixed, so that a seed gives the same views in every
/// version.
enum Draw : std::uint64_t {
  draw_flip,
  draw_jitter,
  draw_order,
  draw_brightness,
  draw_contrast,
  draw_saturation,
  draw_hue,
  draw_gray,
  draw_blur,
  draw_sigma,
  draw_solarize,
  draw_crop = 16  // and on: four for each attempt
};

inline double between(double low, double high, double unit) { return low + (high - low) * unit; }

/// The order of the four changes that has the number `code`, 0 to 23.
inline std::array<int, 4> jitter_order(std::uint32_t code) {
  std::array<int, 4> order{0, 1, 2, 3};
  for (std::uint32_t left = 4; left > 1; code /= left, --left) std::swap(order[left - 1], order[code % left]);
  return order;
}

inline void draw_changes(const Augmentation& a, Random random, ViewDraw& drawn) {
  const std::array<double, 4> strengths{a.brightness, a.contrast, a.saturation, a.hue};
  const std::array<int, 4> order = jitter_order(random.below(draw_order, 24));
  for (std::size_t i = 0; i < 4; ++i) {
    const auto operation = static_cast<std::size_t>(order[i]);
    const double strength = strengths[operation], unit = random.uniform(draw_brightness + operation);
    if (strength <= 0) continue;
    drawn.change[i] = static_cast<ColorChange>(operation + 1);
    drawn.factor[i] = static_cast<float>(drawn.change[i] == ColorChange::hue
                                             ? between(-strength, strength, unit)
                                             : between(std::max(0.0, 1 - strength), 1 + strength, unit));
  }
}

inline void change_colors(ColorChange change, float factor, float* planes, int count) {
  switch (change) {
    case ColorChange::none: return;
    case ColorChange::brightness: return adjust_brightness(planes, count, factor);
    case ColorChange::contrast: return adjust_contrast(planes, count, factor);
    case ColorChange::saturation: return adjust_saturation(planes, count, factor);
    case ColorChange::hue: return adjust_hue(planes, count, factor);
  }
}

}  // namespace detail

inline PixelBox Augmentation::crop(int height, int width, Random random) const {
  const double area = static_cast<double>(height) * width;
  for (std::uint64_t attempt = 0; attempt < 10; ++attempt) {
    const std::uint64_t at = detail::draw_crop + 4 * attempt;
    const double target = area * detail::between(crop_min, crop_max, random.uniform(at));
    const double ratio = std::exp(detail::between(std::log(ratio_min), std::log(ratio_max), random.uniform(at + 1)));
    const int w = static_cast<int>(std::lround(std::sqrt(target * ratio)));
    const int h = static_cast<int>(std::lround(std::sqrt(target / ratio)));
    if (w < 1 || w > width || h < 1 || h > height) continue;
    return {static_cast<int>(random.below(at + 2, static_cast<std::uint32_t>(height - h + 1))),
            static_cast<int>(random.below(at + 3, static_cast<std::uint32_t>(width - w + 1))), h, w};
  }
  // Ten crops that did not fit, as happens with very long images: the largest central crop of an allowed shape.
  const double shape = static_cast<double>(width) / height;
  const int w = shape > ratio_max ? std::max(1, static_cast<int>(std::lround(height * ratio_max))) : width;
  const int h = shape < ratio_min ? std::max(1, static_cast<int>(std::lround(width / ratio_min))) : height;
  return {(height - h) / 2, (width - w) / 2, h, w};
}

inline ViewDraw Augmentation::draw(int height, int width, Random random) const {
  const auto happens = [&](double probability, detail::Draw draw) { return random.uniform(draw) < probability; };
  ViewDraw drawn;
  drawn.crop = crop(height, width, random);
  drawn.flip = happens(flip, detail::draw_flip);
  if (happens(jitter, detail::draw_jitter)) detail::draw_changes(*this, random, drawn);
  drawn.gray = happens(gray, detail::draw_gray);
  if (happens(blur, detail::draw_blur))
    drawn.sigma = detail::between(sigma_min, sigma_max, random.uniform(detail::draw_sigma));
  drawn.solarize = happens(solarize, detail::draw_solarize);
  return drawn;
}

inline void Augmentation::apply(const ViewDraw& drawn, const Image& image, float* out) const {
  check_image(image);
  const int count = size * size;
  // The recipes flip last. Here resizing does it, which costs nothing and gives the same view.
  resize(image, drawn.crop, size, interpolation, drawn.flip, out);
  for (std::size_t i = 0; i < 4; ++i) detail::change_colors(drawn.change[i], drawn.factor[i], out, count);
  if (drawn.gray) to_grayscale(out, count);
  if (drawn.sigma > 0) gaussian_blur(out, 3, size, drawn.sigma);
  if (drawn.solarize) vitral::solarize(out, count, solarize_threshold);
  normalize(out, count);
}

inline ViewShape Augmentation::shape() const {
  ViewShape out{size, interpolation};
  std::copy_n(normalize.mean.data(), 3, out.mean);
  std::copy_n(normalize.deviation.data(), 3, out.deviation);
  return out;
}

inline void Augmentation::operator()(const Image& image, Random random, float* out) const {
  check_image(image);
  apply(draw(image.height, image.width, random), image, out);
}

/// Throws Error where a size, range or strength is impossible.
inline void check_augmentation(const Augmentation& a) {
  check(a.size > 0, "a view of ", a.size, " pixels; expected at least 1");
  check(a.crop_min > 0 && a.crop_min <= a.crop_max && a.crop_max <= 1, "crops of ", a.crop_min, " to ", a.crop_max,
        " of the image's area; expected 0 < smallest <= largest <= 1");
  check(a.ratio_min > 0 && a.ratio_min <= a.ratio_max, "crops of ratio ", a.ratio_min, " to ", a.ratio_max,
        "; expected 0 < smallest <= largest");
  check(a.sigma_min > 0 && a.sigma_min <= a.sigma_max, "blur of sigma ", a.sigma_min, " to ", a.sigma_max,
        "; expected 0 < smallest <= largest");
  check(a.brightness >= 0 && a.contrast >= 0 && a.saturation >= 0 && a.hue >= 0 && a.hue <= 0.5, "colour strengths ",
        a.brightness, ", ", a.contrast, ", ", a.saturation, " and hue ", a.hue,
        "; expected none below 0, and hue at most 0.5");
}

/// How the view for evaluation is made, without chance: the image is resized so that its shorter side has `size`
/// pixels, or size * 256 / 224 where it is larger than the view; the centre is cut out and normalised. MoCo v3 takes
/// it as it is, DINO with bicubic interpolation, SDSSL with that and `squash`.
struct CenterView {
  int size = 224;
  Interpolation interpolation = Interpolation::bilinear;
  bool squash = false;  ///< the longer side is resized to as many pixels as the shorter one
  Normalization normalize{};

  /// The pixels to which the shorter side of a large image is resized; a file may be decoded at a scale that leaves
  /// them.
  [[nodiscard]] int least_side() const { return static_cast<int>(static_cast<long>(size) * 256 / 224); }

  /// Writes the view to `out` [3, size, size].
  void operator()(const Image& image, float* out) const {
    check_image(image);
    const int shorter = std::min(image.height, image.width);
    const int side = shorter > size ? least_side() : size;
    const auto axis = [&](int extent) {
      const int scaled = squash ? side : static_cast<int>(static_cast<long>(side) * extent / shorter);
      return ResizeAxis{extent, scaled, (scaled - size) / 2, size};
    };
    resize(image, {0, 0, image.height, image.width}, axis(image.height), axis(image.width), interpolation, false, out);
    normalize(out, size * size);
  }
};

/// The CenterView of so many pixels a side.
[[nodiscard]] inline CenterView center_view(int size) {
  check(size > 0, "a view of ", size, " pixels was asked for; expected at least 1");
  CenterView view;
  view.size = size;
  return view;
}

}}  // namespace vitral
