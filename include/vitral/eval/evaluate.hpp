// How good the features of every layer of a network are, what a layer costs, and what its features are like: one call
// that returns one struct.
#pragma once

#include <vitral/eval/analyses/analyse.hpp>
#include <vitral/eval/classifiers/early_exit.hpp>
#include <vitral/eval/classifiers/knn.hpp>
#include <vitral/eval/classifiers/probe.hpp>
#include <vitral/eval/timing.hpp>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// What `evaluate` computes, and with which parameters.
struct EvaluationOptions {
  std::vector<int> k{10, 20, 100, 200};       ///< neighbours that k-NN asks
  double temperature = 0.07;                  ///< of k-NN's votes, exp(cosine similarity / temperature)
  double logistic_c = 1;                      ///< logistic regression's inverse regularisation, scikit-learn's C
  ProbeOptions sgd{};                         ///< linear classifiers by SGD
  int speed_batch = 64;                       ///< images at a time when speed is measured
  int image = 0;                              ///< pixels a side of images; 0: the network's size.image
  std::optional<AnalysisOptions> analyses{};  ///< what features are like; none unless asked for
  EvaluationProgress progress{};
  /// What finds a test image's neighbours among the training images for k-NN; nearest_neighbours on the network's
  /// backend, unless it is to be another.
  std::function<Neighbours(const Features& train, const Features& test, int k)> neighbours{};
};

namespace detail {

inline Accuracy accuracy_of(const std::vector<int>& ranked, const Features& test) {
  return {top_accuracy(ranked, test.labels, 1), top_accuracy(ranked, test.labels, std::min(5, test.classes))};
}

inline SgdAccuracy accuracy_of(const LayerProbe& probe) {
  SgdAccuracy out{probe.best.rate, {probe.best.test.top1(), probe.best.test.top5()}, {}};
  for (const RateScores& scores : probe.rates)
    out.rates.push_back({scores.rate, scores.held_out.top1(), {scores.test.top1(), scores.test.top5()}});
  return out;
}

}  // namespace detail

/// What `evaluate` does, for features that are there already, perhaps from another device: of training (`known`) and
/// test images (`asked`) after each layer of `network`. Times are those of `network` on its own backend. `dataset` and
/// `analyses` of the result are left empty; `analyse` makes the latter.
template <FeatureEncoder Network>
[[nodiscard]] EvaluationResults evaluate_features(const Network& network, const std::vector<Features>& known,
                                                  const std::vector<Features>& asked,
                                                  const EvaluationOptions& options = {}) {
  const int depth = network.depth();
  check(depth >= 1 && std::ssize(known) == depth && std::ssize(asked) == depth, "evaluate: features of ", known.size(),
        " and of ", asked.size(), " layers for a network of ", depth);
  check(!options.k.empty(), "evaluate: EvaluationOptions::k is empty; expected numbers of neighbours");
  const int classes = known[0].classes, most = *std::max_element(options.k.begin(), options.k.end());
  check(most <= known[0].images(), "evaluate: EvaluationOptions::k asks ", most, " neighbours of ", known[0].images(),
        " training images; choose fewer");
  EvaluationResults out;
  out.train_images = known[0].images();
  out.test_images = asked[0].images();
  out.classes = classes;
  out.temperature = options.temperature;
  out.logistic_c = options.logistic_c;
  out.sgd_epochs = options.sgd.epochs;
  out.speed_batch = options.speed_batch;
  out.threads = cpu::threads();

  detail::report(options.progress, {"SGD", 0, options.sgd.epochs, known[0].images()});
  const std::vector<LayerProbe> probes = sgd_probes(known, asked, options.sgd, [&](int done) {
    detail::report(options.progress, {"SGD", done, options.sgd.epochs, known[0].images()});
  });
  std::vector<std::vector<double>> probabilities;
  detail::report(options.progress, {"layers", 0, depth, 0});
  for (int layer = 1; layer <= depth; ++layer) {
    const auto at = static_cast<std::size_t>(layer - 1);
    const Features &from = known[at], &to = asked[at];
    LayerEvaluation found;
    const Neighbours near = options.neighbours ? options.neighbours(from, to, most)
                                               : nearest_neighbours<typename Network::backend>(from, to, most);
    for (const int k : options.k)
      found.knn[k] = detail::accuracy_of(
          voted_classes(near, from.labels, classes, k, options.temperature, std::min(5, classes)), to);
    probabilities.push_back(class_probabilities(logistic_regression(from, options.logistic_c), to));
    found.logistic = detail::accuracy_of(ranked_classes(probabilities.back(), classes), to);
    found.sgd = detail::accuracy_of(probes[at]);
    out.layers.push_back(std::move(found));
    detail::report(options.progress, {"layers", layer, depth, 0});
  }
  if constexpr (VisionTransformer<Network>) {
    std::vector<int> numbers(out.layers.size());
    std::iota(numbers.begin(), numbers.end(), 1);
    const std::vector<LayerCost> costs = layer_costs(network, numbers, options.speed_batch, options.progress);
    for (std::size_t i = 0; i < costs.size(); ++i) out.layers[i].cost = costs[i];
    std::vector<double> confidences;
    for (int i = 0; i <= 20; ++i) confidences.push_back(i / 20.0);
    out.adaptive_exit = adaptive_exits(probabilities, asked[0].labels, classes, network.size, confidences);
  }
  return out;
}

/// Evaluates every layer of a network. Classifiers learn from the features of `train` and are tried on those of `test`,
/// labelled data sets of the same classes, or parts of them (`subset(train, 2000)`). The network is in evaluation mode
/// and stays as it is. All numbers but the times are the same for any number of threads. Throws Error where a data set
/// has no labels, or an option does not fit it.
///
///   const EvaluationResults found = evaluate(encoder, train, test);
///   std::printf("%.1f %%\n", 100 * found.layers[8].knn.at(20).top1);
template <FeatureEncoder Network>
[[nodiscard]] EvaluationResults evaluate(const Network& network, const Dataset& train, const Dataset& test,
                                         const EvaluationOptions& options = {}) {
  for (const Dataset& data : {train, test})
    check(!data.classes().empty(), "evaluate: the images of ", data.name(), " have no labels");
  const ImageViews seen{center_view(image_side(network, options.image))};
  const auto extract = [&](const char* part, const Dataset& data) {
    detail::report(options.progress, {part, 0, data.size(), 1});
    return std::move(extract_features(network, data, data.size(), seen, 0, 128, [&](long done) {
      detail::report(options.progress, {part, done, data.size(), 1});
    })[0]);
  };
  const std::vector<Features> known = extract("train", train), asked = extract("test", test);
  EvaluationResults out = evaluate_features(network, known, asked, options);
  out.dataset = train.name();
  if (options.analyses) out.analyses = analyse(network, known, asked, test, *options.analyses, options.progress);
  return out;
}

}}  // namespace vitral
