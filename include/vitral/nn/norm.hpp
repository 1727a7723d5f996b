// LayerNorm (Ba, Kiros and Hinton 2016) and BatchNorm1d (Ioffe and Szegedy 2015).
#pragma once

#include <vitral/autodiff/norm.hpp>
#include <vitral/nn/initializer.hpp>
#include <vitral/nn/mode.hpp>
#include <vitral/nn/module.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Each row of the last axis minus its mean, over its deviation; then scaled and shifted by learned vectors.
/// `LayerNorm<64>()`, or `LayerNorm(64)` for a width known at run time.
template <int D, class P = float, class B = Cpu>
struct LayerNorm {
  Parameter<P, Shape<D>, B> weight, bias;
  double eps = 1e-6;

  LayerNorm() requires(D != dyn) : LayerNorm(D, None{}) {}
  explicit LayerNorm(int width) : LayerNorm(width, None{}) {
    static_assert(D == dyn,
                  "vitral: LayerNorm<D> has its width in its type and is given none; or leave it to run time, "
                  "LayerNorm(width)");
  }
  /// Inside a module that starts from one seed; nothing is drawn.
  LayerNorm(int width, Initializer&) : LayerNorm(detail::checked_width("LayerNorm: D", D, width), None{}) {}

  /// x [..., D] -> [..., D]
  [[nodiscard]] auto operator()(const Operand auto& x) const { return layer_norm(x, weight, bias, eps); }
  /// A function that evaluates an expression and gives its value beside the normalised one, in one pass over memory.
  [[nodiscard]] auto beside_value() const {
    return [this](const Operand auto& x) { return eval_and_normalize(x, weight, bias, eps); };
  }

  VITRAL_MEMBERS(weight, bias)

 private:
  LayerNorm(int width, None)
      : weight{detail::constant_vector<P, D, B>(width, 1)}, bias{detail::constant_vector<P, D, B>(width, 0)} {}
};
LayerNorm(int)->LayerNorm<dyn>;

/// Whether a norm has a scale and a shift to learn.
enum class Affine { yes, no };

/// Normalises each channel over the batch, then scales and shifts it. `BatchNorm1d<64>()`, or `BatchNorm1d(64)` for a
/// width known at run time. In training mode mean and variance are the batch's, and running averages follow them (the
/// variance unbiased); evaluation mode uses these.
template <int D, class P = float, class B = Cpu, Affine HasAffine = Affine::yes>
struct BatchNorm1d {
  using Scale = std::conditional_t<HasAffine == Affine::yes, Parameter<P, Shape<D>, B>, None>;
  Scale weight, bias;
  State<P, Shape<D>, B> running_mean, running_var;
  double momentum = 0.1, eps = 1e-5;

  BatchNorm1d() requires(D != dyn) : BatchNorm1d(D, None{}) {}
  explicit BatchNorm1d(int width) : BatchNorm1d(width, None{}) {
    static_assert(D == dyn, "vitral: BatchNorm1d<D> has its width in its type and is given none; or leave it to run "
                            "time, BatchNorm1d(width)");
  }

  /// x [N, D] -> [N, D]; training needs 2 rows or more of each view.
  template <Activation Act = Activation::none, class Mode = Evaluation>
  [[nodiscard]] auto apply(const Operand auto& x, const Mode& mode = {}) const {
    static_assert(Act == Activation::none || Act == Activation::relu, "vitral: batch_norm applies a ReLU or nothing");
    if constexpr (std::is_same_v<Mode, Training>)
      return batch_norm_train<Act>(x, weight, bias, running_mean.value, running_var.value, momentum, eps, mode.views,
                                   mode.statistics_passes);
    else if constexpr (Act == Activation::relu)
      return eval(relu(apply(x, mode)));
    else
      return batch_norm_eval(x, weight, bias, running_mean.value, running_var.value, eps);
  }
  template <class Mode = Evaluation>
  [[nodiscard]] auto operator()(const Operand auto& x, const Mode& mode = {}) const {
    return apply(x, mode);
  }

  VITRAL_MEMBERS(weight, bias, running_mean, running_var)

 private:
  BatchNorm1d(int width, None)
      : running_mean{detail::constant_vector<P, D, B>(width, 0)},
        running_var{detail::constant_vector<P, D, B>(width, 1)} {
    if constexpr (HasAffine == Affine::yes) {
      weight.value = detail::constant_vector<P, D, B>(width, 1);
      bias.value = detail::constant_vector<P, D, B>(width, 0);
    }
  }
};
BatchNorm1d(int)->BatchNorm1d<dyn>;

}}  // namespace vitral
