// Linear, Mlp, Attention, TransformerBlock, Embedding and the patch embedding: gradients against finite differences,
// initialisation, names.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/nn/embedding.hpp>
#include <vitral/nn/patch_embed.hpp>
#include <vitral/nn/transformer_block.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

using Names = std::vector<std::string>;

Names names_of(const auto& module) {
  Names names;
  for_each_tensor(module, [&](const std::string& name, const auto&) { names.push_back(name); });
  return names;
}

/// Parameters that start as constants (biases, norms) are moved away from them, so that no mistake hides behind a zero.
void shake(const auto& module) {
  std::uint64_t stream = 100;
  for_each_parameter(
      module, [&](const std::string&, const auto& p) { assign(p.value, p.value + 0.3 * normal(p.shape(), ++stream)); });
}

double magnitude_of(const auto& parameter) {
  double out = 0;
  for (const double v : doubles(parameter.value)) out = std::max(out, std::abs(v));
  return out;
}

const Dyn<3> tokens{2, 3, 4};

/// What CTAD makes of run-time widths.
static_assert(std::is_same_v<decltype(Linear(3, 4)), Linear<dyn, dyn>>);
static_assert(std::is_same_v<decltype(Mlp(3, 4, Seed{1}, op::Tanh{})), Mlp<dyn, dyn, float, Cpu, op::Tanh>>);
static_assert(std::is_same_v<decltype(Attention(4, 2)), Attention<dyn>>);
static_assert(std::is_same_v<decltype(TransformerBlock(4, 2, Seed{1}, 0.1)), TransformerBlock<dyn>>);
static_assert(std::is_same_v<decltype(PatchEmbed(8, 2)), PatchEmbed<dyn, dyn>>);
static_assert(std::is_same_v<decltype(Embedding(5, 3)), Embedding<dyn, dyn>>);

}  // namespace

TEST_CASE("Linear multiplies by the transposed weight and adds the bias") {
  const Linear<3, 2, double> layer;
  Cpu::copy_from_host(std::vector<double>{1, 2, 3, 4, 5, 6}.data(), layer.weight.value.data(), 6);
  Cpu::copy_from_host(std::vector<double>{10, 20}.data(), layer.bias.value.data(), 2);
  const auto x = Tensor<double, Shape<2, 3>>::from({1, 0, -1, 1, 1, 1}, {});
  CHECK(layer(x).to_vector() == std::vector<double>{8, 18, 16, 35});
  CHECK(layer.apply<Activation::relu>(eval(-x)).to_vector() == std::vector<double>{12, 22, 4, 5});
}

TEST_CASE("Linear may start as PyTorch's does, with a bias that is as wide as the weight") {
  Initializer init(Seed{1});
  const Linear<dyn, dyn, double> layer(400, 300, init, LinearStart::pytorch),
      other(400, 300, init, LinearStart::glorot);
  for (const double largest : {magnitude_of(layer.weight), magnitude_of(layer.bias)}) {
    CHECK(largest <= 0.05);  // 1 / sqrt(400)
    CHECK(largest > 0.049);
  }
  CHECK(magnitude_of(other.weight) == doctest::Approx(std::sqrt(6.0 / 700)).epsilon(1e-3));
  CHECK(magnitude_of(other.bias) == 0);
}

TEST_CASE("Linear's gradients agree with finite differences") {
  const Linear<dyn, dyn, double> layer(4, 5, Seed{1});
  const auto f = [&](const auto& x, const auto&...) { return layer(x); };
  CHECK(gradcheck(f, normal(tokens, 1), layer.weight.value, layer.bias.value) < gradient_tolerance);
  const Linear<4, 5, double, Cpu, Bias::no> plain(Seed{1});
  const auto g = [&](const auto& x, const auto&...) { return plain.apply<Activation::gelu>(x); };
  CHECK(gradcheck(g, normal(Shape<3, 4>{}, 1), plain.weight.value) < gradient_tolerance);
}

TEST_CASE("Mlp's gradients agree with finite differences") {
  const Mlp<dyn, dyn, double> mlp(4, 6, Seed{1});
  shake(mlp);
  const auto f = [&](const auto& x, const auto&...) { return mlp(x); };
  CHECK(gradcheck(f, normal(tokens, 1), mlp.fc1.weight.value, mlp.fc1.bias.value, mlp.fc2.weight.value,
                  mlp.fc2.bias.value) < gradient_tolerance);
}

