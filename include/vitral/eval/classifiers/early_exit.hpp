// What an image costs in a network that ends early, and what images cost and gain where each leaves as soon as a
// layer's classifier is sure of it.
#pragma once

#include <vitral/eval/classifiers/logistic_regression.hpp>
#include <vitral/models/vit.hpp>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Multiply-adds for one image in a ViT that ends after block `layers`. Products of matrices are counted; norms,
/// softmax and GELU are not. The last block works for the class token alone; with `undecided` for all tokens, as it
/// must where the next block may follow.
[[nodiscard]] inline double multiply_adds(const ViTSize& size, int layers, bool undecided = false) {
  check(size.patch >= 1 && layers >= 1, "multiply-adds of ", layers, " layers on patches of ", size.patch, " pixels");
  const double grid = size.image / size.patch, tokens = grid * grid + 1, width = size.width;
  const double embedding = grid * grid * 3 * size.patch * size.patch * width;
  const double block = tokens * width * (12 * width + 2 * tokens);
  const double last = tokens * width * (2 * width + 2) + 10 * width * width;
  return embedding + (layers - 1) * block + (undecided ? block : last);
}

/// What happens where each image leaves after the first layer whose classifier gives a class a probability of
/// `confidence` or more, or else after the last layer.
struct AdaptiveExit {
  double confidence;
  double accuracy;       ///< share of images that are classified correctly
  double multiply_adds;  ///< for one image, on average
  double layers;         ///< after which an image leaves, on average
};

/// One AdaptiveExit for each of `confidences`. probabilities[i] is [images, classes], after the layer of number
/// layers[i], in rising order; where no numbers are given, after layers 1, 2, ...
[[nodiscard]] inline std::vector<AdaptiveExit> adaptive_exits(const std::vector<std::vector<double>>& probabilities,
                                                              const std::vector<int>& labels, int classes,
                                                              const ViTSize& size,
                                                              const std::vector<double>& confidences,
                                                              std::vector<int> layers = {}) {
  if (layers.empty()) {
    layers.resize(probabilities.size());
    std::iota(layers.begin(), layers.end(), 1);
  }
  check(!layers.empty() && !labels.empty(), "adaptive exits: there are no layers or no images");
  check(layers.size() == probabilities.size(), "adaptive exits: ", layers.size(), " numbers of layers for ",
        probabilities.size(), " layers' probabilities");
  for (const std::vector<double>& rows : probabilities)
    check(classes >= 1 && std::ssize(rows) == std::ssize(labels) * classes, "adaptive exits: a layer has ", rows.size(),
          " probabilities, expected ", classes, " for each of ", labels.size(), " images");
  std::vector<AdaptiveExit> curve;
  for (const double confidence : confidences) {
    AdaptiveExit sum{confidence, 0, 0, 0};
    for (std::size_t i = 0; i < labels.size(); ++i)
      for (std::size_t at = 0; at < layers.size(); ++at) {
        const auto row = probabilities[at].begin() + static_cast<std::ptrdiff_t>(i) * classes;
        const auto best = std::max_element(row, row + classes);
        const bool last = at + 1 == layers.size();
        if (*best < confidence && !last) continue;
        sum.accuracy += best - row == labels[i];
        sum.multiply_adds += multiply_adds(size, layers[at], !last);
        sum.layers += layers[at];
        break;
      }
    const double images = static_cast<double>(labels.size());
    curve.push_back({confidence, sum.accuracy / images, sum.multiply_adds / images, sum.layers / images});
  }
  return curve;
}

}}  // namespace vitral
