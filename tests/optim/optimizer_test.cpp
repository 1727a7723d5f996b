// SGD, AdamW, Adam, LARS and clipping against PyTorch's steps in double.
#include "../random_tensor.hpp"

#include <vitral/autodiff/reduce.hpp>
#include <vitral/io/safetensors.hpp>
#include <vitral/models/vit.hpp>
#include <vitral/optim/optimizers.hpp>
#include <vitral/ssl/method.hpp>

#include <doctest/doctest.h>

#include <set>

#ifndef VITRAL_TESTS_DIR
#define VITRAL_TESTS_DIR "tests"
#endif

using namespace vitral_tests;

namespace {

const double tolerance = 1e-12;

const SafetensorsFile& fixtures() {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/optimizers.safetensors");
  return file;
}
std::vector<double> values(const std::string& name) { return fixtures().values<double>(name); }
double number(const std::string& name) { return values(name).at(0); }

/// Part `i` of `parts` equal ones.
std::vector<double> part(const std::vector<double>& all, std::size_t i, std::size_t parts) {
  const auto size = static_cast<std::ptrdiff_t>(all.size() / parts), begin = static_cast<std::ptrdiff_t>(i) * size;
  return {all.begin() + begin, all.begin() + begin + size};
}

struct TwoParameters {
  Parameter<double, Shape<4, 3>> weight;
  Parameter<double, Shape<5>> bias;
  VITRAL_MEMBERS(weight, bias)
};

TwoParameters pair_of(const std::vector<double>& weight, const std::vector<double>& bias) {
  return {{Tensor<double, Shape<4, 3>>::from(weight, {})}, {Tensor<double, Shape<5>>::from(bias, {})}};
}
TwoParameters ones() { return pair_of(std::vector<double>(12, 1.0), std::vector<double>(5, 1.0)); }

template <class S>
void give_gradient(Tape& tape, const Parameter<double, S>& p, const std::vector<double>& gradient) {
  tape.backward(sum(tape.watch(p) * Tensor<double, S>::from(gradient, p.shape())));
}

/// Four steps with the gradients and rates of a case.
void check_case(const std::string& name, OptimizerSettings settings) {
  INFO(name);
  const auto path = [&](const char* entry) { return name + "/" + entry; };
  const TwoParameters module = pair_of(values(path("weight")), values(path("bias")));
  auto optimizer = make_optimizer(settings, module);
  const auto rates = values(path("lr"));
  REQUIRE(rates.size() == 4);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    INFO("step ", i);
    Tape tape;
    give_gradient(tape, module.weight, part(values(path("weight_grads")), i, 4));
    give_gradient(tape, module.bias, part(values(path("bias_grads")), i, 4));
    optimizer.set_lr(rates[i]);
    optimizer.step(tape);
    CHECK(distance(module.weight.value.to_vector(), part(values(path("weight_after")), i, 4)) <= tolerance);
    CHECK(distance(module.bias.value.to_vector(), part(values(path("bias_after")), i, 4)) <= tolerance);
  }
  CHECK(optimizer.steps() == 4);
}

/// The cases of the file whose name starts so.
std::set<std::string> cases_of(const std::string& optimizer) {
  std::set<std::string> out;
  for (const std::string& name : fixtures().names())
    if (name.starts_with(optimizer + ".")) out.insert(name.substr(0, name.find('/')));
  return out;
}

const std::vector<OptimizerSettings> all_settings{
    AdamW{.lr = 0.1, .weight_decay = 0.5}, Adam{.lr = 0.1, .weight_decay = 0.5}, Sgd{.lr = 0.1, .weight_decay = 0.5},
    Lars{.lr = 0.1, .weight_decay = 0.5}};

