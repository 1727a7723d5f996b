// Features by which images are found again, of whole images of any shape: what DINO computes for Copydays
// (eval_copy_detection.py) and for the revisited Oxford and Paris (eval_image_retrieval.py).
#pragma once

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/data/augment.hpp>
#include <vitral/data/loader.hpp>
#include <vitral/eval/encoder.hpp>
#include <vitral/eval/feature_rows.hpp>
#include <vitral/models/patch_tokens.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// How a whole image becomes a feature; nothing is cut off but what makes no whole patch, at the right and below.
struct WholeImage {
  int size = 224;       ///< pixels of the longer side, at most, where the shape is kept; of both sides with `squash`
  bool squash = false;  ///< every image becomes a square
  Interpolation interpolation = Interpolation::bicubic;
  std::vector<double> scales{1};  ///< of each a feature, of which the mean is taken and scaled to unit length
  bool gem = false;               ///< behind the class token the patches' generalised mean with exponent 4
};

namespace detail {

/// planes [3, height, width] -> [3, floor(height * scale), floor(width * scale)], bilinear between the nearest pixels
/// alone, as PyTorch's interpolate(scale_factor=scale) without align_corners.
struct Planes {
  int height, width;
  std::vector<float> values;  // [3, height, width]
};
[[nodiscard]] inline Planes scaled(const Planes& from, double scale) {
  Planes to{static_cast<int>(from.height * scale), static_cast<int>(from.width * scale), {}};
  struct Place {
    int first, second;
    float share;  // of the second
  };
  const auto place = [&](int i, int extent) {
    const double at = std::max(0.0, (i + 0.5) / scale - 0.5);
    const int first = std::min(static_cast<int>(at), extent - 1);
    return Place{first, std::min(first + 1, extent - 1), static_cast<float>(at - first)};
  };
  std::vector<Place> columns;
  for (int x = 0; x < to.width; ++x) columns.push_back(place(x, from.width));
  to.values.reserve(3ul * static_cast<std::size_t>(to.height) * static_cast<std::size_t>(to.width));
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < to.height; ++y) {
      const Place row = place(y, from.height);
      for (const Place& column : columns) {
        const auto line = [&](int at) {
          const float* const pixels = from.values.data() + (long{c} * from.height + at) * from.width;
          return pixels[column.first] + column.share * (pixels[column.second] - pixels[column.first]);
        };
        to.values.push_back(line(row.first) + row.share * (line(row.second) - line(row.first)));
      }
    }
  return to;
}

/// The image as the network's numbers. Where its shape is kept it is made smaller, never larger.
[[nodiscard]] inline Planes planes_of(const Image& image, const WholeImage& how) {
  check_image(image);
  const double ratio = std::min(1.0, static_cast<double>(how.size) / std::max(image.height, image.width));
  const auto side = [&](int extent) {
    return how.squash ? how.size : std::max(1, static_cast<int>(std::lround(extent * ratio)));
  };
  Planes out{side(image.height), side(image.width), {}};
  out.values.resize(3ul * static_cast<std::size_t>(out.height) * static_cast<std::size_t>(out.width));
  resize(image, {0, 0, image.height, image.width}, {image.height, out.height, 0, out.height},
         {image.width, out.width, 0, out.width}, how.interpolation, false, out.values.data());
  Normalization{}(out.values.data(), out.height * out.width);
  return out;
}

/// What the network makes of the planes: the last layer's class token, and the patches' mean where it is asked for.
template <TokenEncoder Network>
[[nodiscard]] std::vector<float> feature_of(const Network& encoder, const Planes& planes, bool gem) {
  const int patch = encoder.size.patch, rows = planes.height / patch, columns = planes.width / patch;
  check(rows >= 1 && columns >= 1, "a view of ", planes.height, " x ", planes.width, " pixels has no patch of ", patch,
        " x ", patch, "; choose a larger size or larger scales");
  const auto all = ImagesOn<typename Network::backend>::from(planes.values, {1, planes.height, planes.width});
  const auto whole_patches = eval(slice<3, dyn>(slice<2, dyn>(all, 0, rows * patch), 0, columns * patch));
  const std::vector<float> values = eval(cast<float>(all_tokens(encoder, whole_patches))).to_vector();
  const auto width = static_cast<std::size_t>(encoder.size.width);
  std::vector<float> out(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(width));
  if (!gem) return out;
  const std::size_t patches = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns),
                    first = values.size() - patches * width;
  for (std::size_t c = 0; c < width; ++c) {
    double sum = 0;
    for (std::size_t p = 0; p < patches; ++p) sum += std::pow(std::max(values[first + p * width + c], 1e-6f), 4.0);
    out.push_back(static_cast<float>(std::pow(sum / static_cast<double>(patches), 0.25)));
  }
  return out;
}

inline void check_whole_image(const WholeImage& how) {
  check(how.size >= 1, "WholeImage::size is ", how.size, "; expected 1 or more pixels");
  check(!how.scales.empty(), "WholeImage::scales is empty; expected one or more, such as 1");
  for (const double scale : how.scales)
    check(scale > 0 && scale <= 4, "WholeImage::scales holds ", scale, "; expected numbers above 0 and up to 4");
}

}  // namespace detail

/// The feature of one image: [width], or [2 * width] with the patches' mean. Of one scale it is as the network gives
/// it; of several it has unit length. Positions are interpolated for each grid of patches. Throws Error where a scale
/// leaves no patch.
template <TokenEncoder Network>
[[nodiscard]] std::vector<float> whole_image_feature(const Network& encoder, const Image& image,
                                                     const WholeImage& how) {
  detail::check_whole_image(how);
  const detail::Planes planes = detail::planes_of(image, how);
  std::vector<float> sum;
  for (const double scale : how.scales) {
    const auto feature = detail::feature_of(encoder, scale == 1 ? planes : detail::scaled(planes, scale), how.gem);
    sum.resize(feature.size());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += feature[i];
  }
  if (how.scales.size() == 1) return sum;
  double square = 0;
  for (const float value : sum) square += static_cast<double>(value) * value;
  for (float& value : sum) value = static_cast<float>(value / std::sqrt(square));
  return sum;
}

/// The features of all images of a data set, one image at a time; an image that cannot be read is named on the terminal
/// and has no row. `done` is called after each with the number of images so far. Throws Error where no image can be
/// read or a feature is not finite.
///
///   const auto rows = whole_image_features(encoder, test, {.size = 320, .squash = true, .gem = true});
template <TokenEncoder Network>
[[nodiscard]] Features whole_image_features(const Network& encoder, const Dataset& data, const WholeImage& how,
                                            const std::function<void(long)>& done = {}) {
  Features out;
  out.width = encoder.size.width * (how.gem ? 2 : 1);
  out.classes = static_cast<int>(data.classes().size());
  detail::Unreadable unreadable({.unreadable = data.size()});
  for (long i = 0; i < data.size(); ++i) {
    Image image;
    try {
      image = data.image(i);
    } catch (const Error& error) {
      unreadable.note(static_cast<std::uint32_t>(i), error.what());
      if (done) done(i + 1);
      continue;
    }
    const std::vector<float> feature = whole_image_feature(encoder, image, how);
    check_finite(feature, out.width, "features of whole images", i);
    out.rows.insert(out.rows.end(), feature.begin(), feature.end());
    out.labels.push_back(data.label(i));
    out.places.push_back(i);
    if (done) done(i + 1);
  }
  check(!out.places.empty(), "features of whole images: none of the ", data.size(), " images of ", data.name(),
        " can be read");
  return out;
}

}}  // namespace vitral
