// The transformer block of ViT (Dosovitskiy et al. 2021): attention and an MLP, each behind a LayerNorm and a residual.
#pragma once

#include <vitral/autodiff/attention.hpp>
#include <vitral/nn/drop.hpp>
#include <vitral/nn/linear.hpp>
#include <vitral/nn/norm.hpp>

namespace vitral::inline VITRAL_ABI {

/// Multi-head self-attention with packed q, k, v.
template <int Width, class P = float, class B = Cpu>
struct Attention {
  int heads;
  Linear<Width, times(3, Width), P, B> qkv;
  Linear<Width, Width, P, B> proj;

  Attention(int width, int heads, Initializer& init)
      : heads(heads), qkv(width, 3 * width, init, 3), proj(width, width, init) {
    check(heads >= 1 && width % heads == 0, "Attention: a width of ", width, " cannot be divided among ", heads,
          " heads");
  }

  /// x [batch, tokens, Width] -> the same shape
  [[nodiscard]] auto operator()(const Operand auto& x) const { return proj(attention(qkv(x), heads)); }

  static void visit(auto& self, auto&& f) {
    f("qkv", self.qkv);
    f("proj", self.proj);
  }
};

template <int Width, class P = float, class B = Cpu>
struct Block {
  LayerNorm<Width, P, B> norm1;
  Attention<Width, P, B> attn;
  DropPath drop_path;
  LayerNorm<Width, P, B> norm2;
  Mlp<Width, times(4, Width), P, B> mlp;

  Block(int width, int heads, Initializer& init, double drop_path_rate = 0)
      : norm1(width), attn(width, heads, init), drop_path{drop_path_rate}, norm2(width), mlp(width, 4 * width, init) {}

  /// x [batch, tokens, Width] -> the same shape
  template <class Mode = Evaluation>
  [[nodiscard]] auto operator()(const Operand auto& x, const Mode& mode = {}) const {
    const auto h = drop_path.add(x, attn(norm1(x)), mode);
    return drop_path.add(h, mlp(norm2(h)), mode);
  }

  static void visit(auto& self, auto&& f) {
    f("norm1", self.norm1);
    f("attn", self.attn);
    f("norm2", self.norm2);
    f("mlp", self.mlp);
  }
};

}  // namespace vitral::inline VITRAL_ABI
