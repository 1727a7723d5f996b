// Features as they pass between parts of a program that different compilers made. Each part has a Features of its own
// (core/config.hpp says why), so they pass as types of the standard library.
#pragma once

#include <vitral/eval/features.hpp>

#include <cstddef>
#include <memory>
#include <tuple>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The members of Features, in their order; the last three are those of its StoredRows.
using PlainFeatures = std::tuple<std::vector<float>, int, std::vector<int>, int, std::vector<long>,
                                 std::shared_ptr<const std::byte>, int, int>;

inline PlainFeatures plain(Features features) {
  auto& [rows, width, labels, classes, places, stored] = features;
  return {std::move(rows),
          width,
          std::move(labels),
          classes,
          std::move(places),
          std::move(stored.numbers),
          static_cast<int>(stored.type),
          stored.images};
}
inline Features features(PlainFeatures plain) {
  auto& [rows, width, labels, classes, places, numbers, type, images] = plain;
  return {std::move(rows),   width,
          std::move(labels), classes,
          std::move(places), {std::move(numbers), static_cast<ScalarType>(type), images}};
}

}}}  // namespace vitral::programs
