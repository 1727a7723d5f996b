// The k-NN table: accuracy of every layer, untrained beside trained.
#pragma once

#include <vitral/core/error.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Lines of "layer, untrained, trained, gain" in percent from accuracies between 0 and 1, one per layer.
/// Error if the two have different numbers of layers.
[[nodiscard]] inline std::string knn_table(const std::vector<double>& untrained, const std::vector<double>& trained) {
  check(untrained.size() == trained.size(), "the untrained network has ", untrained.size(),
        " layer accuracies and the trained one ", trained.size());
  std::string out = " layer   untrained   trained      gain\n";
  for (std::size_t i = 0; i < trained.size(); ++i) {
    char line[96];
    std::snprintf(line, sizeof line, "%6zu  %8.2f %%  %6.2f %%  %+8.2f\n", i + 1, 100 * untrained[i], 100 * trained[i],
                  100 * (trained[i] - untrained[i]));
    out += line;
  }
  return out;
}

}}  // namespace vitral
