// Linear classifiers on frozen features by SGD, as MoCo v3's linear protocol trains them (Chen, Xie and He 2021,
// section 5), but without augmentation: every layer and every learning rate of a sweep in one pass over the features.
#pragma once

#include <vitral/data/subset.hpp>
#include <vitral/eval/classifiers/accuracy.hpp>
#include <vitral/eval/classifiers/logistic_regression.hpp>
#include <vitral/optim/schedule.hpp>

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

/// Classifiers of one layer that differ in their learning rate alone, side by side: one product serves them all. Each
/// has weights drawn from N(0, 0.01) and a bias of zero, the last column of its weight.
class RateSweep {
 public:
  RateSweep(std::vector<double> rates, int classes, int width, Seed seed)
      : rates_(std::move(rates)), classes_(classes), inputs_(width + 1) {
    const auto one = static_cast<std::size_t>(classes) * static_cast<std::size_t>(inputs_);
    weight_.resize(rates_.size() * one);
    velocity_.resize(weight_.size());
    gradient_.resize(weight_.size());
    constexpr std::uint64_t stream = 0x30000000;  // apart from those of loading and training
    const Random random{seed.value, stream, 0};
    for (std::size_t i = 0; i < weight_.size(); ++i) {
      const std::size_t at = i % one;
      const bool bias = (at + 1) % static_cast<std::size_t>(inputs_) == 0;
      weight_[i] = bias ? 0.0f : static_cast<float>(0.01 * random.normal(at));
    }
  }

  /// One step on the mean cross entropy of x [rows, width + 1], whose last column is 1: SGD with momentum in PyTorch's
  /// form, at `factor` times each classifier's rate.
  void step(const float* x, const int* labels, long rows, double factor, double momentum) {
    logits(x, rows, slopes_);
    Cpu::softmax_forward(static_cast<const float*>(slopes_.data()), slopes_.data(), rows * sweep(), classes_);
    cpu::parallel_for(rows, [&](long i) {
      for (long r = 0; r < sweep(); ++r)
        slopes_[static_cast<std::size_t>((i * sweep() + r) * classes_ + labels[i])] -= 1;
    });
    Cpu::matmul(transposed(row_major<const float>(slopes_.data(), rows, outputs())), row_major(x, rows, inputs_),
                row_major(gradient_.data(), outputs(), inputs_), false);
    const float mean = 1.0f / static_cast<float>(rows), keep = static_cast<float>(momentum);
    cpu::parallel_for(outputs(), [&](long k) {
      const float rate = static_cast<float>(factor * rates_[static_cast<std::size_t>(k / classes_)]);
      const long begin = k * inputs_;
#pragma omp simd
      for (long j = begin; j < begin + inputs_; ++j) {
        const auto at = static_cast<std::size_t>(j);
        velocity_[at] = keep * velocity_[at] + mean * gradient_[at];
        weight_[at] -= rate * velocity_[at];
      }
    });
  }

  /// [rows, rates, classes] for x as above.
  void logits(const float* x, long rows, std::vector<float>& out) const {
    out.resize(static_cast<std::size_t>(rows * outputs()));
    Cpu::matmul(row_major(x, rows, inputs_), transposed(row_major(weight_.data(), outputs(), inputs_)),
                row_major(out.data(), rows, outputs()), false);
  }

  /// [rates, classes, width + 1], to be read or set.
  [[nodiscard]] std::vector<float>& weight() { return weight_; }

 private:
  [[nodiscard]] long sweep() const { return static_cast<long>(rates_.size()); }
  [[nodiscard]] long outputs() const { return sweep() * classes_; }

