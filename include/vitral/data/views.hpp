// The views of an image that a method compares, and the published recipes for them, by name: SimCLR (Chen et al. 2020,
// appendix A), BYOL (Grill et al. 2020, appendix B, table 6), MoCo v3 (Chen, Xie and He 2021; SDSSL takes it for all
// methods) and DINO (Caron et al. 2021, after SwAV's multi-crop).
#pragma once

#include <vitral/data/augment.hpp>
#include <vitral/data/classifier_view.hpp>
#include <vitral/io/nearest.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// How one view is made: at random by an Augmentation or a ClassifierView, or always alike by a CenterView. Views are
/// squares of `size()` pixels a side.
class ImageView {
 public:
  ImageView(const Augmentation& a) : how_(a), size_(a.size) { check_augmentation(a); }  // NOLINT: each is an ImageView
  ImageView(const ClassifierView& c) : how_(c), size_(c.crop.size) {                    // NOLINT
    check_augmentation(c.crop);
    check_rand_augment(c.rand_augment);
    check_erasing(c.erasing);
  }
  ImageView(const CenterView& c) : how_(c), size_(c.size) {}  // NOLINT

  [[nodiscard]] int size() const { return size_; }

  /// The Augmentation; null where the view is another one.
  [[nodiscard]] const Augmentation* augmentation() const { return std::get_if<Augmentation>(&how_); }

  /// Writes the view to `out` [3, size, size].
  void operator()(const Image& image, Random random, float* out) const {
    if (const auto* const center = std::get_if<CenterView>(&how_)) return (*center)(image, out);
    if (const auto* const classifier = std::get_if<ClassifierView>(&how_)) return (*classifier)(image, random, out);
    std::get<Augmentation>(how_)(image, random, out);
  }

 private:
  std::variant<Augmentation, ClassifierView, CenterView> how_;
  int size_;
};

/// The views that a loader makes of each image; Batch::views has them in this order.
using ImageViews = std::vector<ImageView>;

/// What a device that makes these views has to know of each; Error where one of them is no Augmentation.
[[nodiscard]] inline std::vector<ViewShape> shapes_of(const ImageViews& views) {
  std::vector<ViewShape> shapes;
  for (const ImageView& view : views) {
    check(view.augmentation() != nullptr, "a device makes the views of an Augmentation alone, and one of ", view.size(),
          " pixels is another; use Loader");
    shapes.push_back(view.augmentation()->shape());
  }
  return shapes;
}

/// Two views of one size: two_views(moco_v3_augmentation(32)), or two of your own. Error where the sizes differ or an
/// Augmentation is impossible.
[[nodiscard]] inline ImageViews two_views(const Augmentation& first, const Augmentation& second) {
  check(first.size == second.size, "two views of ", first.size, " and ", second.size,
        " pixels; expected the same size");
  return {first, second};
}
/// The recipes of the two views that a method compares.
using AugmentationPair = std::pair<Augmentation, Augmentation>;
/// The same two views, from a pair of recipes.
[[nodiscard]] inline ImageViews two_views(const AugmentationPair& pair) { return two_views(pair.first, pair.second); }

/// MoCo v3's recipe for ViT, for views of `size` pixels a side: the first is always blurred, the second one time in
/// ten, and solarized one time in five. (For a ResNet its authors took crop_min 0.2 instead of 0.08.)
[[nodiscard]] inline AugmentationPair moco_v3_augmentation(int size) {
  Augmentation first;
  first.size = size;
  check_augmentation(first);
  Augmentation second = first;
  second.blur = 0.1;
  second.solarize = 0.2;
  return {first, second};
}

/// BYOL's recipe: that of MoCo v3 with bicubic resizing.
[[nodiscard]] inline AugmentationPair byol_augmentation(int size) {
  AugmentationPair pair = moco_v3_augmentation(size);
  pair.first.interpolation = pair.second.interpolation = Interpolation::bicubic;
  return pair;
}

/// SimCLR's recipe at colour strength 1, alike for both views: bicubic resizing, blurred every other time, never
/// solarized.
[[nodiscard]] inline AugmentationPair simclr_augmentation(int size) {
  Augmentation view = byol_augmentation(size).first;
  view.brightness = view.contrast = view.saturation = 0.8;
  view.hue = 0.2;
  view.blur = 0.5;
  return {view, view};
}

/// A random crop and flip and nothing else, as for classifiers that learn from labels (Szegedy et al. 2015).
[[nodiscard]] inline Augmentation crop_and_flip(int size) {
  Augmentation view;
  view.size = size;
  view.jitter = view.gray = view.blur = 0;
  check_augmentation(view);
  return view;
}

/// DINO's recipe for its two large views: BYOL's, of 40 to 100 percent of the image's area.
[[nodiscard]] inline AugmentationPair dino_augmentation(int size) {
  AugmentationPair pair = byol_augmentation(size);
  pair.first.crop_min = pair.second.crop_min = 0.4;
  return pair;
}

/// A line of the table: the recipe of two views, each of `size` pixels a side.
struct KnownAugmentation {
  std::string_view name;
  AugmentationPair (*views)(int size);
};

/// The table. A recipe of your own is a function like these, and a line here.
inline constexpr KnownAugmentation known_augmentations[] = {{"moco-v3", moco_v3_augmentation},
                                                            {"byol", byol_augmentation},
                                                            {"simclr", simclr_augmentation},
                                                            {"dino", dino_augmentation}};

/// The names in the table, in its order.
[[nodiscard]] inline std::vector<std::string> augmentation_names() { return names_in(known_augmentations); }

/// The views by the recipe of that name, two_views(known_augmentation("byol", 32)); Error, which lists the names, where
/// there is none.
[[nodiscard]] inline AugmentationPair known_augmentation(std::string_view name, int size) {
  return line_of(known_augmentations, "augmentation", name).views(size);
}

/// The views of multi-crop: two large ones, and `locals` small ones of small parts of the image.
struct MultiCrop {
  Augmentation first, second, local;
  int locals = 0;
};

/// DINO's multi-crop: its two large views, and small ones of 5 to 40 percent of the image's area.
[[nodiscard]] inline MultiCrop dino_multi_crop(int size = 224, int local_size = 96, int locals = 8) {
  const AugmentationPair pair = dino_augmentation(size);
  MultiCrop crops{pair.first, pair.second, pair.first, locals};
  crops.local.size = local_size;
  crops.local.crop_min = 0.05;
  crops.local.crop_max = 0.4;
  crops.local.blur = 0.5;
  return crops;
}

/// These views for a loader: the large ones, then the small ones. Error where `locals` is negative.
///
///   Loader loader(train, multi_crop(dino_multi_crop(32, 16, 6)), {.batch = 64});  // batch.views has 8
[[nodiscard]] inline ImageViews multi_crop(const MultiCrop& crops) {
  check(crops.locals >= 0, "multi-crop with ", crops.locals, " small views; expected 0 or more");
  ImageViews views = two_views(crops.first, crops.second);
  views.insert(views.end(), static_cast<std::size_t>(crops.locals), ImageView(crops.local));
  return views;
}

}}  // namespace vitral