TEST_CASE("Mlp takes any element-wise operation or function as its activation") {
  const auto x = normal(Shape<dyn, 4>{3}, 1);
  const auto check_as = [&](const auto& mlp, auto&& act) {
    CHECK(distance(doubles(mlp(x)), doubles(mlp.fc2(act(mlp.fc1(x))))) < 1e-14);
  };
  check_as(Mlp<4, 6, double>(), [](const auto& h) { return gelu(h); });
  check_as(Mlp<4, 6, double, Cpu, op::Relu>(), [](const auto& h) { return relu(h); });
  check_as(Mlp<4, 6, double, Cpu, op::Tanh>(), [](const auto& h) { return tanh(h); });
  const auto silu = [](const auto& h) { return h * sigmoid(h); };
  const Mlp<4, 6, double, Cpu, decltype(silu)> mlp;
  check_as(mlp, silu);
  const auto f = [&](const auto& v, const auto&...) { return mlp(v); };
  CHECK(gradcheck(f, x, mlp.fc1.weight.value, mlp.fc2.bias.value) < gradient_tolerance);
}

TEST_CASE("an Mlp's GELU may have the form with tanh, or the quick one") {
  Mlp<dyn, dyn, double> mlp(4, 6, Seed{1});
  const auto x = normal(tokens, 1);
  const auto f = [&](const auto& v, const auto&...) { return mlp(v); };
  const auto check_form = [&](GeluForm form, auto&& value) {
    mlp.gelu = form;
    CHECK(distance(doubles(mlp(x)), doubles(mlp.fc2(value(mlp.fc1(x))))) < 1e-14);
    CHECK(gradcheck(f, x, mlp.fc1.weight.value, mlp.fc1.bias.value, mlp.fc2.weight.value) < gradient_tolerance);
  };
  check_form(GeluForm::tanh, [](const auto& h) {
    return 0.5 * h * (1 + tanh(std::sqrt(2 / 3.14159265358979323846) * (h + 0.044715 * h * h * h)));
  });
  check_form(GeluForm::quick, [](const auto& h) { return h * sigmoid(1.702 * h); });
  CHECK_THROWS_WITH_AS(static_cast<void>(approximate_gelu(x, GeluForm::exact)), doctest::Contains("is gelu(x)"), Error);
}

TEST_CASE("Attention's gradients agree with finite differences") {
  const Attention<dyn, double> attention(4, 2, Seed{1});
  shake(attention);
  const auto f = [&](const auto& x, const auto&...) { return attention(x); };
  CHECK(gradcheck(f, normal(tokens, 1), attention.qkv.weight.value, attention.qkv.bias.value,
                  attention.proj.weight.value) < gradient_tolerance);
}

TEST_CASE("causal attention is attention over each token and those before it") {
  const auto qkv = normal(Dyn<3>{2, 5, 12}, 1);
  const auto y = causal_attention(qkv, 2);
  REQUIRE(to_string(y.shape()) == "[2, 5, 4]");
  for (int token = 0; token < 5; ++token) {
    CAPTURE(token);
    const auto seen = attention(slice<1>(qkv, 0, token + 1), 2);
    CHECK(distance(doubles(select<1>(y, token)), doubles(select<1>(seen, token))) < 1e-14);
  }
  CHECK(gradcheck([](const auto& x) { return causal_attention(x, 2); }, qkv) < gradient_tolerance);
  CHECK_THROWS_WITH_AS(static_cast<void>(causal_attention(qkv, 3)), doctest::Contains("3 heads of equal width"), Error);
}

TEST_CASE("a causal block lets no token see a later one, and differs from one that is not") {
  const TransformerBlock<4, double, Cpu, Causal::yes> block(2, Seed{1});
  const TransformerBlock<4, double> full(2, Seed{1});
  const auto x = normal(Shape<dyn, 3, 4>{5}, 1), changed = clone(x);
  for (int image = 0; image < 5; ++image) changed(image, 2, 1) += 1;
  const auto y = block(x), z = block(changed);
  CHECK(doubles(slice<1>(y, 0, 2)) == doubles(slice<1>(z, 0, 2)));
  CHECK(doubles(select<1>(y, 2)) != doubles(select<1>(z, 2)));
  CHECK(distance(doubles(select<1>(y, 2)), doubles(select<1>(full(x), 2))) < 1e-14);
  CHECK(distance(doubles(select<1>(y, 0)), doubles(select<1>(full(x), 0))) > 1e-3);
}

