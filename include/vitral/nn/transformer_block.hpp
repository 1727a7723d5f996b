// The transformer block of ViT (Dosovitskiy et al. 2021) and GPT: attention and an MLP, each behind a LayerNorm and
// beside a residual.
#pragma once

#include <vitral/autodiff/recompute.hpp>
#include <vitral/autodiff/whole_block.hpp>
#include <vitral/nn/attention.hpp>
#include <vitral/nn/drop.hpp>
#include <vitral/nn/layer_scale.hpp>
#include <vitral/nn/mlp.hpp>
#include <vitral/nn/norm.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// m + mlp(norm2(m)) for m = x + attn(norm1(x)): `TransformerBlock<64>(4, seed)` has 4 heads; `TransformerBlock(64, 4,
/// seed)` for a width known at run time. The MLP is four times as wide. A language model's block is
/// `TransformerBlock<64, float, Cpu, Causal::yes>(4, seed)`. With ls1 and ls2 (see scale_branches) both branches are
/// scaled channel by channel. mlp.gelu is the form of the MLP's GELU.
///
///   const TransformerBlock<32> block(4, Seed{1});
///   const auto tokens = block(reshape(x, Shape<dyn, 16, 32>{x.extent(0) / 16, 16, 32}), mode);  // of the same shape
template <int Width, class P = float, class B = Cpu, Causal Mask = Causal::no>
struct TransformerBlock {
  using scalar = P;
  using backend = B;

  LayerNorm<Width, P, B> norm1;
  Attention<Width, P, B, Mask> attn;
  DropPath drop_path;
  LayerNorm<Width, P, B> norm2;
  Mlp<Width, times(4, Width), P, B> mlp;
  std::vector<LayerScale<Width, P, B>> ls1, ls2;  // of the two branches: one each, or none
  Recompute recompute = Recompute::nothing;

  explicit TransformerBlock(int heads, Seed seed = next_seed(), double drop_path_rate = 0) requires(Width != dyn)
      : TransformerBlock(Width, heads, Initializer(seed).self(), drop_path_rate) {}
  TransformerBlock(int width, int heads, Seed seed = next_seed(), double drop_path_rate = 0)
      : TransformerBlock(width, heads, Initializer(seed).self(), drop_path_rate) {
    static_assert(Width == dyn,
                  "vitral: TransformerBlock<Width> has its width in its type: give it heads and a seed; or "
                  "leave the width to run time, TransformerBlock(width, heads, seed)");
  }
  /// Inside a module that starts from one seed.
  TransformerBlock(int width, int heads, Initializer& init, double drop_path_rate = 0)
      : norm1(width, init),
        attn(width, heads, init),
        drop_path{drop_path_rate},
        norm2(width, init),
        mlp(width, times(4, width), init) {}

  /// Gives both branches a LayerScale whose factors start at `start`.
  void scale_branches(double start) {
    const int width = norm1.weight.shape()[0];
    ls1.assign(1, LayerScale<Width, P, B>(width, start));
    ls2.assign(1, LayerScale<Width, P, B>(width, start));
  }

  /// x [batch, tokens, Width] -> the same shape
  template <class Mode = Evaluation>
  [[nodiscard]] auto operator()(const Operand auto& x, const Mode& mode = {}) const {
    if constexpr (OffersBlocks<B> && Mask == Causal::no) {
      // Few images: threads share out the tokens instead.
      if (x.extent(0) < fewest_images || mlp.gelu != GeluForm::exact) return composed(x, mode);
      const auto keep1 = drop_path.template keep<P, B>(x.extent(0), mode);
      const auto keep2 = drop_path.template keep<P, B>(x.extent(0), mode);
      return with_last_layers(x, [&](const auto& proj, const auto& fc2) {
        return transformer_block(x, attn.heads, mlp.fc1.weight.value.extent(0), norm1.eps, norm2.eps, keep1, keep2,
                                 recompute, norm1.weight, norm1.bias, attn.qkv.weight, attn.qkv.bias, proj.weight,
                                 proj.bias, norm2.weight, norm2.bias, mlp.fc1.weight, mlp.fc1.bias, fc2.weight,
                                 fc2.bias);
      });
    } else {
      return composed(x, mode);
    }
  }

  /// The same from single operations: this says what a block is, and a backend's own form is tested against it.
  template <class Mode = Evaluation>
  [[nodiscard]] auto composed(const Operand auto& x, const Mode& mode = {}) const {
    return composed(x, norm1(x), mode, [](const auto& sum) { return eval(sum); });
  }
  /// The same where norm1(x) is there already. `finish` makes the result of the last sum, which is still an expression
  /// so that a norm can join its pass over memory; a block that is recomputed hands it a value.
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

  /// The first token of the result alone, [batch, Width]: of the others only keys and values are computed. `recompute`
  /// changes nothing here: what is kept is less than the block before needs when its turn comes.
  template <class Mode = Evaluation>
  [[nodiscard]] auto first_token(const Operand auto& x, const Mode& mode = {}) const {
    return first_token(x, norm1(x), mode);
  }
  /// The same where norm1(x) is there already.
  template <class Mode>
  [[nodiscard]] auto first_token(const Operand auto& x, const Operand auto& normalized, const Mode& mode) const {
    return with_last_layers(x, [&](const auto& proj, const auto& fc2) {
      const auto attended = attn.first_token(normalized, proj);
      const auto h = drop_path.with_sum(select<1>(x, 0), attended, mode, norm2.beside_value());
      return drop_path.add(h.value, mlp(h.normalized, fc2), mode);
    });
  }

  static constexpr int fewest_images = 4;

  /// As VITRAL_MEMBERS, but for the factors, which may be absent.
  static void visit(auto& self, auto&& f) {
    f("norm1", self.norm1);
    f("attn", self.attn);
    if (!self.ls1.empty()) f("ls1", self.ls1[0]);
    f("norm2", self.norm2);
    f("mlp", self.mlp);
    if (!self.ls2.empty()) f("ls2", self.ls2[0]);
  }

 private:
  /// f(the last layer of attention, that of the MLP), scaled where the branches are.
  template <class F>
  auto with_last_layers(const auto& x, F&& f) const {
    if (ls1.empty()) return f(attn.proj, mlp.fc2);
    return f(ls1[0].scaled(attn.proj, x), ls2[0].scaled(mlp.fc2, x));
  }
  template <class Mode, class F>
  auto with_residuals(const auto& x, const auto& normalized, const Mode& mode, F&& finish) const {
    return with_last_layers(x, [&](const auto& proj, const auto& fc2) {
      const auto h = drop_path.with_sum(x, attn(normalized, proj), mode, norm2.beside_value());
      return drop_path.with_sum(h.value, mlp(h.normalized, fc2), mode, finish);
    });
  }
  /// Changes when x or a parameter is changed: a block that is computed again needs them as they were.
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
TransformerBlock(int, int, Seed = {}, double = 0)->TransformerBlock<dyn>;

}}  // namespace vitral
