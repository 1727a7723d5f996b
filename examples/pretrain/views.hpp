// The two random views of an image that a run compares.
#pragma once

#include "pretrain/options.hpp"

#include <vitral/data/views.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The recipe of the run's method, with its smallest crop.
inline vitral::AugmentationPair augmentations(const PretrainOptions& o) {
  auto pair = o.base_method() == "simclr" ? vitral::simclr_augmentation(o.image)
              : o.base_method() == "byol" ? vitral::byol_augmentation(o.image)
                                          : vitral::moco_v3_augmentation(o.image);
  pair.first.crop_min = pair.second.crop_min = o.crop_min;
  return pair;
}

}}}  // namespace vitral::programs
