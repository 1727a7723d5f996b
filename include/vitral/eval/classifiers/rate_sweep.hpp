// RateSweep: linear classifiers that differ in their learning rate alone, trained side by side, and the task of
// training one such sweep for each layer of a network.
#pragma once

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/eval/classifiers/accuracy.hpp>
#include <vitral/eval/features.hpp>
#include <vitral/nn/module.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Adds a loss of `weight` whose gradient is known already to a sum of losses: `scale` times some rows of `gradients`.
struct AddKnownLoss {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  Tensor<float, Shape<dyn, dyn>> gradients;
  long first_row;
  float scale, loss;

  auto forward(auto, const auto& sum, const auto&) { return Tensor<float, Shape<>>::from({sum.item() + loss}, {}); }
  void backward(const auto& dy, const auto&, const auto& sum, const auto& weight) {
    if (sum.wants_gradient()) put(sum.gradient(), dy);
    const Shape<dyn, dyn> shape = weight.value.shape();
    const View<float, Shape<dyn, dyn>> rows(gradients.buffer(), gradients.data() + first_row * shape[1], shape,
                                            View<float, Shape<dyn, dyn>>::dense_strides(shape));
    put(weight.gradient(), rows * (scale * dy.item()));
  }
};

/// Rows of features as classifiers take them, [places, width + 1]: times sqrt(width), so that their elements are about
/// as large as a LayerNorm leaves them and rates mean what they do in publications; then a 1 for the bias.
inline void gather_inputs(const Features& from, std::span<const long> places, std::vector<float>& x) {
  const long width = from.width;
  const float scale = std::sqrt(static_cast<float>(width));
  x.resize(places.size() * static_cast<std::size_t>(width + 1));
  cpu::parallel_for(static_cast<long>(places.size()), [&](long i) {
    float* const to = x.data() + i * (width + 1);
    copy_rows(from, places[static_cast<std::size_t>(i)], 1, to);
    for (long j = 0; j < width; ++j) to[j] *= scale;
    to[width] = 1;
  });
}

}  // namespace detail

/// Classifiers of one layer. Each has weights drawn from N(0, 0.01) and a bias of zero, the last column of its weight
/// [classes, width + 1]. One product with the weights of all, one below the other, serves them together.
struct RateSweep {
  std::vector<Parameter<float, Shape<dyn, dyn>>> weights;
  VITRAL_MEMBERS(weights)

  RateSweep(std::size_t rates, int classes, int width, Seed seed) {
    constexpr std::uint64_t stream = 0x30000000;  // apart from those of loading and training
    const Random random{seed.value, stream, 0};
    Tensor<float, Shape<dyn, dyn>> first({classes, width + 1});
    for (int c = 0; c < classes; ++c)
      for (int j = 0; j < width; ++j)
        first(c, j) = static_cast<float>(0.01 * random.normal(static_cast<std::uint64_t>(long{c} * (width + 1) + j)));
    for (std::size_t r = 0; r < rates; ++r) weights.push_back({clone(first)});
  }

  [[nodiscard]] long classes() const { return weights[0].value.extent(0); }
  [[nodiscard]] long inputs() const { return weights[0].value.extent(1); }
  [[nodiscard]] long outputs() const { return static_cast<long>(weights.size()) * classes(); }

  /// Writes the logits [rows, rates, classes] of x [rows, width + 1], whose last column is 1.
  void logits(const float* x, long rows, std::vector<float>& out) const {
    const auto all = Tensor<float, Shape<dyn, dyn>>::uninitialized({outputs(), inputs()});
    const long size = classes() * inputs();
    for (std::size_t r = 0; r < weights.size(); ++r)
      std::copy_n(weights[r].value.data(), size, all.data() + static_cast<long>(r) * size);
    out.resize(static_cast<std::size_t>(rows * outputs()));
    Cpu::matmul(row_major(x, rows, inputs()), transposed(row_major<const float>(all.data(), outputs(), inputs())),
                row_major(out.data(), rows, outputs()), false);
  }

  /// Adds to `counts`, one for each rate, how the labels of x [rows, width + 1] rank; a label of -1 is passed over.
  /// `work` is memory for the logits.
  void count(const float* x, const int* labels, long rows, std::vector<float>& work,
             std::vector<TopCount>& counts) const {
    logits(x, rows, work);
    const long rates = static_cast<long>(weights.size());
    cpu::parallel_for(rates, [&](long r) {
      for (long i = 0; i < rows; ++i)
        if (labels[i] >= 0)
          counts[static_cast<std::size_t>(r)].add(
              rank_of_label(work.data() + (i * rates + r) * classes(), static_cast<int>(classes()), labels[i]),
              labels[i]);
    });
  }

  /// `sum`, a variable, plus the mean cross entropy of every classifier on x as above. A classifier whose loss is not
  /// finite adds nothing to the value, so that the others are trained on; its gradient is what it is. The gradients are
  /// computed here, while x is in the cache. `work` is memory for the logits.
  [[nodiscard]] auto add_losses(Variable<float, Shape<>> sum, const float* x, const int* labels, long rows,
                                std::vector<float>& work) const {
    const long rates = static_cast<long>(weights.size());
    logits(x, rows, work);
    Cpu::softmax_forward(static_cast<const float*>(work.data()), work.data(), rows * rates, classes());
    std::vector<float> losses(static_cast<std::size_t>(rows * rates));
    cpu::parallel_for(rows * rates, [&](long i) {
      float& probability = work[static_cast<std::size_t>(i * classes() + labels[i / rates])];
      losses[static_cast<std::size_t>(i)] = -std::log(probability);
      probability -= 1;  // the slope of the loss by the logit
    });
    const auto gradients = Tensor<float, Shape<dyn, dyn>>::uninitialized({outputs(), inputs()});
    Cpu::matmul(transposed(row_major<const float>(work.data(), rows, outputs())), row_major(x, rows, inputs()),
                row_major(gradients.data(), outputs(), inputs()), false);
    const float mean = 1.0f / static_cast<float>(rows);
    for (long r = 0; r < rates; ++r) {
      float loss = 0;
      for (long i = 0; i < rows; ++i) loss += mean * losses[static_cast<std::size_t>(i * rates + r)];
      sum = apply(detail::AddKnownLoss{gradients, r * classes(), mean, std::isfinite(loss) ? loss : 0}, sum,
                  weights[static_cast<std::size_t>(r)]);
    }
    return sum;
  }
};

/// The task of training a sweep for each layer. A batch's x are places in the features, its y their labels.
struct RateSweeps {
  std::vector<RateSweep> layers;
  const std::vector<Features>* features;  ///< of each layer
  std::vector<float> x{}, work{};         ///< memory of a step
  VITRAL_MEMBERS(layers)

  [[nodiscard]] auto loss(Tape& tape, const auto& batch, const Training&) {
    auto sum = tape.constant(Tensor<float, Shape<>>());
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      detail::gather_inputs((*features)[layer], {batch.x.data(), batch.places.size()}, x);
      sum = layers[layer].add_losses(sum, x.data(), batch.y.data(), batch.size(), work);
    }
    return sum;
  }
};

}}  // namespace vitral
