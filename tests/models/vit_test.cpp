// ViT: shapes, names, errors, gradients, and what its options do.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/models/vit.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

using Names = std::vector<std::string>;
using Exact = ViT<Cpu, double>;

constexpr ViTSize small{8, 4, 16, 2, 2};
constexpr ViTSize tiny{4, 2, 8, 2, 2};

const auto tiny_images = normal(Dyn<4>{3, 3, 4, 4}, 1);

Names names_of(const Exact& vit) {
  Names names;
  for_each_tensor(vit, [&](const std::string& name, const auto&) { names.push_back(name); });
  return names;
}

/// The class token starts as almost nothing, which the first norm magnifies: too bent for finite differences.
Exact with_large_tokens(const ViTOptions& options = {}) {
  const Exact vit(tiny, Seed{1}, options);
  assign(vit.cls_token.value, normal(vit.cls_token.shape(), 7));
  for (const auto& token : vit.dist_token) assign(token.value, normal(token.shape(), 8));
  return vit;
}

/// Whether the sum of the features has a gradient for each of two parameters.
template <class P, class Q>
std::pair<bool, bool> have_gradients(const Exact& vit, const P& first, const Q& second) {
  Tape tape;
  tape.backward(sum(vit(tape.constant(tiny_images)) * normal(Dyn<2>{3, 8}, 9)));
  return {tape.has_grad(first.value.data()), tape.has_grad(second.value.data())};
}

}  // namespace

TEST_CASE("static and run-time shapes give the same features, bit by bit") {
  const ViT<Cpu, float, small> fixed(Seed{3});
  const ViT<Cpu, float> free(small, Seed{3});
  const auto images = normal<float>(Dyn<4>{3, 3, 8, 8}, 1);
  const auto a = fixed(images);
  const auto b = free(images);
  static_assert(shape_of<decltype(a)>::static_extent(1) == 16);
  CHECK(a.to_vector() == b.to_vector());
  CHECK(fixed.depth() == 2);
  CHECK(free.width() == 16);
  CHECK_THROWS_WITH_AS((ViT<Cpu, float, small>(ViTSize{8, 4, 32, 2, 2})),
                       doctest::Contains("ViT: width is 16 in the type, and 32 was given to the constructor"), Error);
}

TEST_CASE("features in bf16 are close to those in float") {
  const auto images = normal<float>(Dyn<4>{4, 3, 8, 8}, 1);
  const auto exact = doubles(ViT<Cpu, float>(small, Seed{3})(images));
  const auto rounded = doubles(ViT<Cpu, bf16>(small, Seed{3})(images));
  double difference = 0, scale = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    difference += (rounded[i] - exact[i]) * (rounded[i] - exact[i]);
    scale += exact[i] * exact[i];
  }
  CHECK(std::sqrt(difference / scale) < 3e-2);
  CHECK(difference > 0);
}

TEST_CASE("features do not depend on the number of threads") {
  const ViT<Cpu, float> vit(ViTSize{32, 4, 64, 2, 2}, Seed{3});
  const auto images = normal<float>(Dyn<4>{8, 3, 32, 32}, 1);
  const int before = cpu::threads();
  cpu::set_threads(1);
  const auto one = vit(images).to_vector();
  cpu::set_threads(2);
  const auto two = vit(images).to_vector();
  cpu::set_threads(before);
  CHECK(one == two);
}

TEST_CASE("parameters have timm's names") {
  Names expected{"cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"};
  for (const std::string block : {"blocks.0.", "blocks.1."})
    for (const char* name :
         {"norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias",
          "norm2.weight", "norm2.bias", "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"})
      expected.push_back(block + name);
  expected.insert(expected.end(), {"norm.weight", "norm.bias"});
  CHECK(names_of(Exact(tiny)) == expected);
  expected.insert(expected.begin() + 1, "dist_token");
  CHECK(names_of(Exact(tiny, Seed{0}, {.distillation_token = true})) == expected);
  const Exact other(tiny, Seed{0}, {.register_tokens = 2, .layer_scale = 0.1, .final_norm = FinalNorm::none});
  const Names names = names_of(other);
  CHECK(names[1] == "reg_token");
  CHECK(Names(names.begin() + 10, names.begin() + 13) ==
        Names{"blocks.0.attn.proj.bias", "blocks.0.ls1.gamma", "blocks.0.norm2.weight"});
  CHECK(names.back() == "blocks.1.ls2.gamma");
  CHECK(other.blocks[1].ls2[0].gamma.value.to_vector() == std::vector<double>(8, 0.1));
}

