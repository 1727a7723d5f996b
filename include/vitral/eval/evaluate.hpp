// How good the features of every layer of a network are, what a layer costs, and what its features are like: one call
// that returns one struct.
#pragma once

#include <vitral/eval/analyses/analyse.hpp>
#include <vitral/eval/classifiers/early_exit.hpp>
#include <vitral/eval/classifiers/knn.hpp>
#include <vitral/eval/classifiers/logistic_regression.hpp>
#include <vitral/eval/classifiers/probe.hpp>
#include <vitral/eval/timing.hpp>
#include <vitral/io/nearest.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// What `evaluate` computes, and with which parameters.
struct EvaluationOptions {
  std::vector<int> layers{};  ///< numbers of the layers that are evaluated, from 1 on; none: all
  std::vector<std::string> classifiers{"knn", "logistic", "sgd"};  ///< some of these
  std::vector<int> k{10, 20, 100, 200};                            ///< neighbours that k-NN asks
  double temperature = 0.07;                  ///< of k-NN's votes, exp(cosine similarity / temperature)
  double logistic_c = 1;                      ///< logistic regression's inverse regularisation, scikit-learn's C
  ProbeOptions sgd{};                         ///< linear classifiers by SGD
  bool mean_per_class = false;                ///< whether accuracies are told as means over classes, too
  int speed_batch = 64;                       ///< images at a time when speed is measured
  CenterView view{.size = 0};                 ///< how images are prepared; size 0: the network's size.image
  std::optional<AnalysisOptions> analyses{};  ///< what features are like; none unless asked for
  EvaluationProgress progress{};
  FeatureStorage storage{};  ///< where features of all layers lie
  /// What finds a test image's neighbours among the training images for k-NN; nearest_neighbours on the network's
  /// backend, unless it is to be another.
  std::function<Neighbours(const Features& train, const Features& test, int k)> neighbours{};
  /// What trains the linear classifiers by SGD; train_sweeps on the CPU, unless it is to be another.
  std::function<RateSweeps<Cpu>(const std::vector<Features>& layers, const std::vector<long>& rows,
                                const ProbeOptions& sgd, const std::function<void(int)>& epoch_done)>
      train_sweeps{};
};

namespace detail {

inline Accuracy accuracy_of(const TopCount& count, bool mean_per_class) {
  Accuracy out{count.top1(), count.top5(), {}};
  if (mean_per_class) out.mean_per_class = count.mean_per_class();
  return out;
}

/// Of guesses [images, guesses], the best first: five, or all classes.
inline Accuracy accuracy_of(const std::vector<int>& ranked, const Features& test, bool mean_per_class) {
  const auto guesses = static_cast<std::ptrdiff_t>(ranked.size() / test.labels.size());
  TopCount count;
  auto row = ranked.begin();
  for (const int label : test.labels) {
    count.add(static_cast<int>(std::find(row, row + guesses, label) - row), label);
    row += guesses;
  }
  return accuracy_of(count, mean_per_class);
}

inline SgdAccuracy accuracy_of(const LayerProbe& probe, bool mean_per_class) {
  SgdAccuracy out{probe.best.rate, accuracy_of(probe.best.test, mean_per_class), {}};
  for (const RateScores& scores : probe.rates)
    out.rates.push_back({scores.rate, scores.held_out.top1(), accuracy_of(scores.test, mean_per_class)});
  return out;
}

/// Whether the options ask for this classifier.
inline bool asks_for(const EvaluationOptions& options, std::string_view classifier) {
  return std::find(options.classifiers.begin(), options.classifiers.end(), classifier) != options.classifiers.end();
}

}  // namespace detail

/// Throws Error where the options name no classifier, or one that does not exist, or k-NN has no numbers of neighbours.
inline void check_options(const EvaluationOptions& options) {
  const std::vector<std::string> known = EvaluationOptions{}.classifiers;
  check(!options.classifiers.empty(), "evaluate: EvaluationOptions::classifiers is empty; expected some of ", known[0],
        ", ", known[1], ", ", known[2]);
  for (const std::string& name : options.classifiers)
    if (std::find(known.begin(), known.end(), name) == known.end()) fail_unknown("classifier", name, known);
  check(!detail::asks_for(options, "knn") || !options.k.empty(),
        "evaluate: EvaluationOptions::k is empty; expected numbers of neighbours");
}

/// How many neighbours k-NN asks at most by these options; 0 where it is not asked for.
[[nodiscard]] inline int most_neighbours(const EvaluationOptions& options) {
  return detail::asks_for(options, "knn") ? *std::max_element(options.k.begin(), options.k.end()) : 0;
}

