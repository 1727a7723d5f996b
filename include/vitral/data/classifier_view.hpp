// The random view from which a classifier learns: what timm's create_transform makes for training. Relies on
// augment.hpp, rand_augment.hpp and erasing.hpp.
#pragma once

#include <vitral/data/augment.hpp>
#include <vitral/data/erasing.hpp>
#include <vitral/data/rand_augment.hpp>
#include <vitral/data/sheet.hpp>

#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// A crop, flipped every other time, changed by RandAugment, normalised, and a rectangle of it erased at times.
///
///   const ClassifierView view{crop_and_flip(224), {.operations = 2}, {.probability = 0.25}};
///   Loader loader(train, {view}, {.batch = 256});
struct ClassifierView {
  Augmentation crop;
  RandAugment rand_augment{};
  RandomErasing erasing{};

  /// Writes a view of the image to `out` [3, crop.size, crop.size]. The same `random` gives the same view.
  void operator()(const Image& image, Random random, float* out) const {
    if (rand_augment.operations > 0)
      change_crop(image, random, out);
    else
      crop(image, random, out);
    erasing(out, crop.size, random);
  }

 private:
  /// As PIL has it: the crop becomes bytes, what comes from outside of it gets the mean colour.
  void change_crop(const Image& image, Random random, float* out) const {
    Augmentation plain = crop;
    plain.normalize = {{0, 0, 0}, {1, 1, 1}};
    plain(image, random, out);
    Image bytes = image_from_floats(out, crop.size);
    Color mean{};
    for (std::size_t c = 0; c < 3; ++c)
      mean[c] = static_cast<std::uint8_t>(std::lround(std::clamp(255 * crop.normalize.mean[c], 0.0f, 255.0f)));
    rand_augment(bytes, crop.interpolation, mean, random);
    const std::size_t count = bytes.rgb.size() / 3;
    for (std::size_t i = 0; i < bytes.rgb.size(); ++i)
      out[i % 3 * count + i / 3] = static_cast<float>(bytes.rgb[i]) / 255;
    crop.normalize(out, static_cast<int>(count));
  }
};

}}  // namespace vitral
