// The transformer block of ViT (Dosovitskiy et al. 2021): attention and an MLP, each behind a LayerNorm and a residual.
#pragma once

#include <vitral/autodiff/attention.hpp>
#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/recompute.hpp>
#include <vitral/autodiff/whole_block.hpp>
#include <vitral/nn/drop.hpp>
#include <vitral/nn/linear.hpp>
#include <vitral/nn/norm.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Multi-head self-attention with packed q, k, v.
template <int Width, class P = float, class B = Cpu>
struct Attention {
  int heads;
  Linear<Width, times(3, Width), P, B> qkv;
  Linear<Width, Width, P, B> proj;

  Attention(int width, int heads, Initializer& init)
      : heads(heads), qkv(width, times(3, width), init, 3), proj(width, width, init) {
    check(heads >= 1 && width % heads == 0, "Attention: a width of ", width, " cannot be divided among ", heads,
          " heads");
  }

  /// x [batch, tokens, Width] -> the same shape
  [[nodiscard]] auto operator()(const Operand auto& x) const { return proj(attention(qkv(x), heads)); }

  /// What the first token alone receives: [batch, Width]. Its query is the only one that is asked.
  [[nodiscard]] auto first_token(const Operand auto& x) const {
    const int width = x.extent(2);
    const auto weight = watched_beside(x, qkv.weight);
    const auto bias = watched_beside(x, qkv.bias);
    const auto q = linear(slice<1, 1>(x, 0), slice<0, Width>(weight, 0, width), slice<0, Width>(bias, 0, width));
    const auto kv = linear(x, slice<0, times(2, Width)>(weight, width, times(2, width)),
                           slice<0, times(2, Width)>(bias, width, times(2, width)));
    return select<1>(proj(attention(q, kv, heads)), 0);
  }

  VITRAL_MEMBERS(qkv, proj)
};

template <int Width, class P = float, class B = Cpu>
struct TransformerBlock {
  LayerNorm<Width, P, B> norm1;
  Attention<Width, P, B> attn;
  DropPath drop_path;
  LayerNorm<Width, P, B> norm2;
  Mlp<Width, times(4, Width), P, B> mlp;
  Recompute recompute = Recompute::nothing;

  TransformerBlock(int width, int heads, Initializer& init, double drop_path_rate = 0)
      : norm1(width),
        attn(width, heads, init),
        drop_path{drop_path_rate},
        norm2(width),
        mlp(width, times(4, width), init) {}

  /// x [batch, tokens, Width] -> the same shape
  template <class Mode = Evaluation>
  [[nodiscard]] auto operator()(const Operand auto& x, const Mode& mode = {}) const {
    if constexpr (OffersBlocks<B>) {
      if (x.extent(0) < fewest_images) return composed(x, mode);  // threads share out the tokens instead of the images
      const auto keep1 = drop_path.template keep<P, B>(x.extent(0), mode);
      const auto keep2 = drop_path.template keep<P, B>(x.extent(0), mode);
      return transformer_block(x, attn.heads, mlp.fc1.weight.value.extent(0), norm1.eps, norm2.eps, keep1, keep2,
                               recompute, norm1.weight, norm1.bias, attn.qkv.weight, attn.qkv.bias, attn.proj.weight,
                               attn.proj.bias, norm2.weight, norm2.bias, mlp.fc1.weight, mlp.fc1.bias, mlp.fc2.weight,
                               mlp.fc2.bias);
    } else {
      return composed(x, mode);
    }
  }

  /// The same from single operations: what the block is, and what a backend's own form of it is held against.
  template <class Mode = Evaluation>
  [[nodiscard]] auto composed(const Operand auto& x, const Mode& mode = {}) const {
    return composed(x, norm1(x), mode, [](const auto& sum) { return eval(sum); });
  }
  /// The same of x and norm1(x); `finish` is given the result: as an expression, a sum, unless it is recomputed.
  template <Operand X, Operand Y, class Mode, class F>
  [[nodiscard]] auto composed(const X& x, const Y& normalized, const Mode& mode, F&& finish) const {
    if constexpr (is_variable<X> && is_variable<Y>)
      if (recompute == Recompute::block && wants_gradient(x, normalized)) {
        const auto sum = [](const auto& s) { return eval(s); };
        const Mode as_now = mode;  // it draws the same numbers again
        const auto y = with_residuals(x.value(), normalized.value(), mode, sum);
        const unsigned versions = versions_with(x);
        return finish(recomputed(x.tape(), y, [block = *this, x, slot = normalized.slot(), as_now, sum, versions] {
          detail::check_unchanged(block.versions_with(x), versions, x.shape());
          const Y normalized_again(block.norm1(x.value()), x.tape(), slot);
          return block.with_residuals(x, normalized_again, as_now, sum);
        }));
      }
    return with_residuals(x, normalized, mode, finish);
  }

  /// The first token of the result, [batch, Width]; nothing is computed for the others but what it looks at. That is
  /// kept whatever `recompute` says: less than what the block before needs when its turn comes.
  template <class Mode = Evaluation>
  [[nodiscard]] auto first_token(const Operand auto& x, const Mode& mode = {}) const {
    return first_token(x, norm1(x), mode);
  }
  /// The same of x and norm1(x).
  template <class Mode>
  [[nodiscard]] auto first_token(const Operand auto& x, const Operand auto& normalized, const Mode& mode) const {
    const auto attended = attn.first_token(normalized);
    const auto h = drop_path.with_sum(select<1>(x, 0), attended, mode, norm2.beside_value());
    return drop_path.add(h.value, mlp(h.normalized), mode);
  }

  static constexpr int fewest_images = 4;

  VITRAL_MEMBERS(norm1, attn, norm2, mlp)

 private:
  template <class Mode, class F>
  auto with_residuals(const auto& x, const auto& normalized, const Mode& mode, F&& finish) const {
    const auto h = drop_path.with_sum(x, attn(normalized), mode, norm2.beside_value());
    return drop_path.with_sum(h.value, mlp(h.normalized), mode, finish);
  }
  /// Of x and all parameters: what the block is computed from, and computed again.
  unsigned versions_with(const auto& x) const {
    unsigned sum = detail::versions_of(x);
    for_each_tensor(*this, [&](const std::string&, const auto& member) { sum += member.value.buffer().version(); });
    return sum;
  }
  bool wants_gradient(const auto&... variables) const {
    bool wanted = (static_cast<bool>(variables.slot()) || ...);
    for_each_parameter(*this, [&](const std::string&, const auto& p) { wanted = wanted || p.trainable; });
    return wanted;
  }
};

}}  // namespace vitral