/// Every tensor of a method and of its optimiser after steps on random images; the last step has no gradient at all.
/// `together` moves the teacher in the optimiser's pass.
std::vector<std::vector<float>> after_steps(const OptimizerSettings& settings, bool together) {
  MoCoV3 method(ViT<Cpu, float>(ViTSize{8, 4, 48, 2, 2}, Seed{1}), {.hidden = 256, .out = 64, .momentum = 0.9},
                SelfDistillation{0.5});
  auto optimizer = make_optimizer(settings, method);
  Tape tape;
  for (std::uint64_t i = 0; i < 4; ++i) {
    tape.zero_grad();
    const Tensor<float, Shape<dyn, 3, dyn, dyn>> view1 = normal<float>(Shape<dyn, 3, dyn, dyn>({4, 8, 8}), 2 * i),
                                                 view2 = normal<float>(Shape<dyn, 3, dyn, dyn>({4, 8, 8}), 2 * i + 1);
    if (i < 3)
      tape.backward(method.loss(tape, view1, view2, Training{}));
    else  // the upper layers and the heads get no gradient: their averages move alone
      tape.backward(mean(square(method.student.encoder.layers(tape.constant(view1))[0])));
    if (together) {
      optimizer.step(tape, method);
    } else {
      optimizer.step(tape);
      method.for_each_average([](const auto& teacher, const auto& student, double momentum) {
        for_each_pair(teacher, student, [&](const std::string&, const auto& average, const auto& source) {
          assign(average.value, moving_average(average.value, source.value, momentum));
        });
      });
    }
  }
  std::vector<std::vector<float>> out;
  for_each_tensor(method, [&](const std::string&, const auto& member) { out.push_back(member.value.to_vector()); });
  optimizer.for_each_state([&](const std::string&, const auto& state) { out.push_back(state.to_vector()); });
  return out;
}

}  // namespace

TEST_CASE("AdamW makes PyTorch's steps") {
  CHECK(cases_of("adamw").size() == 3);
  for (const std::string& name : cases_of("adamw"))
    check_case(name, AdamW{.weight_decay = number(name + "/weight_decay"),
                           .beta1 = number(name + "/beta1"),
                           .beta2 = number(name + "/beta2"),
                           .eps = number(name + "/eps")});
}

TEST_CASE("Adam makes PyTorch's steps, weight decay being part of the gradient") {
  CHECK(cases_of("adam").size() == 3);
  for (const std::string& name : cases_of("adam"))
    check_case(name, Adam{.weight_decay = number(name + "/weight_decay"),
                          .beta1 = number(name + "/beta1"),
                          .beta2 = number(name + "/beta2"),
                          .eps = number(name + "/eps")});
}

TEST_CASE("SGD makes PyTorch's steps") {
  CHECK(cases_of("sgd").size() == 5);
  for (const std::string& name : cases_of("sgd"))
    check_case(name, Sgd{.weight_decay = number(name + "/weight_decay"), .momentum = number(name + "/momentum")});
}

TEST_CASE("LARS makes the reference's steps, from a weight of zeros too") {
  CHECK(cases_of("lars").size() == 4);
  for (const std::string& name : cases_of("lars"))
    check_case(name, Lars{.weight_decay = number(name + "/weight_decay"),
                          .momentum = number(name + "/momentum"),
                          .trust = number(name + "/trust")});
}

TEST_CASE("gradients are clipped to a joint norm as PyTorch clips them") {
  CHECK(cases_of("clip").size() == 2);
  for (const std::string& name : cases_of("clip")) {
    INFO(name);
    const TwoParameters module = ones();
    Tape tape;
    give_gradient(tape, module.weight, values(name + "/weight_grad"));
    give_gradient(tape, module.bias, values(name + "/bias_grad"));
    const double norm = clip_grad_norm(trainable_parameters(module), tape, number(name + "/max_norm")).item();
    CHECK(norm == doctest::Approx(number(name + "/norm")).epsilon(tolerance));
    CHECK(distance(tape.grad(module.weight).to_vector(), values(name + "/weight_clipped")) <= tolerance);
    CHECK(distance(tape.grad(module.bias).to_vector(), values(name + "/bias_clipped")) <= tolerance);
  }
}

TEST_CASE("clipping counts a parameter without a gradient as zero") {
  const TwoParameters module = ones();
  Tape tape;
  give_gradient(tape, module.bias, {3, 0, 4, 0, 0});
  CHECK(clip_grad_norm(trainable_parameters(module), tape, 1).item() == doctest::Approx(5).epsilon(tolerance));
  CHECK(!tape.has_grad(module.weight.value.data()));
  CHECK(tape.grad(module.bias)(2) == doctest::Approx(0.8).epsilon(1e-6));
}

