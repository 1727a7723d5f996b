// The same share of every class of a data set, drawn by a seed: for training with few labels.
#pragma once

#include <vitral/core/philox.hpp>
#include <vitral/data/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace vitral::inline VITRAL_ABI {

/// Places in `labels`, ascending, of round(share * n) of the n pictures of each class, and at least one of each that
/// has any. With one seed a larger share contains every smaller one. Throws Error unless 0 < share <= 1 and each label
/// is one of 0 to classes - 1.
[[nodiscard]] inline std::vector<long> share_of_each_class(const std::vector<int>& labels, int classes, double share,
                                                           Seed seed) {
  check(share > 0 && share <= 1, "a share of ", share, " of each class was asked for; expected above 0 and at most 1");
  constexpr std::uint64_t stream = 0x10000000;  // apart from the loader's
  const Random random{seed.value, stream, 0};
  std::vector<std::vector<std::pair<std::uint32_t, long>>> members(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    check(labels[i] >= 0 && labels[i] < classes, "label ", labels[i], " is not one of 0 to ", classes - 1);
    members[static_cast<std::size_t>(labels[i])].emplace_back(random.bits(i), static_cast<long>(i));
  }
  std::vector<long> places;
  for (auto& drawn : members) {
    if (drawn.empty()) continue;
    std::sort(drawn.begin(), drawn.end());
    const long wanted = std::max(1l, std::lround(share * static_cast<double>(drawn.size())));
    for (long k = 0; k < wanted; ++k) places.push_back(drawn[static_cast<std::size_t>(k)].second);
  }
  std::sort(places.begin(), places.end());
  return places;
}

/// The data set that has share_of_each_class alone.
[[nodiscard]] inline Dataset class_subset(const Dataset& data, double share, Seed seed) {
  std::vector<int> labels(static_cast<std::size_t>(data.size()));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = data.label(static_cast<long>(i));
  return select_images(data, share_of_each_class(labels, static_cast<int>(data.classes().size()), share, seed));
}

}  // namespace vitral::inline VITRAL_ABI
