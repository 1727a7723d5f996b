// ViT: the vision transformer (Dosovitskiy et al. 2021), under timm's parameter names. It is MoCo v3's unless it is
// told otherwise; ViTOptions make it DeiT's, DINO's, DINOv2's, MAE's encoder or timm's.
#pragma once

#include <vitral/nn/patch_embed.hpp>
#include <vitral/nn/positions.hpp>
#include <vitral/nn/transformer_block.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// The size of a ViT: sides of images and patches in pixels, width of tokens, number of blocks, heads of each. As a
/// template argument it fixes at compile time what is not dyn.
struct ViTSize {
  int image = dyn, patch = dyn, width = dyn, depth = dyn, heads = dyn;
};
/// ViT-Ti for images of 32 pixels in patches of 4.
inline constexpr ViTSize vit_tiny_32{32, 4, 192, 12, 3};
/// ViT-S for images of 32 pixels in patches of 4.
inline constexpr ViTSize vit_small_32{32, 4, 384, 12, 6};
/// ViT-B for images of 32 pixels in patches of 4.
inline constexpr ViTSize vit_base_32{32, 4, 768, 12, 12};
/// ViT-Ti for images of 224 pixels in patches of 16.
inline constexpr ViTSize vit_tiny_224{224, 16, 192, 12, 3};
/// ViT-S for images of 224 pixels in patches of 16.
inline constexpr ViTSize vit_small_224{224, 16, 384, 12, 6};
/// ViT-B for images of 224 pixels in patches of 16.
inline constexpr ViTSize vit_base_224{224, 16, 768, 12, 12};

/// Throws Error, beginning with `whose`, unless a ViT can have this size.
inline void check_size(const ViTSize& s, std::string_view whose) {
  check(s.patch >= 1 && s.image >= s.patch && s.image % s.patch == 0, whose, ": an image size of ", s.image,
        " is not a multiple of the patch size ", s.patch, "; ViTSize::patch must divide ViTSize::image");
  check(s.heads >= 1 && s.width >= 4 && s.width % s.heads == 0, whose, ": a width of ", s.width,
        " cannot be divided among ", s.heads, " heads; ViTSize::heads must divide ViTSize::width");
  check(s.width % 4 == 0, whose, ": the width must be a multiple of 4 for the 2-D sin-cos positions, not ", s.width);
  check(s.depth >= 1, whose, ": the depth must be 1 or more, not ", s.depth);
}

/// What the features of a layer are made of: the class token, [batch, width]; the mean of the patches, [batch, width];
/// or both, the class token first, [batch, 2 width].
enum class Pooling { class_token, average, both };

/// Where the final norm stands: before the pooling, on every token (`norm` in timm); behind it, on what was pooled
/// (`fc_norm`, as MAE's and timm's networks with average pooling have it); or nowhere.
enum class FinalNorm { tokens, pooled, none };

/// What a ViT is told beside its size.
struct ViTOptions {
  bool train_patch_embed = false;                  // MoCo v3 keeps the patch embedding at its random start
  bool distillation_token = false;                 // a second token beside the class token (Touvron et al. 2021)
  bool distilled_layers = false;                   // layers() gives that one below the last (dis_token in SDSSL's code)
  double drop_path = 0;                            // of the last block; earlier ones get linearly less
  Recompute recompute = Recompute::nothing;        // of blocks: less memory, more time
  PositionKind positions = PositionKind::moco_v3;  // whose they are: fixed, or learned; how they are resized
  int register_tokens = 0;                         // behind the class token, without positions (Darcet et al. 2024)
  double layer_scale = 0;                  // what the factors of the branches' channels start at; 0: there are none
  Pooling pooling = Pooling::class_token;  // of the features that layers() and the network give
  FinalNorm final_norm = FinalNorm::tokens;
  GeluForm gelu = GeluForm::exact;
};

