// Patch tokens of any layer, on images of the network's own size and of others, and the network at another size.
#include "../random_tensor.hpp"

#include <vitral/models/first_layers.hpp>
#include <vitral/models/patch_tokens.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

using Exact = ViT<Cpu, double>;
constexpr ViTSize small{8, 4, 16, 2, 2};

}  // namespace

TEST_CASE("at the network's own size they are what follows the class token after the layer, normalised") {
  for (const bool second_token : {false, true}) {
    const Exact vit(small, Seed{1}, {.distillation_token = second_token});
    const auto images = normal(Dyn<4>{2, 3, 8, 8}, 1);
    const auto all = vit.norm(vit.blocks[0](vit.tokens(images)));
    const auto patches = patch_tokens(vit, images, 1);
    CHECK(patches.extent(1) == 4);
    CHECK(patches.to_vector() == slice<1, dyn>(all, second_token ? 2 : 1, 4).to_vector());
    CHECK(all_tokens(first_layers(vit, 1), images).to_vector() == all.to_vector());
  }
}

TEST_CASE("a larger image gives what a network of that size gives with the same weights and interpolated positions") {
  const Exact vit(small, Seed{1});
  Exact large({16, 4, 16, 2, 2}, Seed{1});  // the same seed: the same weights
  const auto table = vit.pos_embed.value.to_vector();
  auto positions = resized_positions({table.begin() + 16, table.end()}, 2, 4, 4, 16);
  positions.insert(positions.begin(), table.begin(), table.begin() + 16);
  large.pos_embed.value = Tensor<double, Shape<1, dyn, dyn>>::from(positions, {1, 17, 16});
  const auto images = normal(Dyn<4>{1, 3, 16, 16}, 2);
  CHECK(distance(patch_tokens(vit, images, 2).to_vector(), patch_tokens(large, images, 2).to_vector()) < 1e-12);
}

TEST_CASE("they are not normalised where the final norm is not on tokens; register tokens are none of them") {
  const Exact vit(small, Seed{1}, {.register_tokens = 2, .final_norm = FinalNorm::pooled});
  const auto images = normal(Dyn<4>{2, 3, 8, 8}, 1);
  const auto all = vit.blocks[0](vit.tokens(images));
  CHECK(patch_tokens(vit, images, 1).to_vector() == slice<1, dyn>(all, 3, 4).to_vector());
}

// DeiT's and MAE's interpolate_pos_embed keeps the extra tokens' positions and resizes the others: bicubic, as
// tests/nn/positions_test.cpp holds to PyTorch. MoCo v3's vits.py makes fixed positions by size.
TEST_CASE("at another resolution trained positions are interpolated, fixed ones made anew; all else is shared") {
  for (const bool second_token : {false, true}) {
    const ViTOptions options{.distillation_token = second_token};
    Exact vit(small, Seed{1}, options);
    const Exact large({16, 4, 16, 2, 2}, Seed{1}, options);  // the same seed: the same weights
    const auto images = normal(Dyn<4>{2, 3, 16, 16}, 2);
    const Exact anew = at_resolution(vit, 16);
    CHECK(anew(images).to_vector() == large(images).to_vector());
    CHECK(anew.size.image == 16);
    CHECK(anew.cls_token.value.data() == vit.cls_token.value.data());
    CHECK(at_resolution(anew, 8).pos_embed.value.to_vector() == vit.pos_embed.value.to_vector());

    const int prefix = second_token ? 2 : 1;
    vit.pos_embed.value = normal<double>(vit.pos_embed.value.shape(), 3);
    const auto table = vit.pos_embed.value.to_vector();
    const Exact resized = at_resolution(vit, 12);
    auto expected = resized_positions({table.begin() + prefix * 16, table.end()}, 2, 3, 3, 16);
    expected.insert(expected.begin(), table.begin(), table.begin() + prefix * 16);
    CHECK(distance(resized.pos_embed.value.to_vector(), expected) < 1e-12);
    CHECK(vit.pos_embed.value.extent(1) == prefix + 4);
    CHECK(!resized.pos_embed.trainable);
    CHECK(at_resolution(Exact(small, Seed{1}, {.positions = PositionKind::deit}), 12).pos_embed.trainable);
    CHECK(resized(normal(Dyn<4>{1, 3, 12, 12}, 2)).extent(1) == 16);
  }
  CHECK_THROWS_WITH_AS(static_cast<void>(at_resolution(Exact(small, Seed{1}), 10)),
                       doctest::Contains("at_resolution: an image size of 10 is not a multiple of the patch size 4"),
                       Error);
}

TEST_CASE("patches of an oblong image come row by row") {
  Exact vit(small, Seed{1});
  assign(vit.pos_embed.value, 0 * vit.pos_embed.value);  // without positions equal patches have equal tokens
  std::vector<double> pixels(3 * 8 * 12);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = i % 12 >= 8 ? 1 : -1;  // the third column differs
  const auto tokens = patch_tokens(vit, Tensor<double, Dyn<4>>::from(pixels, {1, 3, 8, 12}), 2);
  CHECK(tokens.extent(1) == 6);
  const auto values = tokens.to_vector();
  const auto patch = [&](int i) { return std::vector(values.begin() + 16 * i, values.begin() + 16 * (i + 1)); };
  CHECK(distance(patch(0), patch(1)) < 1e-12);
  CHECK(distance(patch(0), patch(3)) < 1e-12);
  CHECK(distance(patch(2), patch(5)) < 1e-12);
  CHECK(distance(patch(0), patch(2)) > 1e-3);
}

TEST_CASE("a layer that the network does not have, and an image that patches do not fill, are refused") {
  const Exact vit(small, Seed{1});
  CHECK_THROWS_WITH_AS(static_cast<void>(patch_tokens(vit, normal(Dyn<4>{1, 3, 8, 8}, 1), 3)),
                       doctest::Contains("layer 3 is not one of 1 to 2"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(patch_tokens(vit, normal(Dyn<4>{1, 3, 8, 10}, 1), 2)),
                       doctest::Contains("cannot be cut into patches"), Error);
}
