// RateSweep: linear classifiers that differ in their learning rate alone, trained side by side on any backend, and the
// task of training one such sweep for each layer of a network.
#pragma once

#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/reduce.hpp>
#include <vitral/backend/backend.hpp>
#include <vitral/backend/cpu/threads.hpp>
#include <vitral/eval/classifiers/accuracy.hpp>
#include <vitral/nn/mode.hpp>
#include <vitral/nn/module.hpp>

#if !defined(__CUDACC__)
#include <vitral/backend/cpu/cpu.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Hands on a loss of which `weight`'s gradient is known already: `scale` times some rows of `gradients`.
template <class B>
struct KnownGradient {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  Tensor<float, Shape<dyn, dyn>, B> gradients;
  int first_row;
  float scale;

  auto forward(auto, const auto& loss, const auto&) { return loss; }
  void backward(const auto& dy, const auto&, const auto& loss, const auto& weight) {
    if (loss.wants_gradient()) put(loss.gradient(), dy);
    put(weight.gradient(), slice_view<0>(gradients, first_row, weight.value.shape()[0]) * (scale * dy));
  }
};

}  // namespace detail

/// Classifiers of one layer on backend B. Each has weights drawn from N(0, 0.01) and a bias of zero, the last column of
/// its weight [classes, width + 1]. One product with the weights of all, one below the other, serves them together.
template <class B = Cpu>
struct RateSweep {
  using Matrix = Tensor<float, Shape<dyn, dyn>, B>;

  std::vector<Parameter<float, Shape<dyn, dyn>, B>> weights;
  VITRAL_MEMBERS(weights)

  RateSweep(std::size_t rates, int classes, int width, Seed seed) {
    constexpr std::uint64_t stream = 0x30000000;  // apart from those of loading and training
    const Random random{seed.value, stream, 0};
    const Shape<dyn, dyn> shape{classes, width + 1};
    std::vector<float> first(static_cast<std::size_t>(shape.size()));
    for (std::size_t i = 0; i < first.size(); ++i)
      if (static_cast<int>(i % static_cast<std::size_t>(width + 1)) != width)
        first[i] = static_cast<float>(0.01 * random.normal(i));
    for (std::size_t r = 0; r < rates; ++r) weights.push_back({Matrix::from(first, shape)});
  }

  [[nodiscard]] int rates() const { return static_cast<int>(weights.size()); }
  [[nodiscard]] int classes() const { return weights[0].value.extent(0); }
  [[nodiscard]] int inputs() const { return weights[0].value.extent(1); }

  /// The logits [rows, rates * classes] of x [rows, width + 1], whose last column is 1.
  [[nodiscard]] Matrix logits(const Matrix& x) const {
    const int outputs = rates() * classes();
    const auto all = Matrix::uninitialized({outputs, inputs()}), out = Matrix::uninitialized({x.extent(0), outputs});
    const long size = long{classes()} * inputs();
    for (int r = 0; r < rates(); ++r)
      B::copy(weights[static_cast<std::size_t>(r)].value.data(), all.data() + r * size, size);
    B::matmul(row_major<const float>(x.data(), x.extent(0), inputs()),
              transposed(row_major<const float>(all.data(), outputs, inputs())),
              row_major(out.data(), out.extent(0), outputs), false);
    return out;
  }

  /// Adds to `counts`, one for each rate, how the labels of x [rows, width + 1] rank; a label of -1 is passed over.
  void count(const Matrix& x, const int* labels, std::vector<TopCount>& counts) const {
    const std::vector<float> scores = logits(x).to_vector();
    cpu::parallel_for(rates(), [&](long r) {
      for (long i = 0; i < x.extent(0); ++i)
        if (labels[i] >= 0)
          counts[static_cast<std::size_t>(r)].add(
              rank_of_label(scores.data() + (i * rates() + r) * classes(), classes(), labels[i]), labels[i]);
    });
  }

  /// `sum`, a variable, plus the mean cross entropy of every classifier on x [rows, width + 1] with these labels
  /// [rows]. A classifier whose loss is not finite adds nothing to the value, so that the others are trained on; its
  /// gradient is what it is. The gradients are computed here, while x is in the cache. Labels are 0 to classes - 1.
  [[nodiscard]] auto add_losses(const Variable<float, Shape<>, B>& sum, const Matrix& x,
                                const Tensor<int, Shape<dyn>, B>& labels) const {
    const int rows = x.extent(0);
    const long all = long{rows} * rates();
    const auto targets = Tensor<int, Shape<dyn, dyn>, B>::uninitialized({rows, rates()});
    assign(targets, reshape_tensor(labels, Shape<dyn, 1>{rows}));
    const auto places = eval(classes() * cast<int>(positions(Shape<dyn>{all})) + flat(targets));
    const auto slopes = reshape_tensor(logits(x), Shape<dyn, dyn>{all, classes()});
    B::softmax_forward(static_cast<const float*>(slopes.data()), slopes.data(), all, classes());
    const auto right = gather(reshape_tensor(slopes, Shape<dyn, 1>{all * classes()}), places);
    const auto losses = mean<0>(reshape_tensor(eval(-log(right)), targets.shape()));
    if constexpr (B::on_host)  // probabilities become the slopes of losses by logits: those of the targets less 1
      for (long i = 0; i < all; ++i) slopes.data()[places.data()[i]] -= 1;
    else
      assign(slopes, slopes - equal(cast<float>(reshape_tensor(targets, Shape<dyn, 1>{all})),
                                    positions(Shape<dyn>{classes()})));
    const auto gradients = Matrix::uninitialized({rates() * classes(), inputs()});
    B::matmul(transposed(row_major<const float>(slopes.data(), rows, gradients.extent(0))),
              row_major<const float>(x.data(), rows, inputs()),
              row_major(gradients.data(), gradients.extent(0), inputs()), false);
    auto loss = eval(sum + vitral::sum(select(losses <= std::numeric_limits<float>::max(), losses, 0.0f)));
    for (int r = 0; r < rates(); ++r)
      loss = apply(detail::KnownGradient<B>{gradients, r * classes(), 1.0f / static_cast<float>(rows)}, loss,
                   weights[static_cast<std::size_t>(r)]);
    return loss;
  }
};

/// The task of training a sweep for each layer on a FeatureBatch.
template <class B = Cpu>
struct RateSweeps {
  std::vector<RateSweep<B>> layers;
  VITRAL_MEMBERS(layers)

  [[nodiscard]] auto loss(Tape& tape, const auto& batch, const Training&) const {
    auto sum = tape.constant(Tensor<float, Shape<>, B>());
    for (std::size_t layer = 0; layer < layers.size(); ++layer)
      sum = layers[layer].add_losses(sum, batch.x[layer], batch.labels);
    return sum;
  }
};

}}  // namespace vitral
