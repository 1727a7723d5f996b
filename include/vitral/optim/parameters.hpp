// What an optimiser sees of a module: its trainable parameters as flat tensors, with names and ranks.
#pragma once

#include <vitral/nn/module.hpp>
#include <vitral/tensor/layout.hpp>
#include <vitral/tensor/reduce.hpp>

namespace vitral::inline VITRAL_ABI {

template <class P, class B>
using Flat = Tensor<P, Shape<dyn>, B>;

/// A trainable parameter. Weight decay applies to those of two dimensions or more: not to biases and scales.
template <class P, class B>
struct ParameterRef {
  std::string name;
  Flat<P, B> value;
  int rank;
  [[nodiscard]] bool decays() const { return rank > 1; }
};

/// The trainable parameters of a module in visiting order.
template <class M>
[[nodiscard]] auto trainable_parameters(const M& module) {
  std::vector<ParameterRef<typename M::scalar, typename M::backend>> out;
  for_each_parameter(module, [&](const std::string& name, const auto& p) {
    if (p.trainable) out.push_back({name, flat(p.value), shape_of<decltype(p)>::rank});
  });
  return out;
}

/// Scales all gradients so that their joint norm is at most max_norm, as torch.nn.utils.clip_grad_norm_ does; returns
/// the norm before. Gradients that no backward pass reached count as zero.
template <class P, class B>
double clip_grad_norm(const std::vector<ParameterRef<P, B>>& parameters, const Tape& tape, double max_norm) {
  double squares = 0;
  for (const auto& p : parameters)
    if (tape.has_grad(p.value.data())) squares += static_cast<double>(sum(square(tape.grad(p.value))).item());
  const double norm = std::sqrt(squares);
  const double scale = max_norm / (norm + 1e-6);
  if (scale < 1)
    for (const auto& p : parameters)
      if (tape.has_grad(p.value.data())) {
        const auto g = tape.grad(p.value);
        assign(g, g * scale);
      }
  return norm;
}

}  // namespace vitral::inline VITRAL_ABI
