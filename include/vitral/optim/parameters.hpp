// What an optimiser sees of a module: its trainable parameters as flat tensors, with names and ranks.
#pragma once

#include <vitral/nn/module.hpp>
#include <vitral/tensor/evaluate.hpp>
#include <vitral/tensor/layout.hpp>
#include <vitral/tensor/reduce.hpp>

#include <unordered_set>

namespace vitral { inline namespace VITRAL_ABI {

/// The elements of a parameter, along one axis.
template <class P, class B>
using Flat = Tensor<P, Shape<dyn>, B>;

/// A trainable parameter. Weight decay applies to those of two dimensions or more, unless they are exempt, and so not
/// to biases and scales.
template <class P, class B>
struct ParameterRef {
  std::string name;
  Flat<P, B> value;
  int rank;
  double rate = 1;      ///< the learning rate is the optimiser's times this; see decay_rates
  bool exempt = false;  ///< from weight decay; see exempt_tokens
  [[nodiscard]] bool decays() const { return rank > 1 && !exempt; }
};

namespace detail {

/// Lists trainable parameters in `out`; `seen` holds their memory. Of one type for all modules, as in nn/module.hpp.
template <class P, class B>
auto list_trainable(std::vector<ParameterRef<P, B>>& out, std::unordered_set<const void*>& seen) {
  return [&out, &seen](const std::string& name, const auto& p) {
    static_assert(
        std::is_convertible_v<decltype(flat(p.value)), Flat<P, B>>,
        "vitral: an optimiser trains parameters of one scalar type and one backend: those of the module's first");
    check(static_cast<bool>(p.value), "the parameter ", name, " has no elements; give its `value` a tensor first");
    if (p.trainable && seen.insert(p.value.data()).second)
      out.push_back({name, flat(p.value), shape_of<decltype(p)>::rank});
  };
}

}  // namespace detail

/// The trainable parameters of a module in the order of its members. One that several members share is listed once,
/// under its first name. Throws Error where a parameter has no elements.
template <class M>
[[nodiscard]] auto trainable_parameters(const M& module) {
  std::vector<ParameterRef<scalar_of_module<M>, backend_of_module<M>>> out;
  std::unordered_set<const void*> seen;
  for_each_parameter(module, detail::list_trainable(out, seen));
  return out;
}

/// Scales all gradients by one factor so that their joint norm is at most max_norm, as torch.nn.utils.clip_grad_norm_
/// does. Returns the norm before, one number that stays on the device. A gradient that no backward pass reached counts
/// as zero.
///
///   clip_grad_norm(optimizer.parameters(), tape, 1.0);  // after backward, before optimizer.step(tape)
template <class P, class B>
Tensor<P, Shape<>, B> clip_grad_norm(const std::vector<ParameterRef<P, B>>& parameters, const Tape& tape,
                                     double max_norm) {
  std::vector<Flat<P, B>> gradients;
  for (const auto& p : parameters)
    if (tape.has_grad(p.value.data())) gradients.push_back(tape.grad(p.value));
  const auto squares = Flat<P, B>::uninitialized({static_cast<int>(gradients.size())});
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const auto square_sum = sum(square(gradients[i]));
    B::copy(square_sum.data(), squares.data() + i, 1);
  }
  auto norm = eval(sqrt(sum(squares)));
  const auto scale = eval(minimum(max_norm / (norm + 1e-6), 1));
  assign_each<B>(gradients.size(),
                 [&](std::size_t i) { return pack_handles(into(gradients[i], gradients[i] * scale)); });
  return norm;
}

}}  // namespace vitral
