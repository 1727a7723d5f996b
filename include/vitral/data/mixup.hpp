// Batches whose images are mixed two by two: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), as timm's Mixup
// does it in its mode "batch". Relies on loader.hpp.
#pragma once

#include <vitral/backend/cpu/threads.hpp>
#include <vitral/data/loader.hpp>

#include <cmath>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// How a batch is mixed with itself in reverse order. Each image keeps the share `lambda`; the rest is its partner's:
/// in each pixel where `cut` is empty, else as that rectangle.
struct MixDraw {
  double lambda = 1;
  PixelBox cut{};
};

/// Mixup or CutMix for each batch; the defaults are DeiT's.
struct Mixup {
  double mixup = 0.8;      ///< mixup's lambda is drawn from Beta(mixup, mixup); 0: CutMix alone
  double cutmix = 1.0;     ///< likewise CutMix's; 0: mixup alone
  double switching = 0.5;  ///< probability of CutMix where both are possible
  double smoothing = 0.1;  ///< probability that a target shares out among all classes

  /// What `random` draws for a batch of images of these extents. CutMix's rectangle is cut off at the borders, and
  /// lambda is what it leaves.
  [[nodiscard]] MixDraw draw(int height, int width, Random random) const;
};

/// A number from Beta(alpha, alpha), of the random number `index` alone (Bailey 1994: by Student's t, in polar form).
[[nodiscard]] inline double symmetric_beta(double alpha, Random random, std::uint64_t index) {
  const Philox::Counter word = random.block(index);
  const double u = (word[0] + 1.0) * 0x1p-32, angle = word[1] * (6.283185307179586477 * 0x1p-32);  // 0 < u <= 1
  const double power = std::pow(u, 1 / alpha), c = std::cos(angle), square = c * c * (1 - power);
  if (square == 0) return 0.5;
  return 0.5 + std::copysign(0.5 * std::sqrt(square / (power + square)), c);
}

/// CutMix of images of these extents, for a lambda and the centre of the rectangle: timm's rand_bbox, whose sides are
/// sqrt(1 - lambda) of the image's. It is cut off at the borders, and the lambda of the result is what it leaves.
[[nodiscard]] inline MixDraw cutmix_around(int row, int column, double lambda, int height, int width) {
  const double side = std::sqrt(1 - lambda);
  const auto span = [&](int extent, int center) {  // first and last + 1
    const int half = static_cast<int>(extent * side) / 2;
    return std::pair(std::max(0, center - half), std::min(extent, center + half));
  };
  const auto [top, bottom] = span(height, row);
  const auto [left, right] = span(width, column);
  const PixelBox cut{top, left, bottom - top, right - left};
  return {1 - static_cast<double>(cut.height) * cut.width / (static_cast<double>(height) * width), cut};
}

inline MixDraw Mixup::draw(int height, int width, Random random) const {
  enum Draw : std::uint64_t { draw_kind, draw_lambda, draw_row, draw_column };
  const bool cuts = mixup <= 0 || (cutmix > 0 && random.uniform(draw_kind) < switching);
  const double lambda = symmetric_beta(cuts ? cutmix : mixup, random, draw_lambda);
  if (!cuts) return {lambda, {}};
  const auto place = [&](Draw draw, int extent) {
    return static_cast<int>(random.below(draw, static_cast<std::uint32_t>(extent)));
  };
  return cutmix_around(place(draw_row, height), place(draw_column, width), lambda, height, width);
}

/// Mixes images [batch, 3, height, width] in place.
inline void mix(const MixDraw& drawn, const Tensor<float, Shape<dyn, 3, dyn, dyn>, Cpu>& images) {
  const int last = images.extent(0) - 1, width = images.extent(3);
  const long plane = long{images.extent(2)} * width;
  const auto keep = static_cast<float>(drawn.lambda), rest = static_cast<float>(1 - drawn.lambda);
  const auto sum = [&](float* a, float* b) {
    for (long i = 0; i < 3 * plane; ++i) {
      const float x = a[i], y = b[i];
      a[i] = keep * x + rest * y;
      b[i] = keep * y + rest * x;
    }
  };
  const auto cut = [&](float* a, float* b) {
    const PixelBox& box = drawn.cut;
    for (int c = 0; c < 3; ++c)
      for (int y = box.top; y < box.top + box.height; ++y) {
        const long at = c * plane + long{y} * width + box.left;
        std::swap_ranges(a + at, a + at + box.width, b + at);
      }
  };
  cpu::parallel_for((last + 1) / 2, [&](long i) {  // with an odd number the middle one is its own partner
    float *const a = images.data() + i * 3 * plane, *const b = images.data() + (last - i) * 3 * plane;
    drawn.cut.height > 0 && drawn.cut.width > 0 ? cut(a, b) : sum(a, b);
  });
}

