// How far an evaluation is, for whoever wants to show it.
#pragma once

#include <vitral/core/config.hpp>

#include <functional>
#include <string_view>

namespace vitral { inline namespace VITRAL_ABI {

/// A part of the work ("train", "SGD", "t-SNE", ...) that is done up to `done` of `all`. Each part begins with 0.
struct EvaluationStep {
  std::string_view part;
  long done, all;
  long images;  ///< that pass through the network or a classifier for each of `all`; 0 where none do
};

/// Called as the work goes on; may be empty.
using EvaluationProgress = std::function<void(const EvaluationStep&)>;

namespace detail {

inline void report(const EvaluationProgress& progress, const EvaluationStep& step) {
  if (progress) progress(step);
}

}  // namespace detail

}}  // namespace vitral
