// One whole optimisation step from a golden file. check_golden_cpu.cpp and check_golden_cuda.cu each compile it for
// their backend.
#pragma once

#include "check_golden.hpp"

#include <vitral/io/checkpoint.hpp>
#include <vitral/train/methods.hpp>
#include <vitral/vitral.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Multiplies every element by a random number within 2^-8 of 1.
template <class T, class S, class B>
void disturb(const Tensor<T, S, B>& x, const Random& random) {
  auto values = x.to_vector();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= static_cast<T>(1 + (random.uniform(i) - 0.5) * 0x1p-7);
  B::copy_from_host(values.data(), x.data(), x.size());
}

/// The step that the file describes with activations of type T.
template <class B, class T, template <class> class Method>
GoldenTensors golden_step_of(const SafetensorsFile& file, int disturbance) {
  const auto number = [&](const char* key) {
    char* end = nullptr;
    const double value = std::strtod(file.metadata(key).c_str(), &end);
    check(*end == 0, file.path(), ": its metadata \"", key, "\" is no number: ", file.metadata(key));
    return value;
  };
  const auto integer = [&](const char* key) { return static_cast<int>(number(key)); };
  using Encoder = ViT<B, T>;
  using P = typename Encoder::scalar;
  const ViTSize size{integer("image"), integer("patch"), integer("width"), integer("depth"), integer("heads")};
  std::optional<SelfDistillation> distillation;
  if (is_self_distilled(file.metadata("method"))) distillation = SelfDistillation{number("ratio")};
  if (file.metadata().contains("up")) {
    distillation.value().up = integer("up");
    if (integer("t_inter") != 0) distillation->target = LowerTarget::same_layer;
  }
  const bool token = file.metadata().contains("dis_token");
  Method<Encoder> method(Encoder(size, Seed{0}, {.distillation_token = token, .distilled_layers = token}),
                         {integer("hidden"), integer("proj"), number("temperature"), Seed{}, number("momentum")},
                         distillation);
  load_module(file, method);

  Random random{static_cast<std::uint64_t>(disturbance), 0, 0};
  const auto disturb_next = [&](const auto& x) {
    if (disturbance > 0) disturb(x, random);
    ++random.stream;
  };
  const auto view = [&](const char* name) {
    Tensor<P, Shape<dyn, 3, dyn, dyn>, B> images({integer("batch"), size.image, size.image});
    load_tensor(file, name, images);
    disturb_next(images);
    return images;
  };
  const auto view1 = view("view1"), view2 = view("view2");
  for_each_parameter(method, [&](const std::string&, const auto& p) { disturb_next(p.value); });

  GoldenTensors out;
  const auto keep = [&](const std::string& name, const auto& x) {
    const auto values = x.to_vector();
    out[name].assign(values.begin(), values.end());
  };
  const auto layers = method.encoder().layers(view1);
  for (std::size_t i = 0; i < layers.size(); ++i) keep("features." + std::to_string(i), eval(cast<P>(layers[i])));

  Tape tape;
  const auto loss = [&] {
    if constexpr (std::is_same_v<T, bf16> && !B::on_host) {  // as Trainer does
      const RoundedWeights rounded(method);
      return method.loss(tape, view1, view2, Training{});
    } else {
      return method.loss(tape, view1, view2, Training{});
    }
  }();
  keep("loss", loss.value());
  tape.backward(loss);
  for_each_parameter(method, [&](const std::string& name, const auto& p) {
    if (p.trainable) keep("grad." + name, tape.grad(p));
    if (disturbance > 0) load_tensor(file, name, p.value);
  });
  auto optimizer = make_optimizer(
      AdamW{number("lr"), number("weight_decay"), number("beta1"), number("beta2"), number("eps")}, method);
  optimizer.step(tape, method);
  for_each_tensor(method, [&](const std::string& name, const auto& x) { keep("after." + name, x.value); });
  return out;
}

template <class B, class T>
GoldenTensors golden_step_in(const SafetensorsFile& file, int disturbance) {
  std::string name = file.metadata("method");
  if (name.ends_with("moco")) name += "-v3";  // the published code leaves the version out
  return with_method(name, [&]<template <class> class Method>(const KnownMethod<Method>&) {
    return golden_step_of<B, T, Method>(file, disturbance);
  });
}

/// In bf16 on a backend of its own, as a device's other products may be rounded there.
template <class B, class Rounding = B>
GoldenTensors golden_step(const std::string& scalar, const SafetensorsFile& file, int disturbance) {
  if (scalar == "f64") return golden_step_in<B, double>(file, disturbance);
  if (scalar == "f32") return golden_step_in<B, float>(file, disturbance);
  return golden_step_in<Rounding, bf16>(file, disturbance);
}

}}}  // namespace vitral::programs
