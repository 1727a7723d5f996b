// Linear: y = act(x w^T + b), and Mlp, two of them with a GELU between.
#pragma once

#include <vitral/autodiff/mlp.hpp>
#include <vitral/nn/initializer.hpp>
#include <vitral/nn/module.hpp>

#include <cmath>

namespace vitral { inline namespace VITRAL_ABI {

enum class Bias { yes, no };

/// weight [Out, In] and bias [Out]; extents may be dyn. P is the parameters' type, activations may be of another.
/// Initialised uniformly as by Glorot and Bengio (2010): bound sqrt(6 / (In + Out)), the bias zero.
template <int In, int Out, class P = float, class B = Cpu, Bias HasBias = Bias::yes>
struct Linear {
  Parameter<P, Shape<Out, In>, B> weight;
  std::conditional_t<HasBias == Bias::yes, Parameter<P, Shape<Out>, B>, None> bias;

  Linear(Seed seed = next_seed()) requires(In != dyn && Out != dyn) : Linear(In, Out, seed) {}
  Linear(int in, int out, Seed seed) {
    Initializer init(seed);
    *this = Linear(in, out, init);
  }
  /// `fused` outputs of equal width share the weight (q, k, v of attention): each is initialised as a layer of its own.
  Linear(int in, int out, Initializer& init, int fused = 1)
      : weight{Tensor<P, Shape<Out, In>, B>(Shape<Out, In>(std::array<int, 2>{out, in}))} {
    if constexpr (HasBias == Bias::yes) bias.value = Tensor<P, Shape<Out>, B>(Shape<Out>(std::array<int, 1>{out}));
    init.fill_uniform(weight, std::sqrt(6.0 / (static_cast<double>(in) + out / fused)));
  }

  /// x [..., In] -> [..., Out]
  template <Activation Act = Activation::none>
  [[nodiscard]] auto apply(const Operand auto& x) const {
    return linear<Act>(x, weight, bias);
  }
  [[nodiscard]] auto operator()(const Operand auto& x) const { return apply(x); }

  VITRAL_MEMBERS(weight, bias)
};

/// fc2(gelu(fc1(x))).
template <int Width, int Hidden, class P = float, class B = Cpu>
struct Mlp {
  Linear<Width, Hidden, P, B> fc1;
  Linear<Hidden, Width, P, B> fc2;

  Mlp(int width, int hidden, Initializer& init) : fc1(width, hidden, init), fc2(hidden, width, init) {}

  /// x [..., Width] -> [..., Width]
  [[nodiscard]] auto operator()(const Operand auto& x) const {
    return mlp(x, fc1.weight, fc1.bias, fc2.weight, fc2.bias);
  }

  VITRAL_MEMBERS(fc1, fc2)
};

}}  // namespace vitral
