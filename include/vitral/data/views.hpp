// Which views of an image a method compares: the published recipes of SimCLR, BYOL, MoCo v3 and DINO.
// Chen et al. 2020 (SimCLR, appendix A); Grill et al. 2020 (BYOL, appendix B, table 6); Chen, Xie and He 2021 (MoCo v3,
// whose recipe SDSSL uses); Caron et al. 2021 (DINO, after SwAV's multi-crop).
#pragma once

#include <vitral/data/augment.hpp>

#include <utility>
#include <variant>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// How one view is made, random (an Augmentation) or not (a CenterView); square, of `size()` pixels a side.
class ImageView {
 public:
  ImageView(const Augmentation& a) : how_(a) { check_augmentation(a); }  // NOLINT: an Augmentation is a ImageView
  ImageView(const CenterView& c) : how_(c) {}                            // NOLINT

  [[nodiscard]] int size() const {
    return std::visit([](const auto& how) { return how.size; }, how_);
  }

  /// How a random view is made; null where chance decides nothing.
  [[nodiscard]] const Augmentation* augmentation() const { return std::get_if<Augmentation>(&how_); }

  /// Writes the view, [3, size, size].
  void operator()(const Image& image, Random random, float* out) const {
    if (const Augmentation* const a = augmentation()) return (*a)(image, random, out);
    std::get<CenterView>(how_)(image, out);
  }

 private:
  std::variant<Augmentation, CenterView> how_;
};

/// The views of an image, in the order in which a batch holds them.
using Views = std::vector<ImageView>;

/// Throws Error if either is impossible or their sizes differ.
[[nodiscard]] inline Views two_views(const Augmentation& first, const Augmentation& second) {
  check(first.size == second.size, "two views of ", first.size, " and ", second.size,
        " pixels; expected the same size");
  return {first, second};
}
using AugmentationPair = std::pair<Augmentation, Augmentation>;
[[nodiscard]] inline Views two_views(const AugmentationPair& pair) { return two_views(pair.first, pair.second); }

/// MoCo v3's recipe for ViT: blur 1 and 0.1, solarize 0 and 0.2. The published smallest crop is 0.08 (its ResNet: 0.2).
[[nodiscard]] inline AugmentationPair moco_v3_augmentation(int size) {
  Augmentation first;
  first.size = size;
  check_augmentation(first);
  Augmentation second = first;
  second.blur = 0.1;
  second.solarize = 0.2;
  return {first, second};
}

/// BYOL's recipe: MoCo v3's, with bicubic resizing.
[[nodiscard]] inline AugmentationPair byol_augmentation(int size) {
  AugmentationPair pair = moco_v3_augmentation(size);
  pair.first.interpolation = pair.second.interpolation = Interpolation::bicubic;
  return pair;
}

/// SimCLR's recipe at colour strength 1, the same for both views: bicubic resizing, blur 0.5, no solarize.
[[nodiscard]] inline AugmentationPair simclr_augmentation(int size) {
  Augmentation view = byol_augmentation(size).first;
  view.brightness = view.contrast = view.saturation = 0.8;
  view.hue = 0.2;
  view.blur = 0.5;
  return {view, view};
}

/// Random crop and flip alone, as classifiers are trained with labels (Szegedy et al. 2015).
[[nodiscard]] inline Augmentation crop_and_flip(int size) {
  Augmentation view;
  view.size = size;
  view.jitter = view.gray = view.blur = 0;
  check_augmentation(view);
  return view;
}

/// Two large views and `locals` small ones of small parts.
struct MultiCrop {
  Augmentation first, second, local;
  int locals = 0;
};

/// DINO's recipe: large views of 40 to 100 percent of the area, small ones of 5 to 40 percent.
[[nodiscard]] inline MultiCrop dino_augmentation(int size = 224, int local_size = 96, int locals = 8) {
  const AugmentationPair pair = byol_augmentation(size);
  MultiCrop crops{pair.first, pair.second, pair.first, locals};
  crops.first.crop_min = crops.second.crop_min = 0.4;
  crops.local.size = local_size;
  crops.local.crop_min = 0.05;
  crops.local.crop_max = 0.4;
  crops.local.blur = 0.5;
  return crops;
}

/// The large views, then the small ones.
[[nodiscard]] inline Views multi_crop(const MultiCrop& crops) {
  check(crops.locals >= 0, "multi-crop with ", crops.locals, " small views; expected 0 or more");
  Views views = two_views(crops.first, crops.second);
  views.insert(views.end(), static_cast<std::size_t>(crops.locals), ImageView(crops.local));
  return views;
}

}}  // namespace vitral
