// The optimisers' settings and their rules: what a step of AdamW, Adam, SGD or LARS assigns to a parameter and its
// state.
#pragma once

#include <vitral/optim/parameters.hpp>
#include <vitral/tensor/evaluate.hpp>

#include <cmath>
#include <variant>

namespace vitral { inline namespace VITRAL_ABI {

/// Settings of one optimiser each; `lr` and `weight_decay` may be changed from step to step by a schedule.
/// `states` is the number of tensors that are kept for each parameter.
struct AdamW {
  static constexpr int states = 2;
  double lr = 1e-3, weight_decay = 0.01;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
};
/// Adam (Kingma and Ba 2015).
struct Adam {
  static constexpr int states = 2;
  double lr = 1e-3, weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
};
/// Stochastic gradient descent with momentum.
struct Sgd {
  static constexpr int states = 1;
  double lr = 0.1, weight_decay = 0, momentum = 0.9;
};
/// LARS (You, Gitman and Ginsburg 2017): SGD whose rate is scaled for each tensor.
struct Lars {
  static constexpr int states = 1;
  double lr = 0.3, weight_decay = 1e-6, momentum = 0.9, trust = 0.001;
};

/// The settings of any optimiser, chosen at run time.
using OptimizerSettings = std::variant<AdamW, Adam, Sgd, Lars>;

namespace detail {

/// One parameter in one step. changes(settings, update, after...) are the assignments that an optimiser makes to its
/// state and its value, in this order, and the assignments `after`.
template <class P, class B>
struct Update {
  const ParameterRef<P, B>& parameter;
  const Flat<P, B> gradient;
  const std::vector<Flat<P, B>>& state;
  long t;  // steps, this one included

  [[nodiscard]] double lr(const auto& settings) const { return settings.lr * parameter.rate; }
  [[nodiscard]] double decay(const auto& settings) const { return parameter.decays() ? settings.weight_decay : 0; }
};

/// Adam's assignments (Kingma and Ba, arXiv 1412.6980, algorithm 1, bias-corrected) for the gradient g, an expression;
/// the parameter shrinks by the factor `keep` first.
template <class P, class B, class G>
auto adam_changes(const auto& o, const Update<P, B>& u, const G& g, double keep, const auto&... after) {
  const Flat<P, B>&p = u.parameter.value, &m = u.state[0], &v = u.state[1];
  const double c1 = 1 - std::pow(o.beta1, static_cast<double>(u.t));
  const double c2 = std::sqrt(1 - std::pow(o.beta2, static_cast<double>(u.t)));
  return pack_handles(into(m, m * o.beta1 + g * (1 - o.beta1)),          //
                      into(v, v * o.beta2 + square(g) * (1 - o.beta2)),  //
                      into(p, p * keep - m * (u.lr(o) / c1) / (sqrt(v) * (1 / c2) + o.eps)), after...);
}

/// Loshchilov and Hutter 2019, algorithm 2, in PyTorch's form: weight decay acts on the parameter itself.
template <class P, class B>
auto changes(const AdamW& o, const Update<P, B>& u, const auto&... after) {
  return adam_changes(o, u, u.gradient, 1 - u.lr(o) * u.decay(o), after...);
}

/// PyTorch's form: weight decay is part of the gradient, so it passes through the moments.
template <class P, class B>
auto changes(const Adam& o, const Update<P, B>& u, const auto&... after) {
  return adam_changes(o, u, u.gradient + u.parameter.value * u.decay(o), 1, after...);
}

/// SGD in PyTorch's form: the momentum buffer starts as the first gradient; weight decay is part of the gradient.
template <class P, class B>
auto changes(const Sgd& o, const Update<P, B>& u, const auto&... after) {
  const Flat<P, B>&p = u.parameter.value, &g = u.gradient, &m = u.state[0];
  return pack_handles(into(m, m * (u.t == 1 ? 0.0 : o.momentum) + (g + p * u.decay(o))),  //
                      into(p, p - m * u.lr(o)), after...);
}

/// You, Gitman and Ginsburg 2017, as MoCo v3 uses it: weights (two dimensions or more) move by a trust ratio
/// trust * |p| / |g + decay p|; biases and scales move like plain SGD without decay.
template <class P, class B>
auto changes(const Lars& o, const Update<P, B>& u, const auto&... after) {
  const Flat<P, B>&p = u.parameter.value, &g = u.gradient, &m = u.state[0];
  auto ratio = Tensor<P, Shape<>, B>::uninitialized({});
  if (u.parameter.decays()) {
    const auto weight_norm = sqrt(sum(square(p))), update_norm = sqrt(sum(square(g + p * u.decay(o))));
    assign(ratio, select(weight_norm * update_norm > 0, o.trust * weight_norm / update_norm, 1));
  } else {
    B::fill(ratio.data(), 1, P(1));
  }
  return pack_handles(into(m, m * (u.t == 1 ? 0.0 : o.momentum) + (g + p * u.decay(o)) * ratio),  //
                      into(p, p - m * u.lr(o)), after...);
}

}  // namespace detail

}}  // namespace vitral
