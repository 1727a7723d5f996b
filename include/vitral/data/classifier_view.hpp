// The random view from which a classifier learns: what timm's create_transform makes for training. Relies on
// augment.hpp, erasing.hpp.
#pragma once

#include <vitral/data/augment.hpp>
#include <vitral/data/erasing.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// A crop, flipped every other time, normalised, of which a rectangle is erased at times.
///
///   Loader loader(train, {ClassifierView{crop_and_flip(224), {.probability = 0.25}}}, {.batch = 256});
struct ClassifierView {
  Augmentation crop;
  RandomErasing erasing{};

  /// Writes a view of the image to `out` [3, crop.size, crop.size]. The same `random` gives the same view.
  void operator()(const Image& image, Random random, float* out) const {
    crop(image, random, out);
    erasing(out, crop.size, random);
  }
};

}}  // namespace vitral