/// A vision transformer on backend B with activations of type T (bf16 keeps float parameters). Its size is known at run
/// time or fixed in its type:
///   ViT<Cpu, float> any({.image = 32, .patch = 4, .width = 192, .depth = 12, .heads = 3});
///   ViT<Cpu, float, vit_tiny_32> fixed(Seed{0});
template <class B, class T, ViTSize Size = ViTSize{}>
struct ViT {
  using backend = B;
  using activation = T;
  using scalar = compute_t<T>;  // of the parameters
  static constexpr int W = Size.width;

  ViTSize size;
  int lower_token = 0;  // which layers() gives below the last: 0 the class token, 1 the distillation token
  PositionKind positions;
  Pooling pooling;
  FinalNorm final_norm;
  PatchEmbed<W, Size.patch, scalar, B> patch_embed;
  Parameter<scalar, Shape<1, 1, W>, B> cls_token;
  std::vector<Parameter<scalar, Shape<1, 1, W>, B>> dist_token;   // one or none
  std::vector<Parameter<scalar, Shape<1, dyn, W>, B>> reg_token;  // one [1, register tokens, width], or none
  Parameter<scalar, Shape<1, dyn, W>, B> pos_embed;
  std::vector<TransformerBlock<W, scalar, B>> blocks;
  LayerNorm<W, scalar, B> norm;

  ViT(Seed seed = next_seed(), const ViTOptions& options = {}) requires(Size.width != dyn && Size.patch != dyn &&
                                                                        Size.image != dyn && Size.depth != dyn &&
                                                                        Size.heads != dyn)
      : ViT(Size, seed, options) {}

  /// Throws Error where the sizes do not fit each other or those fixed at compile time.
  explicit ViT(const ViTSize& run_time_size, Seed seed = next_seed(), const ViTOptions& options = {})
      : ViT(checked(run_time_size), Initializer(seed), options) {}

  /// images [batch, 3, image, image], or patches of them -> the features after each block: the class token through the
  /// final norm, or what ViTOptions::pooling and final_norm say: `depth` tensors [batch, width()]. With
  /// ViTOptions::distilled_layers the distillation token after each block but the last. To train the network, put the
  /// images on a tape first (`tape.constant(images)`).
  template <class Mode = Evaluation>
  [[nodiscard]] auto layers(const Operand auto& images, const Mode& mode = {}) const {
    std::vector<decltype(norm(select<1>(tokens(images), 0)))> out;
    auto last = through_blocks(images, mode, [&](const auto& x) { out.push_back(pooled(x, lower_token)); });
    out.push_back(std::move(last));
    return out;
  }

  /// images [batch, 3, image, image], or patches of them -> the last layer's features [batch, width()].
  template <class Mode = Evaluation>
  [[nodiscard]] auto operator()(const Operand auto& images, const Mode& mode = {}) const {
    return through_blocks(images, mode, [](const auto&) {});
  }

  /// One or more tensors of images [batch, 3, image, image] -> the patches of all of them, in their order. They may
  /// take the images' place in every network of this image and patch size, so that images are cut up once for all.
  template <class... Images>
  [[nodiscard]] auto patches(const Images&... images) const {
    (check_image(images), ...);
    return patch_embed.template patches<T>(images...);
  }

  /// Class token (, distillation token), register tokens and patches, with positions: [batch, tokens, width].
  [[nodiscard]] auto tokens(const Operand auto& images) const {
    if constexpr (shape_of<decltype(images)>::rank == 4) check_image(images);
    return tokens(images, pos_embed);
  }
  /// The same for images of other sizes, in whole patches: `positions` has a row for each of their tokens.
  [[nodiscard]] auto tokens(const Operand auto& images, const Parameter<scalar, Shape<1, dyn, W>, B>& positions) const {
    if constexpr (shape_of<decltype(images)>::rank == 4)
      return with_positions(patch_embed.template apply<T>(images), positions);
    else
      return with_positions(patch_embed.project(images), positions);
  }