TEST_CASE("Embedding picks rows of its table, for ids of any shape") {
  const Embedding<5, 3, double> embedding(Seed{1});
  const auto ids = Tensor<int, Dyn<2>>::from({4, 0, 2, 4}, {2, 2});
  const auto rows = embedding(ids);
  static_assert(std::is_same_v<decltype(rows), const Tensor<double, Shape<dyn, dyn, 3>>>);
  for (int i = 0; i < 4; ++i)
    for (int c = 0; c < 3; ++c) CHECK(rows(i / 2, i % 2, c) == embedding.weight.value(ids(i / 2, i % 2), c));
  const auto f = [&](const auto& table) { return embedding(constant_beside(table, ids)); };
  CHECK(gradcheck(f, embedding.weight.value) < gradient_tolerance);
  CHECK(names_of(embedding) == Names{"weight"});
  CHECK_THROWS_WITH_AS(static_cast<void>(embedding(Tensor<int, Shape<1>>::from({5}, {}))), doctest::Contains("5"),
                       Error);
}

TEST_CASE("a width given to a layer that has another in its type is an error that names both") {
  Initializer init(Seed{1});
  CHECK_THROWS_WITH_AS((Linear<4, 6>(4, 5, init)),
                       "vitral: Linear: Out is 6 in the type, and 5 was given to the constructor", Error);
  CHECK_THROWS_WITH_AS((LayerNorm<4>(5, init)), doctest::Contains("LayerNorm: D is 4"), Error);
}

TEST_CASE("TransformerBlock's gradients agree with finite differences, dropping paths too") {
  const TransformerBlock<dyn, double> block(4, 2, Seed{1}, 0.3);
  shake(block);
  const auto evaluation = [&](const auto& x, const auto&...) { return block(x); };
  const auto training = [&](const auto& x, const auto&...) { return block(x, Training(Random{8, 0, 0})); };
  CHECK(gradcheck(evaluation, normal(tokens, 1), block.norm1.weight.value, block.attn.qkv.weight.value,
                  block.norm2.bias.value, block.mlp.fc1.bias.value) < gradient_tolerance);
  CHECK(gradcheck(training, normal(Dyn<3>{6, 2, 4}, 1), block.attn.proj.bias.value, block.mlp.fc2.weight.value) <
        gradient_tolerance);
}

TEST_CASE("layers name their parameters as timm does") {
  CHECK(names_of(Linear<2, 3>()) == Names{"weight", "bias"});
  CHECK(names_of(Linear<2, 3, float, Cpu, Bias::no>()) == Names{"weight"});
  CHECK(names_of(TransformerBlock<8>(2)) == Names{"norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias",
                                                  "attn.proj.weight", "attn.proj.bias", "norm2.weight", "norm2.bias",
                                                  "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"});
  CHECK(names_of(PatchEmbed<8, 2>()) == Names{"proj.weight", "proj.bias"});
}

TEST_CASE("a width that the heads do not divide is an error") {
  CHECK_THROWS_WITH_AS((Attention<dyn, double>(8, 3)),
                       doctest::Contains("a width of 8 cannot be divided among 3 heads"), Error);
}

TEST_CASE("weights start uniformly within sqrt(6 / (in + out)), biases at zero") {
  const Linear<dyn, dyn> layer(40, 24, Seed{1});
  const double bound = std::sqrt(6.0 / 64);
  CHECK(magnitude_of(layer.weight) <= bound * (1 + 1e-7));
  CHECK(magnitude_of(layer.weight) > 0.98 * bound);
  CHECK(magnitude_of(layer.bias) == 0);
  double squares = 0;
  for (const double v : doubles(layer.weight.value)) squares += v * v;
  CHECK(squares / (40 * 24) == doctest::Approx(bound * bound / 3).epsilon(0.1));
}

TEST_CASE("query, key and value start as three layers of their own") {
  const Attention<dyn> attention(32, 2, Seed{1});
  const double bound = std::sqrt(6.0 / 64);  // not sqrt(6 / 128), that of one layer from 32 to 96
  CHECK(magnitude_of(attention.qkv.weight) <= bound * (1 + 1e-7));
  CHECK(magnitude_of(attention.qkv.weight) > 0.98 * bound);
}

TEST_CASE("the patch projection starts within sqrt(6 / (values of a patch + width))") {
  Initializer init(Seed{1});
  const PatchEmbed<dyn, dyn> embed(16, 4, false, init);
  const double bound = std::sqrt(6.0 / (3 * 4 * 4 + 16));
  CHECK(magnitude_of(embed.proj.weight) <= bound * (1 + 1e-7));
  CHECK(magnitude_of(embed.proj.weight) > 0.98 * bound);
  CHECK(!embed.proj.weight.trainable);
  CHECK(!embed.proj.bias.trainable);
}

TEST_CASE("another seed gives other weights, the same seed the same") {
  const auto start = [](std::uint64_t seed) { return Linear<8, 8>(Seed{seed}).weight.value.to_vector(); };
  CHECK(start(1) == start(1));
  CHECK(start(1) != start(2));
}

