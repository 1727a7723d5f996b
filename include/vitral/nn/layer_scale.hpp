// LayerScale: a learned factor for each channel of a branch (Touvron et al. 2021, CaiT). It scales the branch's last
// layer itself, gamma (W x + b) = (gamma W) x + gamma b, so that whatever computes a branch computes a scaled one, too.
#pragma once

#include <vitral/nn/linear.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// A linear layer whose weight [Out, In] and bias [Out] were computed.
template <class Weight, class BiasValue>
struct ComputedLinear {
  Weight weight;
  BiasValue bias;
  /// x [..., In] -> [..., Out]
  [[nodiscard]] auto operator()(const Operand auto& x) const { return linear(x, weight, bias); }
};
template <class Weight, class BiasValue>
ComputedLinear(Weight, BiasValue) -> ComputedLinear<Weight, BiasValue>;

/// The factors of a branch, all of which start at `start`; 1e-5 is usual.
template <int Width, class P = float, class B = Cpu>
struct LayerScale {
  Parameter<P, Shape<Width>, B> gamma;

  explicit LayerScale(double start) requires(Width != dyn) : LayerScale(Width, start) {}
  LayerScale(int width, double start)
      : gamma{detail::constant_vector<P, Width, B>(detail::checked_width("LayerScale: Width", Width, width),
                                                   static_cast<P>(start))} {}

  /// `layer` with its outputs scaled, on the tape of x where that is on one.
  template <int In>
  [[nodiscard]] auto scaled(const Linear<In, Width, P, B>& layer, const Operand auto& x) const {
    const auto factors = watched_beside(x, gamma);
    const auto rows = reshape(factors, Shape<Width, 1>(std::array<int, 2>{gamma.shape()[0], 1}));
    return ComputedLinear{eval(rows * watched_beside(x, layer.weight)), eval(factors * watched_beside(x, layer.bias))};
  }

  VITRAL_MEMBERS(gamma)
};

}}  // namespace vitral