/// What a classifier is to say about images that were mixed: [batch, classes], each row with the sum 1. Error where a
/// label is none of 0 to classes - 1.
[[nodiscard]] inline Tensor<float, Shape<dyn, dyn>, Cpu> mixed_targets(const MixDraw& drawn,
                                                                       const Tensor<int, Shape<dyn>, Cpu>& labels,
                                                                       int classes, double smoothing) {
  const int count = labels.extent(0);
  Tensor<float, Shape<dyn, dyn>, Cpu> out;
  detail::make_room(out, {count, classes});
  std::fill_n(out.data(), out.size(), static_cast<float>(smoothing / classes));
  const int* const label = labels.data();
  for (int i = 0; i < count; ++i) {
    const int own = label[i], other = label[count - 1 - i];
    for (const int of : {own, other})
      check(of >= 0 && of < classes, "mixed_targets: label ", of, " is not one of 0 to ", classes - 1);
    float* const row = out.data() + long{i} * classes;
    row[own] += static_cast<float>((1 - smoothing) * drawn.lambda);
    row[other] += static_cast<float>((1 - smoothing) * (1 - drawn.lambda));
  }
  return out;
}

/// A batch of mixed images, with what a classifier is to say about each. `labels` are those of the images that keep the
/// share lambda.
template <class B>
struct MixedBatch : ImageBatch<B> {
  Tensor<float, Shape<dyn, dyn>, B> targets;  ///< [size, classes]
};
/// The batch on another backend.
template <class To, class B>
[[nodiscard]] MixedBatch<To> to_backend(const MixedBatch<B>& batch) {
  return {to_backend<To>(static_cast<const ImageBatch<B>&>(batch)), to_backend<To>(batch.targets)};
}

/// A source of mixed batches: those of a loader, whose first views are mixed by what its seed, the epoch and the
/// batch's number draw. Supervised takes the targets. Error where neither mixup nor CutMix is possible, or the images
/// have no labels.
///
///   MixingLoader mixed(Loader(train, {crop_and_flip(32)}, {.batch = 256}), Mixup{});
///   const Sequential classifier(encoder, Linear<192, 10>(Seed{1}));
///   Trainer(Supervised(classifier), AdamW{}, Schedule{.epochs = 100}).fit(mixed);
class MixingLoader {
 public:
  using batch_type = MixedBatch<Cpu>;

  MixingLoader(Loader loader, const Mixup& how)
      : loader_(std::move(loader)), how_(how), classes_(static_cast<int>(loader_.dataset().classes().size())) {
    check(how.mixup >= 0 && how.cutmix >= 0 && how.mixup + how.cutmix > 0, "MixingLoader: Mixup::mixup ", how.mixup,
          " and Mixup::cutmix ", how.cutmix, "; expected numbers of 0 or more, and one of them above 0");
    check(how.switching >= 0 && how.switching <= 1 && how.smoothing >= 0 && how.smoothing < 1,
          "MixingLoader: Mixup::switching ", how.switching, " and Mixup::smoothing ", how.smoothing,
          "; expected 0 to 1, and the smoothing below 1");
    check(classes_ > 0, "MixingLoader: the images of ", loader_.dataset().name(), " have no labels to mix");
  }

  [[nodiscard]] long batches() const { return loader_.batches(); }
  void start(long epoch, long first_batch = 0) { loader_.start(epoch, first_batch); }
  bool next(MixedBatch<Cpu>& batch) {
    if (!loader_.next(batch)) return false;
    const Random random{loader_.options().seed, stream_mix + static_cast<std::uint64_t>(batch.epoch),
                        static_cast<std::uint64_t>(batch.index)};
    const MixDraw drawn = how_.draw(batch.views[0].extent(2), batch.views[0].extent(3), random);
    mix(drawn, batch.views[0]);
    batch.targets = mixed_targets(drawn, batch.labels, classes_, how_.smoothing);
    return true;
  }
  void stop() { loader_.stop(); }
  /// An epoch as a range: for (const auto& batch : mixed.epoch(3)) ...
  [[nodiscard]] Epoch<MixingLoader> epoch(long number, long first_batch = 0) { return {*this, number, first_batch}; }

 private:
  Loader loader_;
  Mixup how_;
  int classes_;
};

}}  // namespace vitral
