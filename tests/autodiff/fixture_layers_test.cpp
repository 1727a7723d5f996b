// Softmax, losses, normalisations, layers and criteria against PyTorch.
#include "fixture.hpp"

#include <vitral/nn/patch_embed.hpp>
#include <vitral/nn/transformer_block.hpp>
#include <vitral/ssl/criteria.hpp>
#include <vitral/ssl/head.hpp>

using namespace vitral_tests;
using namespace vitral_tests::pytorch;

namespace {

void mean_cross_entropy(Fixture& c) {
  const auto classes = c.integers("target");
  const auto target = Tensor<int, Dyn<1>>::from(classes, {static_cast<int>(classes.size())});
  c.agrees<2>([&](const auto& x) { return mean(cross_entropy(x, target)); }, "x");
}

template <int Rank>
void affine_layer_norm(Fixture& c) {
  const double eps = c.number("eps");
  const auto f = [&](const auto& x, const auto& weight, const auto& bias) { return layer_norm(x, weight, bias, eps); };
  c.agrees<Rank, 1, 1>(f, "x", "weight", "bias");
}

/// Batch normalisation, scaled and shifted where the case has a weight; the running statistics are compared as well.
template <bool Train>
void batch_norm(Fixture& c) {
  const double momentum = c.number("momentum"), eps = c.number("eps");
  const auto running_mean = c.tensor<1>("running_mean"), running_var = c.tensor<1>("running_var");
  const auto norm = [&](const auto& x, const auto& scale, const auto& shift) {
    if constexpr (Train)
      return batch_norm_train(x, scale, shift, running_mean, running_var, momentum, eps);
    else
      return batch_norm_eval(x, scale, shift, running_mean, running_var, eps);
  };
  if (operations_file().contains(c.path("weight")))
    c.agrees<2, 1, 1>(norm, "x", "weight", "bias");
  else
    c.agrees<2>([&](const auto& x) { return norm(x, None{}, None{}); }, "x");
  c.equals("running_mean_after", running_mean);
  c.equals("running_var_after", running_var);
}

void self_attention(Fixture& c) {
  const int heads = c.integers("heads")[0];
  c.agrees<3>([&](const auto& qkv) { return attention(qkv, heads); }, "qkv");
}

/// A head of `depth` layers from 6 channels over 8 to `out`.
template <int Depth, int Out, LastNorm Last>
void head(Fixture& c) {
  Initializer init(Seed{1});
  Head<double> module(Depth, 6, 8, Out, Last, init);
  c.network_agrees<2>(module, [&](const auto& x) { return module(x, Training{}); });
}

void patches(Fixture& c) {
  PatchEmbed<dyn, dyn, double> module(c.tensor<1>("bias").extent(0), c.integers("patch")[0]);
  c.network_agrees<4>(module.proj, [&](const auto& x) { return module(x); });
}

void positions(Fixture& c) {
  const int grid = c.integers("grid")[0], width = c.integers("width")[0];
  c.equals("y", Tensor<double, Dyn<2>>::from(sincos_positions(grid, width), {1 + grid * grid, width}), 1e-6);
}

/// A criterion of one or three blocks of queries.
template <class C>
void criterion(Fixture& c, const C& loss, const char* against) {
  const auto f = [&](const auto& keys, const auto& q0, const auto&... q) { return loss(std::vector{q0, q...}, keys); };
  if (c.integers("blocks")[0] == 1)
    c.agrees<2, 2>(f, against, "q0");
  else
    c.agrees<2, 2, 2, 2>(f, against, "q0", "q1", "q2");
}
void info_nce(Fixture& c) { criterion(c, InfoNce{c.number("temperature")}, "keys"); }
void cosine_distance(Fixture& c) { criterion(c, CosineDistance{}, "keys"); }
void nt_xent(Fixture& c) { criterion(c, NtXent{c.number("temperature")}, "anchors"); }

const std::vector<Case> cases{
    {"softmax", [](Fixture& c) { c.agrees<3>([](const auto& x) { return softmax(x); }, "x"); }},
    {"softmax.large", [](Fixture& c) { c.agrees<2>([](const auto& x) { return softmax(x); }, "x"); }},
    {"log_softmax", [](Fixture& c) { c.agrees<3>([](const auto& x) { return log_softmax(x); }, "x"); }},
    {"log_softmax.large", [](Fixture& c) { c.agrees<2>([](const auto& x) { return log_softmax(x); }, "x"); }},
    {"cross_entropy", mean_cross_entropy},
    {"cross_entropy.masked", mean_cross_entropy},
    {"layer_norm", affine_layer_norm<3>},
    {"layer_norm.shifted", affine_layer_norm<3>},
    {"layer_norm.matrix", affine_layer_norm<2>},
    {"batch_norm.train", batch_norm<true>},
    {"batch_norm.train_plain", batch_norm<true>},
    {"batch_norm.eval", batch_norm<false>},
    {"batch_norm.eval_plain", batch_norm<false>},
    {"l2_normalize",
     [](Fixture& c) {
       const double eps = c.number("eps");
       c.agrees<2>([&](const auto& x) { return l2_normalize(x, eps); }, "x");
     }},
    {"attention", self_attention},
    {"attention.one_head", self_attention},
    {"mlp",
     [](Fixture& c) {
       Mlp<dyn, dyn, double> module(6, 10);
       c.network_agrees<3>(module, [&](const auto& x) { return module(x); });
     }},
    {"block",
     [](Fixture& c) {
       TransformerBlock<dyn, double> module(8, c.integers("heads")[0]);
       CHECK(module.norm1.eps == c.number("eps"));
       c.network_agrees<3>(module, [&](const auto& x) { return module(x); });
     }},
    {"head.projector", head<3, 5, LastNorm::yes>},
    {"head.projector_no_last_norm", head<3, 5, LastNorm::no>},
    {"head.predictor", head<2, 6, LastNorm::yes>},
    {"patch_embed", patches},
    {"patch_embed.patch3", patches},
    {"position.grid2", positions},
    {"position.grid3", positions},
    {"position.grid7", positions},
    {"info_nce.blocks1", info_nce},
    {"info_nce.blocks3", info_nce},
    {"info_nce.temperature", info_nce},
    {"cosine_distance.blocks1", cosine_distance},
    {"cosine_distance.blocks3", cosine_distance},
    {"nt_xent.blocks1", nt_xent},
    {"nt_xent.blocks3", nt_xent},
    {"nt_xent.self",
     [](Fixture& c) {
       const NtXent loss{c.number("temperature")};
       c.agrees<2>([&](const auto& x) { return loss(std::vector{x}, x); }, "x");
     }},
};

}  // namespace

TEST_CASE("normalisations, layers, criteria and their gradients agree with PyTorch") { run_cases(cases, layer_cases); }
