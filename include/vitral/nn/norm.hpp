// LayerNorm and BatchNorm1d.
#pragma once

#include <vitral/autodiff/norm.hpp>
#include <vitral/nn/module.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// A vector parameter with all elements equal.
template <class P, int D, class B>
Tensor<P, Shape<D>, B> constant_vector(int width, P value) {
  auto out = Tensor<P, Shape<D>, B>::uninitialized(Shape<D>(std::array<int, 1>{width}));
  B::fill(out.data(), width, value);
  return out;
}

}  // namespace detail

/// Normalises each row of the last axis; scale and shift are learned.
template <int D, class P = float, class B = Cpu>
struct LayerNorm {
  Parameter<P, Shape<D>, B> weight, bias;
  double eps;

  explicit LayerNorm(int width = D, double eps = 1e-6)
      : weight{detail::constant_vector<P, D, B>(width, 1)},
        bias{detail::constant_vector<P, D, B>(width, 0)},
        eps(eps) {}

  /// x [..., D] -> [..., D]
  [[nodiscard]] auto operator()(const Operand auto& x) const { return layer_norm(x, weight, bias, eps); }
  /// What takes an expression and gives its value beside its normalised value.
  [[nodiscard]] auto beside_value() const {
    return [this](const Operand auto& x) { return eval_and_normalize(x, weight, bias, eps); };
  }

  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

enum class Affine { yes, no };

/// Normalises each channel: by the batch's statistics in training mode, by running averages of them in evaluation mode.
template <int D, class P = float, class B = Cpu, Affine HasAffine = Affine::yes>
struct BatchNorm1d {
  using Scale = std::conditional_t<HasAffine == Affine::yes, Parameter<P, Shape<D>, B>, None>;
  Scale weight, bias;
  State<P, Shape<D>, B> running_mean, running_var;
  double momentum = 0.1, eps = 1e-5;

  explicit BatchNorm1d(int width = D)
      : running_mean{detail::constant_vector<P, D, B>(width, 0)},
        running_var{detail::constant_vector<P, D, B>(width, 1)} {
    if constexpr (HasAffine == Affine::yes) {
      weight.value = detail::constant_vector<P, D, B>(width, 1);
      bias.value = detail::constant_vector<P, D, B>(width, 0);
    }
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

  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
    f("running_mean", self.running_mean);
    f("running_var", self.running_var);
  }
};

}}  // namespace vitral
