// Features as they pass between parts of a program that different compilers made. Each part has a Features of its own
// (core/config.hpp says why), so they pass as types of the standard library.
#pragma once

#include <vitral/eval/features.hpp>

#include <tuple>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The members of Features, in their order.
using PlainFeatures = std::tuple<std::vector<float>, int, std::vector<int>, int, std::vector<long>>;

inline PlainFeatures plain(Features features) {
  auto& [rows, width, labels, classes, places] = features;
  return {std::move(rows), width, std::move(labels), classes, std::move(places)};
}
inline Features features(PlainFeatures plain) {
  auto& [rows, width, labels, classes, places] = plain;
  return {std::move(rows), width, std::move(labels), classes, std::move(places)};
}

}}}  // namespace vitral::programs
