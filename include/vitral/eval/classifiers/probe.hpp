// Linear classifiers on frozen features by SGD, as MoCo v3's linear protocol trains them (Chen, Xie and He 2021,
// section 5), but without augmentation: every layer and every learning rate of a sweep in one pass over the features.
#pragma once

#include <vitral/data/subset.hpp>
#include <vitral/eval/classifiers/accuracy.hpp>
#include <vitral/eval/classifiers/feature_batches.hpp>
#include <vitral/eval/classifiers/rate_sweep.hpp>
#include <vitral/train/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// How linear classifiers are trained by SGD.
struct ProbeOptions {
  std::vector<double> rates{0.03, 0.1, 0.3, 1, 3, 10};  ///< base learning rates, for steps of 256 images
  int epochs = 90;
  int batch = 1024;  ///< images of a step; all of them where they are fewer
  double momentum = 0.9;
  double held_out = 0.1;  ///< the share of each class that chooses the rate instead of training
  Seed seed{0};
};

/// What the classifier of one base rate reached on the images held out and on the test images.
struct RateScores {
  double rate;
  TopCount held_out, test;
};

/// The sweep of one layer. `best` has the highest top-1 accuracy on the images held out (of equals the first): the test
/// images have no part in the choice.
struct LayerProbe {
  std::vector<RateScores> rates;
  RateScores best;
};

namespace detail {

/// One count for each rate, over the rows at `places`.
template <class B>
std::vector<TopCount> count_right(const RateSweep<B>& classifiers, const Features& features,
                                  const std::vector<long>& places) {
  constexpr std::size_t block = 4096;
  std::vector<TopCount> counts(classifiers.weights.size());
  Tensor<float, Shape<dyn, dyn>, Cpu> x;
  std::vector<int> labels;
  for (std::size_t begin = 0; begin < places.size(); begin += block) {
    const auto some = std::span(places).subspan(begin, std::min(block, places.size() - begin));
    gather_inputs(features, some, x);
    labels.clear();
    for (const long place : some) labels.push_back(features.labels[static_cast<std::size_t>(place)]);
    classifiers.count(to_backend<B>(x), labels.data(), counts);
  }
  return counts;
}

inline void check_probe(const std::vector<Features>& train, const std::vector<Features>& test, const ProbeOptions& o) {
  check(!train.empty() && train.size() == test.size(), "linear probes: there are training features of ", train.size(),
        " layers and test features of ", test.size());
  for (std::size_t layer = 0; layer < train.size(); ++layer) {
    check_labels(train[layer]);
    check_labels(test[layer]);
    check(train[layer].images() == train[0].images() && train[layer].width == test[layer].width &&
              train[layer].classes == test[layer].classes,
          "linear probes: the features of layer ", layer + 1, " are not of the same images, width and classes");
  }
  check(!o.rates.empty() && o.epochs >= 1 && o.batch >= 1, "linear probes: ", o.rates.size(), " rates, ", o.epochs,
        " epochs and batches of ", o.batch, "; expected at least 1 of each");
  check(o.held_out > 0 && o.held_out < 1, "linear probes: a share of ", o.held_out,
        " held out; expected above 0 and below 1");
}

}  // namespace detail

/// The classifiers of each layer and rate, trained on the images in `rows`: SGD at rate * batch / 256, which falls to
/// zero along a cosine, step by step; no weight decay. All see the same images in the same order. Backend B trains; the
/// features are in host memory or in a file and come to it batch by batch. `epoch_done(epochs)` is called after each
/// epoch.
template <class B = Cpu>
[[nodiscard]] RateSweeps<B> train_sweeps(const std::vector<Features>& layers, const std::vector<long>& rows,
                                         const ProbeOptions& options, const std::function<void(int)>& epoch_done) {
  RateSweeps<B> sweeps;
  for (const Features& layer : layers)
    sweeps.layers.emplace_back(options.rates.size(), layer.classes, layer.width, options.seed);
  auto parameters = trainable_parameters(sweeps);  // those of each layer, in the order of the rates
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].rate = options.rates[i % options.rates.size()];
  const int batch = static_cast<int>(std::min<long>(options.batch, std::ssize(rows)));
  FeatureBatches source(layers, rows, {.batch = batch, .seed = options.seed.value, .drop_last = false});
  const Sgd sgd{.lr = scaled_learning_rate(1, batch), .momentum = options.momentum};
  Trainer trainer(sweeps, Optimizer<float, B>(sgd, parameters), {.epochs = options.epochs});
  trainer.fit(source, [&](const StepReport& report) {
    if (const long done = report.step + 1; done % source.batches() == 0)
      epoch_done(static_cast<int>(done / source.batches()));
    return true;
  });
  return sweeps;
}

/// Trains classifiers of each layer and rate on the training images that are not held out, and counts how often each is
/// right; nothing is trained again afterwards. `train_by(layers, rows, options, epoch_done)` trains, as train_sweeps.
template <class Train>
[[nodiscard]] std::vector<LayerProbe> sgd_probes(const std::vector<Features>& train, const std::vector<Features>& test,
                                                 const ProbeOptions& options,
                                                 const std::function<void(int)>& epoch_done, const Train& train_by) {
  detail::check_probe(train, test, options);
  const std::vector<int>& labels = train[0].labels;
  const std::vector<long> held_out = share_of_each_class(labels, train[0].classes, options.held_out, options.seed);
  std::vector<long> learnt, all_test(test[0].labels.size());
  for (long i = 0; i < static_cast<long>(labels.size()); ++i)
    if (!std::binary_search(held_out.begin(), held_out.end(), i)) learnt.push_back(i);
  std::iota(all_test.begin(), all_test.end(), 0);
  check(!learnt.empty(), "linear probes: ", labels.size(), " images are too few to hold out a share of ",
        options.held_out, " of each class and learn from the others");

  const auto sweeps = train_by(train, learnt, options, epoch_done);
  std::vector<LayerProbe> out(train.size());
  for (std::size_t layer = 0; layer < train.size(); ++layer) {
    const auto chosen = detail::count_right(sweeps.layers[layer], train[layer], held_out),
               tested = detail::count_right(sweeps.layers[layer], test[layer], all_test);
    for (std::size_t r = 0; r < chosen.size(); ++r)
      out[layer].rates.push_back({options.rates[r], chosen[r], tested[r]});
    out[layer].best =
        *std::max_element(out[layer].rates.begin(), out[layer].rates.end(),
                          [](const RateScores& a, const RateScores& b) { return a.held_out.first < b.held_out.first; });
  }
  return out;
}

/// The same, trained by train_sweeps on backend B.
///
///   const std::vector<LayerProbe> probes = sgd_probes(known, asked, {.epochs = 30});
///   std::printf("%.1f %% at rate %g\n", 100 * probes.back().best.test.top1(), probes.back().best.rate);
template <class B = Cpu>
[[nodiscard]] std::vector<LayerProbe> sgd_probes(
    const std::vector<Features>& train, const std::vector<Features>& test, const ProbeOptions& options = {},
    const std::function<void(int)>& epoch_done = [](int) {}) {
  return sgd_probes(train, test, options, epoch_done, train_sweeps<B>);
}

}}  // namespace vitral