  /// Tokens after a block, [..., width], as others are to see them: through the final norm where that is on tokens.
  [[nodiscard]] auto normalized(const Operand auto& tokens) const {
    return final_norm == FinalNorm::tokens ? norm(tokens) : eval(tokens);
  }

  [[nodiscard]] int depth() const { return static_cast<int>(blocks.size()); }
  /// Of the features; size.width is the tokens'.
  [[nodiscard]] int width() const { return pooling == Pooling::both ? 2 * size.width : size.width; }

  /// As VITRAL_MEMBERS, but for what may be absent.
  static void visit(auto& self, auto&& f) {
    f("cls_token", self.cls_token);
    if (!self.dist_token.empty()) f("dist_token", self.dist_token[0]);
    if (!self.reg_token.empty()) f("reg_token", self.reg_token[0]);
    f("pos_embed", self.pos_embed);
    f("patch_embed", self.patch_embed);
    f("blocks", self.blocks);
    if (self.final_norm != FinalNorm::none) f("norm", self.norm);
  }

 private:
  ViT(const ViTSize& s, Initializer init, const ViTOptions& options)
      : size(s),
        lower_token(options.distilled_layers ? 1 : 0),
        positions(options.positions),
        pooling(options.pooling),
        final_norm(options.final_norm),
        patch_embed(s.width, s.patch, options.train_patch_embed, init),
        norm(s.width, init) {
    check(options.distillation_token || !options.distilled_layers,
          "ViT: ViTOptions::distilled_layers asks for ViTOptions::distillation_token");
    check(options.register_tokens >= 0, "ViT: ViTOptions::register_tokens must be 0 or more, not ",
          options.register_tokens);
    check(pooling == Pooling::class_token || !options.distilled_layers,
          "ViT: ViTOptions::distilled_layers gives single tokens; leave ViTOptions::pooling at Pooling::class_token");
    check(pooling != Pooling::both || (W == dyn && final_norm != FinalNorm::pooled),
          "ViT: Pooling::both gives features of twice the width: leave the width out of the type, and choose a "
          "ViTOptions::final_norm other than FinalNorm::pooled");
    using Token = Shape<1, 1, W>;
    const Token token(std::array<int, 3>{1, 1, s.width});
    cls_token.value = Tensor<scalar, Token, B>(token);
    init.fill_normal(cls_token, 1e-6);
    if (options.distillation_token) {
      dist_token.push_back({Tensor<scalar, Token, B>(token)});
      init.fill_normal(dist_token[0], 1e-6);
    }
    using Tokens = Shape<1, dyn, W>;
    const auto tokens_of = [&](int count) { return Tokens(std::array<int, 3>{1, count, s.width}); };
    if (options.register_tokens > 0) {
      reg_token.push_back({Tensor<scalar, Tokens, B>(tokens_of(options.register_tokens))});
      init.fill_normal(reg_token[0], 1e-6);
    }
    const int prefix = options.distillation_token ? 2 : 1, grid = s.image / s.patch;
    const auto table = sincos_positions(grid, s.width, prefix);
    pos_embed = {Tensor<scalar, Tokens, B>::from(HostVector<scalar>(table.begin(), table.end()),
                                                 tokens_of(prefix + grid * grid)),
                 positions != PositionKind::moco_v3};
    if (pos_embed.trainable) init.fill_normal(pos_embed, 0.02);
    for (int i = 0; i < s.depth; ++i) {
      blocks.emplace_back(s.width, s.heads, init,
                          s.depth > 1 ? options.drop_path * i / (s.depth - 1) : options.drop_path);
      blocks.back().recompute = options.recompute;
      blocks.back().mlp.gelu = options.gelu;
      if (options.layer_scale != 0) blocks.back().scale_branches(options.layer_scale);
    }
  }

