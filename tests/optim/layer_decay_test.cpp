// Rates that decay by layer against PyTorch's AdamW with a group for each (tests/fixtures/make_probe.py).
#include "../random_tensor.hpp"

#include <vitral/autodiff/reduce.hpp>
#include <vitral/io/safetensors.hpp>
#include <vitral/optim/layer_decay.hpp>
#include <vitral/optim/optimizers.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

TEST_CASE("AdamW with rates that decay by layer makes PyTorch's steps") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/probe.safetensors");
  const auto values = [&](const std::string& name) { return file.values<double>("layer_decay/" + name); };
  std::vector<ParameterRef<double, Cpu>> parameters;
  for (const std::string& name : file.names())
    if (name.starts_with("layer_decay/") && !name.ends_with(".grads") && !name.ends_with(".after")) {
      const std::string own = name.substr(name.find('/') + 1);
      parameters.push_back({own, Flat<double, Cpu>::from(values(own), {4}), 2});
    }
  REQUIRE(parameters.size() == 6);
  decay_rates(parameters, 12, 0.75);
  Optimizer<double, Cpu> optimizer(AdamW{.lr = 0.1, .weight_decay = 0.05}, parameters);
  for (long step = 0; step < 3; ++step) {
    Tape tape;
    for (const auto& p : parameters) {
      const auto all = values(p.name + ".grads");
      const std::vector<double> gradient(all.begin() + 4 * step, all.begin() + 4 * step + 4);
      tape.backward(sum(tape.watch(p.value) * Flat<double, Cpu>::from(gradient, {4})));
    }
    optimizer.step(tape);
  }
  for (const auto& p : parameters) {
    CAPTURE(p.name);
    CHECK(distance(p.value.to_vector(), values(p.name + ".after")) <= 1e-12);
  }
}

TEST_CASE("the rate of SGD and LARS decays, too") {
  for (const OptimizerSettings& settings : {OptimizerSettings(Sgd{.lr = 0.1}), OptimizerSettings(Lars{.lr = 0.1})}) {
    std::vector<ParameterRef<double, Cpu>> parameters;
    for (const char* name : {"blocks.1.norm1.bias", "head.bias"})
      parameters.push_back({name, Flat<double, Cpu>({1}), 1});
    decay_rates(parameters, 2, 0.5);
    Tape tape;
    for (const auto& p : parameters) tape.backward(sum(tape.watch(p.value)));
    Optimizer<double, Cpu>(settings, parameters).step(tape);
    CHECK(parameters[0].value.to_vector()[0] == doctest::Approx(-0.05));
    CHECK(parameters[1].value.to_vector()[0] == doctest::Approx(-0.1));
  }
}

// DeiT's models.py and MAE's models_vit.py (timm's VisionTransformer): no_weight_decay() is {"pos_embed", "cls_token"},
// and with a distillation token {"pos_embed", "cls_token", "dist_token"}; one-dimensional parameters decay nowhere.
TEST_CASE("tokens and positions are exempt from weight decay, whatever stands before their names") {
  std::vector<ParameterRef<double, Cpu>> parameters;
  const std::vector<std::pair<const char*, int>> known{{"student.encoder.cls_token", 3},
                                                       {"dist_token", 3},
                                                       {"reg_token", 3},
                                                       {"encoder.pos_embed", 3},
                                                       {"patch_embed.proj.weight", 4},
                                                       {"patch_embed.proj.bias", 1},
                                                       {"head.weight", 2}};
  for (const auto& [name, rank] : known) {
    parameters.push_back({name, Flat<double, Cpu>::from({1}, {1}), rank});
    CHECK(parameters.back().decays() == (rank > 1));
  }
  exempt_tokens(parameters);
  std::vector<std::string> decayed;
  for (const auto& p : parameters)
    if (p.decays()) decayed.push_back(p.name);
  CHECK(decayed == std::vector<std::string>{"patch_embed.proj.weight", "head.weight"});

  Tape tape;
  for (const auto& p : parameters) tape.backward(sum(0.0 * tape.watch(p.value)));
  Optimizer<double, Cpu>(AdamW{.lr = 0.1, .weight_decay = 0.5}, parameters).step(tape);
  for (const auto& p : parameters) CHECK(p.value.to_vector()[0] == doctest::Approx(p.decays() ? 0.95 : 1));
}

TEST_CASE("a block beyond the network's depth, or a factor above 1, is refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(layer_of("blocks.12.norm1.weight", 12)),
                       doctest::Contains("blocks.12.norm1.weight is in block 12 of a network of 12"), Error);
  std::vector<ParameterRef<double, Cpu>> none;
  CHECK_THROWS_WITH_AS(decay_rates(none, 12, 1.5), doctest::Contains("at most 1, not 1.5"), Error);
}
