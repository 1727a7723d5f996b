// Supervised: a network that learns targets, as a task for a trainer.
#pragma once

#include <vitral/autodiff/softmax.hpp>
#include <vitral/nn/mode.hpp>
#include <vitral/nn/module.hpp>

#include <optional>

namespace vitral { inline namespace VITRAL_ABI {

/// `model(x)` or `model(x, mode)` is to come near y by `criterion(output, y)`, which is a number for each row, or for
/// all: a loss such as mse, or a function of yours. x and y are those of Batches(x, y), a loader's first view and
/// labels, or a MixingLoader's first view and targets; where Batches(x) has no y, x is its own target. The parameters
/// are shared with the caller's model, which is thus trained in place. Where y are class numbers a StepReport names the
/// `accuracy` of each step.
///
///   Trainer(Supervised(net), AdamW{.lr = 1e-3}, Schedule{.epochs = 5}).fit(Batches(x, y, {.batch = 128}));
template <class Model, class Criterion = detail::CrossEntropyLoss>
struct Supervised {
  using scalar = scalar_of_module<Model>;
  using backend = backend_of_module<Model>;

  Model model;
  Criterion criterion;

  explicit Supervised(const Model& net, const Criterion& by = {}) : model(net), criterion(by) {}

  [[nodiscard]] auto loss(Tape& tape, const auto& batch, const Training& mode) {
    const auto output = output_of(tape.constant(input_of(batch)), mode);
    const auto& target = target_of(batch);
    if constexpr (std::is_same_v<scalar_of<decltype(target)>, int>)
      if constexpr (shape_of<decltype(output)>::rank == shape_of<decltype(target)>::rank + 1)
        accuracy_ = accuracy(output, target);
    const auto losses = eval(criterion(output, target));
    if constexpr (shape_of<decltype(losses)>::rank == 0)
      return losses;
    else
      return mean(losses);
  }

  void for_each_number(auto&& f) const {
    if (accuracy_) f("accuracy", *accuracy_);
  }

  VITRAL_MEMBERS(model)

 private:
  auto output_of(const auto& x, const Training& mode) const {
    if constexpr (requires { model(x, mode); })
      return eval(model(x, mode));
    else
      return eval(model(x));
  }
  static const auto& input_of(const auto& batch) {
    if constexpr (requires { batch.views; })
      return batch.views.front();
    else
      return batch.x;
  }
  static const auto& target_of(const auto& batch) {
    if constexpr (requires { batch.targets; })
      return batch.targets;
    else if constexpr (requires { batch.views; })
      return batch.labels;
    else if constexpr (requires { batch.y.shape(); })
      return batch.y;
    else
      return batch.x;
  }

  std::optional<Tensor<scalar, Shape<>, backend>> accuracy_;  // of the last batch
};

}}  // namespace vitral
