// Views of images as kernels take them: what a batch of views has in common, and what chance has decided about each, in
// plain numbers. data/augment.hpp draws them.
#pragma once

#include <vitral/backend/pixels.hpp>

#include <cstdint>

namespace vitral { inline namespace VITRAL_ABI {

/// A rectangle of whole pixels.
struct PixelBox {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};

/// The changes of the colour jitter.
enum class ColorChange : std::uint8_t { none, brightness, contrast, saturation, hue };

/// All that chance decides about a view.
struct ViewDraw {
  PixelBox crop;
  float factor[4] = {};        ///< of each of the four changes; of hue, the turn
  ColorChange change[4] = {};  ///< in the order in which they are made
  bool flip = false;
  bool gray = false;
  bool solarize = false;
  double sigma = 0;  ///< of the blur; 0: none
};

/// From which value on solarize inverts: 128 of 255.
inline constexpr float solarize_threshold = 128.0f / 255.0f;

/// A view to make of an image whose rows, three bytes a pixel, begin at byte `first` of those that come with the jobs.
struct ViewJob {
  ViewDraw drawn;
  std::uint64_t first = 0;
  int width = 0;  ///< of the image
};

/// What the views of a batch have in common.
struct ViewShape {
  int side = 0;  ///< of each view, which is square
  Interpolation interpolation = Interpolation::bilinear;
  float mean[3] = {}, deviation[3] = {};  ///< of the normalisation, by channel
};

}}  // namespace vitral