TEST_CASE("sizes that do not fit each other are errors that say so") {
  const auto refused = [](const ViTSize& size, const char* message) {
    CHECK_THROWS_WITH_AS((Exact(size)), doctest::Contains(message), Error);
  };
  refused({10, 4, 8, 2, 2}, "an image size of 10 is not a multiple of the patch size 4");
  refused({4, 8, 8, 2, 2}, "an image size of 4 is not a multiple of the patch size 8");
  refused({8, 0, 8, 2, 2}, "an image size of 8 is not a multiple of the patch size 0");
  refused({8, 4, 8, 2, 3}, "a width of 8 cannot be divided among 3 heads");
  refused({8, 4, 8, 2, 0}, "a width of 8 cannot be divided among 0 heads");
  refused({8, 4, 6, 2, 2}, "the width must be a multiple of 4 for the 2-D sin-cos positions, not 6");
  refused({8, 4, 8, 0, 2}, "the depth must be 1 or more, not 0");
}

TEST_CASE("images of another size are an error") {
  CHECK_THROWS_WITH_AS(static_cast<void>(Exact(tiny)(normal(Dyn<4>{1, 3, 8, 8}, 1))),
                       doctest::Contains("images of shape [1, 3, 8, 8] do not fit a network for 4 x 4 pixels"), Error);
}

TEST_CASE("gradients of images, tokens, weights and biases agree with finite differences") {
  const Exact vit = with_large_tokens({.train_patch_embed = true});
  const auto images = normal(Dyn<4>{2, 3, 4, 4}, 1);
  const auto f = [&](const auto& x, const auto&...) { return vit(x); };
  CHECK(gradcheck(f, images, vit.cls_token.value, vit.blocks[0].attn.qkv.weight.value,
                  vit.blocks[1].mlp.fc1.bias.value) < gradient_tolerance);
}

TEST_CASE("so do those of learned positions, register tokens and LayerScale, behind every pooling and norm") {
  for (const auto& [pooling, final_norm] :
       {std::pair(Pooling::both, FinalNorm::tokens), std::pair(Pooling::average, FinalNorm::pooled),
        std::pair(Pooling::class_token, FinalNorm::none)}) {
    const Exact vit = with_large_tokens({.positions = PositionKind::timm,
                                         .register_tokens = 2,
                                         .layer_scale = 0.7,
                                         .pooling = pooling,
                                         .final_norm = final_norm,
                                         .gelu = GeluForm::quick});
    assign(vit.reg_token[0].value, normal(vit.reg_token[0].shape(), 11));
    const auto f = [&](const auto& x, const auto&...) { return vit(x); };
    CHECK(gradcheck(f, normal(Dyn<4>{1, 3, 4, 4}, 1), vit.reg_token[0].value, vit.pos_embed.value,
                    vit.blocks[0].ls1[0].gamma.value, vit.blocks[1].ls2[0].gamma.value,
                    vit.blocks[1].mlp.fc2.weight.value) < gradient_tolerance);
  }
}

TEST_CASE("features are pooled before the final norm, behind it, or without one") {
  const auto features = [](Pooling pooling, FinalNorm final_norm) {
    return with_large_tokens({.register_tokens = 3, .pooling = pooling, .final_norm = final_norm}).layers(tiny_images);
  };
  const Exact vit = with_large_tokens({.register_tokens = 3});
  const auto x = vit.blocks[0](vit.tokens(tiny_images));
  REQUIRE(to_string(x.shape()) == "[3, 8, 8]");
  const auto patches = slice_from<1>(x, 4);
  const auto same = [](const auto& layers, const auto& expected) {
    CHECK(layers[0].to_vector() == expected.to_vector());
  };
  same(features(Pooling::average, FinalNorm::tokens), eval(mean<1>(vit.norm(patches))));
  same(features(Pooling::average, FinalNorm::pooled), vit.norm(mean<1>(patches)));
  same(features(Pooling::average, FinalNorm::none), eval(mean<1>(patches)));
  same(features(Pooling::class_token, FinalNorm::none), select<1>(x, 0));
  const auto both = features(Pooling::both, FinalNorm::tokens);
  same(both, concat<1>(vit.norm(select<1>(x, 0)), eval(mean<1>(vit.norm(patches)))));
  CHECK(to_string(both[1].shape()) == "[3, 16]");
  CHECK(distance(both[1].to_vector(), both[0].to_vector()) > 1e-3);
  const auto refused = [](const ViTOptions& options, const char* message) {
    CHECK_THROWS_WITH_AS((Exact(tiny, Seed{1}, options)), doctest::Contains(message), Error);
  };
  refused({.pooling = Pooling::both, .final_norm = FinalNorm::pooled},
          "Pooling::both gives features of twice the width");
  refused({.distillation_token = true, .distilled_layers = true, .pooling = Pooling::average},
          "leave ViTOptions::pooling");
  refused({.register_tokens = -1}, "register_tokens must be 0 or more, not -1");
}

TEST_CASE("layers gives every block's class token, the last of which are the features") {
  const Exact vit(tiny, Seed{1});
  const auto layers = vit.layers(tiny_images);
  REQUIRE(layers.size() == 2);
  CHECK(to_string(layers[0].shape()) == "[3, 8]");
  CHECK(layers[1].to_vector() == vit(tiny_images).to_vector());
  CHECK(distance(layers[0].to_vector(), layers[1].to_vector()) > 1e-3);
}

