// Linear: y = act(x w^T + b).
#pragma once

#include <vitral/autodiff/matmul.hpp>
#include <vitral/nn/initializer.hpp>
#include <vitral/nn/module.hpp>

#include <cmath>

namespace vitral { inline namespace VITRAL_ABI {

/// Whether a Linear adds a bias.
enum class Bias { yes, no };

/// How a Linear starts: the weight [Out, In] uniformly within sqrt(6 / (In + Out)) and the bias at zero (Glorot and
/// Bengio 2010), or both uniformly within 1 / sqrt(In), as PyTorch's Linear does.
enum class LinearStart { glorot, pytorch };

/// A fully connected layer: `Linear<784, 256>(seed)`, or `Linear(784, 256, seed)` for widths known at run time. Without
/// a seed each layer gets another one. weight [Out, In] and bias [Out] start as LinearStart::glorot says. P is the type
/// of parameters; activations may have another.
template <int In, int Out, class P = float, class B = Cpu, Bias HasBias = Bias::yes>
struct Linear {
  Parameter<P, Shape<Out, In>, B> weight;
  std::conditional_t<HasBias == Bias::yes, Parameter<P, Shape<Out>, B>, None> bias;

  Linear(Seed seed = next_seed()) requires(In != dyn && Out != dyn) : Linear(In, Out, Initializer(seed).self()) {}
  Linear(int in, int out, Seed seed = next_seed()) : Linear(in, out, Initializer(seed).self()) {
    static_assert(In == dyn && Out == dyn, "vitral: Linear<In, Out> has its widths in its type: give it a seed alone; "
                                           "or leave them to run time, Linear(in, out, seed)");
  }
  /// Inside a module that starts from one seed. `fused` outputs of equal width share the weight (query, key and value
  /// of attention): each starts as a layer of its own.
  Linear(int in, int out, Initializer& init, int fused = 1)
      : Linear(in, out, init, std::sqrt(6.0 / (static_cast<double>(in) + out / fused)), 0) {}
  /// The same with the start named.
  Linear(int in, int out, Initializer& init, LinearStart start)
      : Linear(start == LinearStart::glorot ? Linear(in, out, init)
                                            : Linear(in, out, init, 1 / std::sqrt(in), 1 / std::sqrt(in))) {}

  /// x [..., In] -> act of [..., Out], the activation in the same pass over memory.
  template <Activation Act = Activation::none>
  [[nodiscard]] auto apply(const Operand auto& x) const {
    return linear<Act>(x, weight, bias);
  }
  /// x [..., In] -> [..., Out]
  [[nodiscard]] auto operator()(const Operand auto& x) const { return apply(x); }

  VITRAL_MEMBERS(weight, bias)

 private:
  Linear(int in, int out, Initializer& init, double weight_bound, double bias_bound) {
    weight.value = Tensor<P, Shape<Out, In>, B>(Shape<Out, In>(std::array<int, 2>{
        detail::checked_width("Linear: Out", Out, out), detail::checked_width("Linear: In", In, in)}));
    init.fill_uniform(weight, weight_bound);
    if constexpr (HasBias == Bias::yes) {
      bias.value = Tensor<P, Shape<Out>, B>(Shape<Out>(std::array<int, 1>{out}));
      if (bias_bound > 0) init.fill_uniform(bias, bias_bound);
    }
  }
};
Linear(int, int, Seed = {})->Linear<dyn, dyn>;

}}  // namespace vitral