  std::vector<double> rates_;
  int classes_, inputs_;
  std::vector<float> weight_, velocity_, gradient_, slopes_;
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

/// Rows of features as classifiers take them, [places, width + 1]: times sqrt(width), so that their elements are about
/// as large as a LayerNorm leaves them and rates mean what they do in publications; then a 1 for the bias.
inline void gather_inputs(const Features& from, const std::vector<long>& places, std::size_t begin, long count,
                          std::vector<float>& x) {
  const long width = from.width;
  const float scale = std::sqrt(static_cast<float>(width));
  x.resize(static_cast<std::size_t>(count * (width + 1)));
  cpu::parallel_for(count, [&](long i) {
    const float* const row = from.rows.data() + places[begin + static_cast<std::size_t>(i)] * width;
    float* const to = x.data() + i * (width + 1);
    for (long j = 0; j < width; ++j) to[j] = scale * row[j];
    to[width] = 1;
  });
}

/// One count for each rate, over the rows at `places`.
inline std::vector<TopCount> count_right(const RateSweep& classifiers, std::size_t rates, const Features& features,
                                         const std::vector<long>& places) {
  constexpr std::size_t block = 4096;
  std::vector<TopCount> counts(rates);
  std::vector<float> x, logits;
  for (std::size_t begin = 0; begin < places.size(); begin += block) {
    const auto rows = static_cast<long>(std::min(block, places.size() - begin));
    gather_inputs(features, places, begin, rows, x);
    classifiers.logits(x.data(), rows, logits);
    cpu::parallel_for(static_cast<long>(rates), [&](long r) {
      for (long i = 0; i < rows; ++i)
        counts[static_cast<std::size_t>(r)].add(
            rank_of_label(logits.data() + (i * static_cast<long>(rates) + r) * features.classes, features.classes,
                          features.labels[static_cast<std::size_t>(places[begin + static_cast<std::size_t>(i)])]));
    });
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

/// Trains a classifier for each layer and rate: SGD at rate * batch / 256, which falls to zero along a cosine, step by
/// step; no weight decay. All see the same images in the same order. They learn from what is not held out, and nothing
/// is trained again afterwards. `epoch_done(epochs)` is called after each epoch.
[[nodiscard]] inline std::vector<LayerProbe> sgd_probes(
    const std::vector<Features>& train, const std::vector<Features>& test, const ProbeOptions& options = {},
    const std::function<void(int)>& epoch_done = [](int) {}) {
  detail::check_probe(train, test, options);
  const std::vector<int>& labels = train[0].labels;
  const std::vector<long> held_out = share_of_each_class(labels, train[0].classes, options.held_out, options.seed);
  std::vector<long> learnt, all_test(test[0].labels.size());
  for (long i = 0; i < static_cast<long>(labels.size()); ++i)
    if (!std::binary_search(held_out.begin(), held_out.end(), i)) learnt.push_back(i);
  std::iota(all_test.begin(), all_test.end(), 0);
  check(!learnt.empty(), "linear probes: ", labels.size(), " images are too few to hold out a share of ",
        options.held_out, " of each class and learn from the others");

  std::vector<RateSweep> classifiers;
  for (const Features& layer : train) classifiers.emplace_back(options.rates, layer.classes, layer.width, options.seed);
  const auto images = static_cast<long>(learnt.size()), batch = std::min<long>(options.batch, images);
  const long per_epoch = (images + batch - 1) / batch;
  const CosineSchedule schedule{scaled_learning_rate(1, batch), 0, per_epoch * options.epochs};
  std::vector<long> order(learnt.size());
  std::vector<float> x;
  std::vector<int> y;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    const auto shuffle = shuffled(images, options.seed.value, epoch);
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = learnt[shuffle[i]];
    for (long i = 0; i < per_epoch; ++i) {
      const long begin = i * batch, rows = std::min(batch, images - begin);
      y.clear();
      for (long k = begin; k < begin + rows; ++k)
        y.push_back(labels[static_cast<std::size_t>(order[static_cast<std::size_t>(k)])]);
      for (std::size_t layer = 0; layer < train.size(); ++layer) {
        detail::gather_inputs(train[layer], order, static_cast<std::size_t>(begin), rows, x);
        classifiers[layer].step(x.data(), y.data(), rows, schedule.at(epoch * per_epoch + i), options.momentum);
      }
    }
    epoch_done(epoch + 1);
  }

  std::vector<LayerProbe> out(train.size());
  for (std::size_t layer = 0; layer < train.size(); ++layer) {
    const std::size_t rates = options.rates.size();
    const auto chosen = detail::count_right(classifiers[layer], rates, train[layer], held_out),
               tested = detail::count_right(classifiers[layer], rates, test[layer], all_test);
    for (std::size_t r = 0; r < rates; ++r) out[layer].rates.push_back({options.rates[r], chosen[r], tested[r]});
    out[layer].best =
        *std::max_element(out[layer].rates.begin(), out[layer].rates.end(),
                          [](const RateScores& a, const RateScores& b) { return a.held_out.first < b.held_out.first; });
  }
  return out;
}

}}  // namespace vitral
