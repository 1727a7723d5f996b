// Mlp: two linear layers with an activation between them.
#pragma once

#include <vitral/autodiff/mlp.hpp>
#include <vitral/nn/activation.hpp>
#include <vitral/nn/linear.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// fc2(act(fc1(x))): `Mlp<64, 256>(seed)`, or `Mlp(64, 256, seed)` for widths known at run time. Act is an element-wise
/// operation or a function object without state: `Mlp<64, 256, float, Cpu, op::Relu>(seed)`,
/// `Mlp(64, 256, seed, op::Tanh{})`, `Mlp(64, 256, seed, [](const auto& x) { return x * sigmoid(x); })`. An op::Gelu is
/// computed in the form that the member `gelu` names.
template <int Width, int Hidden, class P = float, class B = Cpu, class Act = op::Gelu>
struct Mlp {
  static_assert(std::is_empty_v<Act>,
                "vitral: Mlp: an activation keeps nothing; write a struct of two Linears instead");
  Linear<Width, Hidden, P, B> fc1;
  Linear<Hidden, Width, P, B> fc2;
  GeluForm gelu = GeluForm::exact;

  Mlp(Seed seed = next_seed()) requires(Width != dyn && Hidden != dyn) : Mlp(Width, Hidden, Initializer(seed).self()) {}
  Mlp(int width, int hidden, Seed seed = next_seed(), Act = {}) : Mlp(width, hidden, Initializer(seed).self()) {
    static_assert(Width == dyn && Hidden == dyn,
                  "vitral: Mlp<Width, Hidden> has its widths in its type: give it a seed "
                  "alone; or leave them to run time, Mlp(width, hidden, seed)");
  }
  /// Inside a module that starts from one seed.
  Mlp(int width, int hidden, Initializer& init) : fc1(width, hidden, init), fc2(hidden, width, init) {}

  /// x [..., Width] -> [..., Width]
  [[nodiscard]] auto operator()(const Operand auto& x) const { return (*this)(x, fc2); }
  /// The same with another last layer: a Linear, or a ComputedLinear.
  [[nodiscard]] auto operator()(const Operand auto& x, const auto& last) const {
    if constexpr (std::is_same_v<Act, op::Gelu>) {
      if (gelu != GeluForm::exact) return last(eval(approximate_gelu(fc1(x), gelu)));
      return mlp(x, fc1.weight, fc1.bias, last.weight, last.bias);
    } else if constexpr (std::is_same_v<Act, op::Relu>) {
      return last(fc1.template apply<Activation::relu>(x));
    } else {
      return last(activate(Act{}, fc1(x)));
    }
  }

  VITRAL_MEMBERS(fc1, fc2)
};
Mlp(int, int, Seed = {})->Mlp<dyn, dyn>;
template <class Act>
Mlp(int, int, Seed, Act) -> Mlp<dyn, dyn, float, Cpu, Act>;

}}  // namespace vitral
