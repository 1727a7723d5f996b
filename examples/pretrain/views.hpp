// The two random views of an image that a run compares.
#pragma once

#include "pretrain/options.hpp"

#include <vitral/data/views.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The recipe of the run's method, with its smallest crop.
inline vitral::AugmentationPair augmentations(const PretrainOptions& o) {
  auto pair = vitral::with_method(o.method, [&](const auto& known) { return known.views(o.image); });
  pair.first.crop_min = pair.second.crop_min = o.crop_min;
  return pair;
}

}}}  // namespace vitral::programs