TEST_CASE("the patch embedding is a convolution whose stride is its size") {
  const PatchEmbed<dyn, dyn, double> embed(5, 2, Seed{1});
  shake(embed);
  const auto images = normal(Dyn<4>{2, 3, 4, 6}, 1);
  const auto tokens_of_images = embed(images);
  REQUIRE(to_string(tokens_of_images.shape()) == "[2, 6, 5]");
  for (int n = 0; n < 2; ++n)
    for (int token = 0; token < 6; ++token)
      for (int k = 0; k < 5; ++k) {
        double expected = embed.proj.bias.value(k);
        for (int c = 0; c < 3; ++c)
          for (int i = 0; i < 2; ++i)
            for (int j = 0; j < 2; ++j)
              expected += embed.proj.weight.value(k, c, i, j) * images(n, c, token / 3 * 2 + i, token % 3 * 2 + j);
        CHECK(tokens_of_images(n, token, k) == doctest::Approx(expected).epsilon(1e-12));
      }
}

TEST_CASE("the patch embedding's gradients agree with finite differences") {
  const PatchEmbed<dyn, dyn, double> embed(4, 2, Seed{1});
  const auto f = [&](const auto& x, const auto&...) { return embed(x); };
  CHECK(gradcheck(f, normal(Dyn<4>{2, 3, 2, 4}, 1), embed.proj.weight.value, embed.proj.bias.value) <
        gradient_tolerance);
}

TEST_CASE("patches of several tensors of images are those of the images one after the other") {
  const PatchEmbed<dyn, dyn> embed(5, 2, Seed{1});
  const auto one = normal<float>(Dyn<4>{2, 3, 4, 6}, 1), two = normal<float>(Dyn<4>{3, 3, 4, 6}, 2);
  const auto patches = embed.patches<bf16>(one, two);
  REQUIRE(to_string(patches.shape()) == "[5, 6, 12]");
  CHECK(doubles(patches) == doubles(embed.patches<bf16>(concat<0>(one, two))));
  CHECK(static_cast<float>(patches(3, 4, 7)) == static_cast<float>(static_cast<bf16>(two(1, 1, 3, 3))));
  CHECK(doubles(embed.project(embed.patches<float>(one))) == doubles(embed(one)));
  Tape tape;  // the same for images with a gradient, and on a tape without
  CHECK(doubles(embed.patches<bf16>(tape.watch(one)).value()) == doubles(embed.patches<bf16>(one)));
  CHECK(doubles(embed.patches<bf16>(tape.constant(one)).value()) == doubles(embed.patches<bf16>(one)));
  CHECK_THROWS_WITH_AS(static_cast<void>(embed.patches<float>(one, normal<float>(Dyn<4>{2, 3, 6, 4}, 1))),
                       doctest::Contains("images of different sizes"), Error);
}

TEST_CASE("images that the patches do not cover are an error") {
  const PatchEmbed<dyn, dyn, double> embed(4, 2, Seed{1});
  for (const auto& shape : {Dyn<4>{1, 3, 5, 4}, Dyn<4>{1, 3, 4, 5}, Dyn<4>{1, 1, 4, 4}}) {
    CAPTURE(to_string(shape));
    CHECK_THROWS_WITH_AS(static_cast<void>(embed(normal(shape, 1))),
                         doctest::Contains("cannot be cut into patches of 3 x 2 x 2"), Error);
  }
}

TEST_CASE("sin-cos positions are zero for the class token and follow the formula for the patches") {
  const int grid = 2, width = 8;
  const auto table = sincos_positions(grid, width);
  REQUIRE(table.size() == 5 * 8);
  const double frequency[] = {1, 0.01};  // 10000^0 and 10000^(-1/2)
  for (std::size_t i = 0; i < 8; ++i) CHECK(table[i] == 0);
  for (int p = 0; p < 4; ++p)
    for (int i = 0; i < 2; ++i) {
      CAPTURE(p);
      CAPTURE(i);
      const double* row = table.data() + (1 + p) * width + i;
      const double row_angle = p / 2 * frequency[i], column_angle = p % 2 * frequency[i];
      CHECK(row[0] == doctest::Approx(std::sin(row_angle)).epsilon(1e-6));
      CHECK(row[2] == doctest::Approx(std::cos(row_angle)).epsilon(1e-6));
      CHECK(row[4] == doctest::Approx(std::sin(column_angle)).epsilon(1e-6));
      CHECK(row[6] == doctest::Approx(std::cos(column_angle)).epsilon(1e-6));
    }
  CHECK(sincos_positions(grid, width, 2).size() == 6 * 8);
  CHECK_THROWS_WITH_AS(static_cast<void>(sincos_positions(2, 6)), doctest::Contains("a width that 4 divides, not 6"),
                       Error);
}
