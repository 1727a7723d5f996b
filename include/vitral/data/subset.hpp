// Parts of a data set that stand for the whole: their images are drawn by a seed, from every class its share.
#pragma once

#include <vitral/core/philox.hpp>
#include <vitral/data/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The class of every image; images without labels are all of one class.
inline std::vector<int> class_numbers(const Dataset& data) {
  std::vector<int> out(static_cast<std::size_t>(data.size()));
  if (!data.classes().empty())
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = data.label(static_cast<long>(i));
  return out;
}

/// For each class the numbers of its images, each with the random number that `seed` gives it, in the order of these.
using Drawn = std::vector<std::vector<std::pair<std::uint32_t, long>>>;
inline Drawn drawn_by_class(const std::vector<int>& labels, std::size_t classes, Seed seed) {
  constexpr std::uint64_t stream = 0x10000000;  // apart from the loader's
  const Random random{seed.value, stream, 0};
  Drawn members(classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    check(labels[i] >= 0 && static_cast<std::size_t>(labels[i]) < classes, "label ", labels[i], " is not one of 0 to ",
          static_cast<long>(classes) - 1);
    members[static_cast<std::size_t>(labels[i])].emplace_back(random.bits(i), static_cast<long>(i));
  }
  for (auto& drawn : members) std::sort(drawn.begin(), drawn.end());
  return members;
}
inline Drawn drawn_by_class(const Dataset& data, Seed seed) {
  return drawn_by_class(class_numbers(data), std::max<std::size_t>(1, data.classes().size()), seed);
}

}  // namespace detail

/// The numbers of `count` images that `seed` draws, ascending: of each class its share of the data set, give or take
/// one image; all images where there are no more. With one seed a larger count has all images of a smaller one.
[[nodiscard]] inline std::vector<long> spread_places(const Dataset& data, long count, Seed seed) {
  check(count > 0, "a subset of ", count, " images of ", data.name(), " was asked for; expected at least 1");
  std::vector<long> places(static_cast<std::size_t>(std::min(count, data.size())));
  if (count >= data.size()) {
    std::iota(places.begin(), places.end(), 0l);
    return places;
  }
  // Image j of the n of a class is due when a share of (j + 1/2) / n of the whole has been taken.
  std::vector<std::tuple<double, std::uint32_t, long>> due;
  for (const auto& drawn : detail::drawn_by_class(data, seed))
    for (std::size_t j = 0; j < drawn.size(); ++j)
      due.emplace_back((static_cast<double>(j) + 0.5) / static_cast<double>(drawn.size()), drawn[j].first,
                       drawn[j].second);
  std::nth_element(due.begin(), due.begin() + count, due.end());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = std::get<2>(due[i]);
  std::sort(places.begin(), places.end());
  return places;
}

/// The data set of the images that spread_places names: subset(train, 2048).
[[nodiscard]] inline Dataset subset(const Dataset& data, long count, Seed seed = {}) {
  return select_images(data, spread_places(data, count, seed));
}

/// The places in `labels`, ascending, of round(share * n) of the n images of each class that `seed` draws, and at least
/// one of each class that has any. With one seed a larger share has all images of a smaller one. Error unless
/// 0 < share <= 1 and each label is one of 0 to classes - 1.
[[nodiscard]] inline std::vector<long> share_of_each_class(const std::vector<int>& labels, int classes, double share,
                                                           Seed seed) {
  check(share > 0 && share <= 1, "a share of ", share, " of each class was asked for; expected above 0 and at most 1");
  std::vector<long> places;
  for (const auto& drawn : detail::drawn_by_class(labels, static_cast<std::size_t>(classes), seed)) {
    if (drawn.empty()) continue;
    const long wanted = std::max(1l, std::lround(share * static_cast<double>(drawn.size())));
    for (long k = 0; k < wanted; ++k) places.push_back(drawn[static_cast<std::size_t>(k)].second);
  }
  std::sort(places.begin(), places.end());
  return places;
}

/// The data set of the images that share_of_each_class names.
[[nodiscard]] inline Dataset class_subset(const Dataset& data, double share, Seed seed) {
  return select_images(
      data, share_of_each_class(detail::class_numbers(data), static_cast<int>(data.classes().size()), share, seed));
}

/// The numbers of a data set's images in two parts, each ascending.
struct HeldOut {
  std::vector<long> kept, held;
};

/// Holds out round(share * n) of the n images of each class, drawn by `seed`: at least one of two or more, but never
/// all. Error unless 0 < share < 1 and some class has two images.
///
///   const HeldOut parts = hold_out(train, 0.1, Seed{1});
///   const Dataset learnt = select_images(train, parts.kept), judged = select_images(train, parts.held);
[[nodiscard]] inline HeldOut hold_out(const Dataset& data, double share, Seed seed) {
  check(share > 0 && share < 1, "a share of ", share, " was to be held out; expected above 0 and below 1");
  HeldOut out;
  for (const auto& drawn : detail::drawn_by_class(data, seed)) {
    const auto n = static_cast<long>(drawn.size());
    const long held = n < 2 ? 0 : std::clamp(std::lround(share * static_cast<double>(n)), 1l, n - 1);
    for (long k = 0; k < n; ++k) (k < held ? out.held : out.kept).push_back(drawn[static_cast<std::size_t>(k)].second);
  }
  check(!out.held.empty(), data.name(), ": no class has two images, so that none can be held out to test on");
  std::sort(out.kept.begin(), out.kept.end());
  std::sort(out.held.begin(), out.held.end());
  return out;
}

}}  // namespace vitral