TEST_CASE("weight decay shrinks tensors of two dimensions or more and leaves vectors alone") {
  for (const OptimizerSettings& settings : all_settings) {
    CAPTURE(settings.index());
    const TwoParameters module = ones();
    Tape tape;  // gradients of zero: what moves, moves by weight decay
    give_gradient(tape, module.weight, std::vector<double>(12, 0.0));
    give_gradient(tape, module.bias, std::vector<double>(5, 0.0));
    make_optimizer(settings, module).step(tape);
    CHECK(module.bias.value.to_vector() == std::vector<double>(5, 1.0));
    for (const double w : module.weight.value.to_vector()) CHECK(w < 1);
  }
}

TEST_CASE("set_weight_decay changes the decay of the next step") {
  const TwoParameters module = ones();
  auto optimizer = make_optimizer(AdamW{.lr = 0.1, .weight_decay = 0}, module);
  const auto step = [&] {
    Tape tape;
    give_gradient(tape, module.weight, std::vector<double>(12, 0.0));
    optimizer.step(tape);
  };
  step();
  CHECK(module.weight.value(0, 0) == 1);
  optimizer.set_weight_decay(0.5);
  step();
  CHECK(module.weight.value(0, 0) == doctest::Approx(0.95).epsilon(tolerance));
}

TEST_CASE("a parameter without a gradient is untouched, and so is its state") {
  for (const OptimizerSettings& settings : all_settings) {
    CAPTURE(settings.index());
    const TwoParameters module = ones();
    auto optimizer = make_optimizer(settings, module);
    Tape tape;
    give_gradient(tape, module.bias, {1, 2, 3, 4, 5});
    optimizer.step(tape);
    CHECK(module.weight.value.to_vector() == std::vector<double>(12, 1.0));
    CHECK(module.bias.value(0) < 1);
    optimizer.for_each_state([](const std::string& name, const auto& state) {
      CAPTURE(name);
      const std::vector<double> zeros(static_cast<std::size_t>(state.size()));
      CHECK((state.to_vector() == zeros) == name.ends_with(".weight"));
    });
  }
}

TEST_CASE("a parameter that is not trainable is none of the optimiser's") {
  TwoParameters module = ones();
  module.weight.trainable = false;
  const auto parameters = trainable_parameters(module);
  REQUIRE(parameters.size() == 1);
  CHECK(parameters[0].name == "bias");
  CHECK(parameters[0].rank == 1);
  CHECK(!parameters[0].decays());
}

TEST_CASE("the state is named after the parameter it belongs to") {
  std::vector<std::string> names;
  const auto note = [&](const std::string& name, const auto&) { names.push_back(name); };
  make_optimizer(AdamW{}, ones()).for_each_state(note);
  CHECK(names == std::vector<std::string>{"0.weight", "1.weight", "0.bias", "1.bias"});
  names.clear();
  make_optimizer(Adam{}, ones()).for_each_state(note);
  CHECK(names == std::vector<std::string>{"0.weight", "1.weight", "0.bias", "1.bias"});
  names.clear();
  make_optimizer(Sgd{}, ones()).for_each_state(note);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias"});
}

TEST_CASE("a step that moves the teacher in the same pass gives the bits of the two one after the other") {
  const int threads = cpu::threads();
  for (const OptimizerSettings& settings : all_settings) {
    CAPTURE(settings.index());
    const auto expected = after_steps(settings, false);
    for (const int n : {1, 2, 3}) {
      cpu::set_threads(n);
      CHECK((after_steps(settings, true) == expected));
    }
    cpu::set_threads(threads);
  }
}

TEST_CASE("a method without a teacher takes the same step") {
  SimCLR method(ViT<Cpu, float>(ViTSize{8, 4, 16, 1, 2}, Seed{1}), {.hidden = 16, .out = 8});
  auto optimizer = make_optimizer(AdamW{}, method);
  const auto weight = optimizer.parameters().front().value;
  const auto before = weight.to_vector();
  const Tensor<float, Shape<dyn, 3, dyn, dyn>> view = normal<float>(Shape<dyn, 3, dyn, dyn>({4, 8, 8}), 1);
  Tape tape;
  tape.backward(method.loss(tape, view, view, Training{}));
  optimizer.step(tape, method);
  CHECK(optimizer.steps() == 1);
  CHECK(weight.to_vector() != before);
}