TEST_CASE("tokens are the class token and the patches with their positions") {
  const Exact vit = with_large_tokens();
  const auto tokens = vit.tokens(tiny_images);
  const auto patches = vit.patch_embed(tiny_images);
  REQUIRE(to_string(tokens.shape()) == "[3, 5, 8]");
  for (int k = 0; k < 8; ++k) {
    CHECK(tokens(2, 0, k) == vit.cls_token.value(0, 0, k));
    CHECK(tokens(2, 3, k) == doctest::Approx(patches(2, 2, k) + vit.pos_embed.value(0, 3, k)).epsilon(1e-12));
  }
}

TEST_CASE("patches stand in for the images that they were cut from") {
  const Exact vit = with_large_tokens(), other(tiny, Seed{5});
  const auto more = normal(Dyn<4>{2, 3, 4, 4}, 2);
  const auto patches = vit.patches(tiny_images, more);
  const auto images = concat<0>(tiny_images, more);
  CHECK(vit(patches).to_vector() == vit(images).to_vector());
  CHECK(other.layers(patches)[0].to_vector() == other.layers(images)[0].to_vector());
  CHECK_THROWS_WITH_AS(static_cast<void>(vit.patches(tiny_images, normal(Dyn<4>{1, 3, 8, 8}, 1))),
                       doctest::Contains("images of shape [1, 3, 8, 8] do not fit"), Error);
  const Exact larger(ViTSize{8, 2, 8, 2, 2});
  CHECK_THROWS_WITH_AS(static_cast<void>(larger(patches)),
                       doctest::Contains("cannot broadcast [5, 5, 8] with [1, 17, 8]"), Error);
}

TEST_CASE("a distillation token stands behind the class token and is trained") {
  const Exact vit = with_large_tokens({.distillation_token = true});
  const auto tokens = vit.tokens(tiny_images);
  REQUIRE(to_string(tokens.shape()) == "[3, 6, 8]");
  for (int k = 0; k < 8; ++k) CHECK(tokens(1, 1, k) == vit.dist_token[0].value(0, 0, k));
  CHECK(to_string(vit.pos_embed.shape()) == "[1, 6, 8]");
  const auto f = [&](const auto& x, const auto&...) { return vit(x); };
  CHECK(gradcheck(f, normal(Dyn<4>{1, 3, 4, 4}, 1), vit.dist_token[0].value) < gradient_tolerance);
}

/// vision_transformer.py (hagiss/SDSSL), get_intermediate_layers: norm(x)[:, 1] of every block but the last with
/// dis_token, norm(x)[:, 0] of that.
TEST_CASE("layers may give the distillation token below the last one") {
  const Exact vit = with_large_tokens({.distillation_token = true, .distilled_layers = true});
  const auto first = vit.blocks[0](vit.tokens(tiny_images));
  const auto layers = vit.layers(tiny_images);
  CHECK(layers[0].to_vector() == vit.norm(select<1>(first, 1)).to_vector());
  CHECK(layers[1].to_vector() == vit(tiny_images).to_vector());
  CHECK_THROWS_WITH_AS((Exact(tiny, Seed{1}, {.distilled_layers = true})),
                       doctest::Contains("distilled_layers asks for ViTOptions::distillation_token"), Error);
}

TEST_CASE("the patch embedding and the positions get a gradient only where they are trained") {
  const Exact frozen(tiny, Seed{1}), trained(tiny, Seed{1}, {.train_patch_embed = true});
  const auto gradients = [](const Exact& vit) {
    return have_gradients(vit, vit.patch_embed.proj.weight, vit.pos_embed);
  };
  CHECK(gradients(frozen) == std::pair(false, false));
  CHECK(gradients(trained) == std::pair(true, false));
  CHECK(gradients(Exact(tiny, Seed{1}, {.positions = PositionKind::dino})) == std::pair(false, true));
  CHECK(have_gradients(frozen, frozen.cls_token, frozen.blocks[0].norm1.weight) == std::pair(true, true));
}

TEST_CASE("drop path changes features in training, more so in later blocks, and none in evaluation") {
  const Exact plain(tiny, Seed{1}), dropping(tiny, Seed{1}, {.drop_path = 0.5});
  CHECK(dropping.blocks[0].drop_path.p == 0);
  CHECK(dropping.blocks[1].drop_path.p == 0.5);
  const auto expected = plain(tiny_images).to_vector();
  CHECK(dropping(tiny_images).to_vector() == expected);
  CHECK(plain(tiny_images, Training{}).to_vector() == expected);
  const auto train = [&](std::uint64_t step) {
    return dropping(tiny_images, Training(Random{1, 0, step})).to_vector();
  };
  CHECK(train(1) != expected);
  CHECK(train(1) == train(1));
  CHECK(train(1) != train(2));
}

TEST_CASE("a seed determines the start") {
  const auto features = [](std::uint64_t seed) { return Exact(tiny, Seed{seed})(tiny_images).to_vector(); };
  CHECK(features(1) == features(1));
  CHECK(features(1) != features(2));
}
