// Attention: multi-head self-attention (Vaswani et al. 2017), of all tokens or of those before.
#pragma once

#include <vitral/autodiff/causal_attention.hpp>
#include <vitral/nn/linear.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Whether a token sees itself and earlier ones alone, as in a language model, or all.
enum class Causal { yes, no };

/// `Attention<64>(4, seed)` has 4 heads; `Attention(64, 4, seed)` for a width known at run time. Queries, keys and
/// values come from one product, under timm's names. A causal one is `Attention<64, float, Cpu, Causal::yes>(4, seed)`.
template <int Width, class P = float, class B = Cpu, Causal Mask = Causal::no>
struct Attention {
  int heads;
  Linear<Width, times(3, Width), P, B> qkv;
  Linear<Width, Width, P, B> proj;

  explicit Attention(int heads, Seed seed = next_seed()) requires(Width != dyn)
      : Attention(Width, heads, Initializer(seed).self()) {}
  Attention(int width, int heads, Seed seed = next_seed()) : Attention(width, heads, Initializer(seed).self()) {
    static_assert(Width == dyn,
                  "vitral: Attention<Width> has its width in its type: give it heads and a seed; or leave "
                  "the width to run time, Attention(width, heads, seed)");
  }
  /// Inside a module that starts from one seed.
  Attention(int width, int heads, Initializer& init)
      : heads(heads), qkv(width, times(3, width), init, 3), proj(width, width, init) {
    check(heads >= 1 && width % heads == 0, "Attention: a width of ", width, " cannot be divided among ", heads,
          " heads");
  }

  /// x [batch, tokens, Width] -> the same shape
  [[nodiscard]] auto operator()(const Operand auto& x) const { return (*this)(x, proj); }
  /// The same with another last layer: a Linear, or a ComputedLinear.
  [[nodiscard]] auto operator()(const Operand auto& x, const auto& last) const {
    if constexpr (Mask == Causal::yes)
      return last(causal_attention(qkv(x), heads));
    else
      return last(attention(qkv(x), heads));
  }

  /// What the first token alone receives: [batch, Width]. Its query is the only one that is asked.
  [[nodiscard]] auto first_token(const Operand auto& x) const requires(Mask == Causal::no) {
    return first_token(x, proj);
  }
  /// The same with another last layer.
  [[nodiscard]] auto first_token(const Operand auto& x, const auto& last) const requires(Mask == Causal::no) {
    const int width = x.extent(2);
    const auto weight = watched_beside(x, qkv.weight);
    const auto bias = watched_beside(x, qkv.bias);
    const auto q = linear(slice<1, 1>(x, 0), slice<0, Width>(weight, 0, width), slice<0, Width>(bias, 0, width));
    const auto kv = linear(x, slice<0, times(2, Width)>(weight, width, times(2, width)),
                           slice<0, times(2, Width)>(bias, width, times(2, width)));
    return select<1>(last(attention(q, kv, heads)), 0);
  }

  VITRAL_MEMBERS(qkv, proj)
};
Attention(int, int, Seed = {})->Attention<dyn>;

}}  // namespace vitral