  void check_image(const auto& images) const {
    check(images.extent(2) == size.image && images.extent(3) == size.image, "ViT: images of shape ", images.shape(),
          " do not fit a network for ", size.image, " x ", size.image, " pixels");
  }

  /// A copy of `token` [1, count, width] for each image: [batch, count, width].
  template <int Count>
  auto repeated(const Parameter<scalar, Shape<1, Count, W>, B>& token, const auto& patches) const {
    using Rows = Shape<dyn, Count, W>;
    const Rows rows(std::array<int, 3>{patches.extent(0), token.shape()[1], size.width});
    return eval(constant_beside(patches, Tensor<T, Rows, B>(rows)) + token);
  }

  auto with_positions(const auto& patches, const auto& table) const {
    const auto class_rows = repeated(cls_token, patches);
    const auto all = dist_token.empty() ? concat_plus<1>(table, class_rows, patches)
                                        : concat_plus<1>(table, class_rows, repeated(dist_token[0], patches), patches);
    if (reg_token.empty()) return all;
    const int first = all.extent(1) - patches.extent(1);
    return concat<1>(slice<1, dyn>(all, 0, first), repeated(reg_token[0], patches), slice_from<1>(all, first));
  }

  /// The final norm of single tokens or of their mean, unless there is none.
  auto through_norm(const Operand auto& x) const { return final_norm == FinalNorm::none ? eval(x) : norm(x); }

  /// All tokens after a block -> the features of that layer. The norm works token by token, so a token alone is enough
  /// where one is taken: the class token, 0, or the distillation token, 1.
  auto pooled(const auto& x, int token) const {
    if (pooling == Pooling::class_token) return through_norm(select<1>(x, token));
    const int grid = size.image / size.patch;
    const auto average = eval(mean<1>(normalized(slice_from<1>(x, x.extent(1) - grid * grid))));
    if constexpr (W == dyn)
      if (pooling == Pooling::both) return concat<1>(through_norm(select<1>(x, 0)), average);
    return final_norm == FinalNorm::pooled ? norm(average) : average;
  }

  /// Runs all blocks: calls after(x) with the tokens after each block but the last, and returns the features after that
  /// one. For the class token alone the last block computes no other. Where a block is neither recomputed nor an
  /// operation of the backend, the sum at its end and the norm at the start of the next one are one pass over memory.
  template <class Mode, class F>
  auto through_blocks(const auto& images, const Mode& mode, F&& after) const {
    check(!blocks.empty(), "ViT: a network without blocks has no last layer; give it a depth of 1 or more");
    if constexpr (OffersBlocks<B>) {
      auto x = tokens(images);
      for (std::size_t i = 0; i + 1 < blocks.size(); ++i) after(x = blocks[i](x, mode));
      if (pooling != Pooling::class_token) return pooled(blocks.back()(x, mode), 0);
      return through_norm(blocks.back().first_token(x, mode));
    } else {
      auto h = [&] {
        const auto x = tokens(images);
        return Normalized(x, blocks[0].norm1(x));
      }();
      for (std::size_t i = 0; i + 1 < blocks.size(); ++i) {
        h = blocks[i].composed(h.value, h.normalized, mode, blocks[i + 1].norm1.beside_value());
        after(h.value);
      }
      const auto& block = blocks.back();
      if (pooling != Pooling::class_token)
        return pooled(block.composed(h.value, h.normalized, mode, [](const auto& sum) { return eval(sum); }), 0);
      return through_norm(block.first_token(h.value, h.normalized, mode));
    }
  }

  static const ViTSize& checked(const ViTSize& s) {
    check_size(s, "ViT");
    detail::checked_width("ViT: image", Size.image, s.image);
    detail::checked_width("ViT: patch", Size.patch, s.patch);
    detail::checked_width("ViT: width", Size.width, s.width);
    detail::checked_width("ViT: depth", Size.depth, s.depth);
    detail::checked_width("ViT: heads", Size.heads, s.heads);
    return s;
  }
};

}}  // namespace vitral