/// What `evaluate` does, for features that are there already, perhaps from another device: of training (`known`) and
/// test images (`asked`) after each of EvaluationOptions::layers. Times are those of `network` on its own backend.
/// `dataset` and `analyses` of the result are left empty; `analyse` makes the latter.
template <FeatureEncoder Network>
[[nodiscard]] EvaluationResults evaluate_features(const Network& network, const std::vector<Features>& known,
                                                  const std::vector<Features>& asked,
                                                  const EvaluationOptions& options = {}) {
  const std::vector<int> layers = chosen_layers(options.layers, network.depth());
  const int count = static_cast<int>(layers.size());
  check(std::ssize(known) == count && std::ssize(asked) == count, "evaluate: features of ", known.size(), " and of ",
        asked.size(), " layers for ",
        options.layers.empty() ? "a network of " : "EvaluationOptions::layers, which are ", count);
  check_options(options);
  const bool by_logistic = detail::asks_for(options, "logistic");
  const int classes = known[0].classes, most = most_neighbours(options);
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

  std::vector<LayerProbe> probes;
  if (detail::asks_for(options, "sgd")) {
    detail::report(options.progress, {"SGD", 0, options.sgd.epochs, known[0].images()});
    const auto done = [&](int epochs) {
      detail::report(options.progress, {"SGD", epochs, options.sgd.epochs, known[0].images()});
    };
    probes = options.train_sweeps ? sgd_probes(known, asked, options.sgd, done, options.train_sweeps)
                                  : sgd_probes(known, asked, options.sgd, done);
  }
  std::vector<std::vector<double>> probabilities;
  detail::report(options.progress, {"layers", 0, count, 0});
  for (std::size_t at = 0; at < layers.size(); ++at) {
    const Features &from = known[at], &to = asked[at];
    LayerEvaluation found;
    found.layer = layers[at];
    if (most > 0) {
      const Neighbours near = options.neighbours ? options.neighbours(from, to, most)
                                                 : nearest_neighbours<typename Network::backend>(from, to, most);
      for (const int k : options.k)
        found.knn[k] =
            detail::accuracy_of(voted_classes(near, from.labels, classes, k, options.temperature, std::min(5, classes)),
                                to, options.mean_per_class);
    }
    if (by_logistic) {
      probabilities.push_back(class_probabilities(logistic_regression(from, options.logistic_c), to));
      found.logistic = detail::accuracy_of(ranked_classes(probabilities.back(), classes), to, options.mean_per_class);
    }
    if (!probes.empty()) found.sgd = detail::accuracy_of(probes[at], options.mean_per_class);
    out.layers.push_back(std::move(found));
    detail::report(options.progress, {"layers", std::ssize(out.layers), count, 0});
  }
  if constexpr (VisionTransformer<Network>) {
    const std::vector<LayerCost> costs = layer_costs(network, layers, options.speed_batch, options.progress);
    for (std::size_t i = 0; i < costs.size(); ++i) out.layers[i].cost = costs[i];
    std::vector<double> confidences;
    for (int i = 0; i <= 20; ++i) confidences.push_back(i / 20.0);
    if (by_logistic)
      out.adaptive_exit = adaptive_exits(probabilities, asked[0].labels, classes, network.size, confidences, layers);
  }
  return out;
}

/// Evaluates every layer of a network, or those that the options name. Classifiers learn from the features of `train`
/// and are tried on those of `test`, labelled data sets of the same classes, or parts of them (`subset(train, 2000)`).
/// The network is in evaluation mode and stays as it is. All numbers but the times are the same for any number of
/// threads. Throws Error where a data set has no labels, or an option does not fit it.
///
///   const EvaluationResults found = evaluate(encoder, train, test);
///   std::printf("%.1f %%\n", 100 * found.layers[8].knn.at(20).top1);
template <FeatureEncoder Network>
[[nodiscard]] EvaluationResults evaluate(const Network& network, const Dataset& train, const Dataset& test,
                                         const EvaluationOptions& options = {}) {
  for (const Dataset& data : {train, test})
    check(!data.classes().empty(), "evaluate: the images of ", data.name(), " have no labels");
  check_options(options);
  const ImageViews seen{view_for(network, options.view)};
  const auto extract = [&](const char* part, const Dataset& data) {
    detail::report(options.progress, {part, 0, data.size(), 1});
    const auto done = [&](long images) { detail::report(options.progress, {part, images, data.size(), 1}); };
    return std::move(extract_features(network, data, data.size(), seen,
                                      {.layers = options.layers, .done = done, .storage = options.storage})[0]);
  };
  const std::vector<Features> known = extract("train", train), asked = extract("test", test);
  EvaluationResults out = evaluate_features(network, known, asked, options);
  out.dataset = train.name();
  if (options.analyses) {
    AnalysisOptions analyses = *options.analyses;
    analyses.layers = options.layers;
    analyses.view = options.view;
    out.analyses = analyse(network, known, asked, test, analyses, options.progress);
  }
  return out;
}

}}  // namespace vitral
