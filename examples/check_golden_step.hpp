// One whole optimisation step from a golden file (tests/golden/README.md), and the largest relative errors in it.
// check_golden_cpu.cpp and check_golden_cuda.cu each compile it for their backend.
#pragma once

#include "check_golden.hpp"

#include <vitral/io/checkpoint.hpp>
#include <vitral/vitral.hpp>

#include <cstdio>
#include <map>

using namespace vitral;

/// The largest relative error among tensors of one kind, and where it is.
struct Worst {
  double error = 0;
  std::string name = "-";
  void add(double e, const std::string& n) {
    if (!(e <= error)) error = e, name = n;  // a NaN is worst of all
  }
};

struct Tolerance {
  double value, gradient, after;
};

inline double norm(const std::vector<double>& x) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  return std::sqrt(squares);
}
template <class P>
double distance(const std::vector<P>& got, const std::vector<double>& expected) {
  std::vector<double> difference;
  for (std::size_t i = 0; i < got.size(); ++i) difference.push_back(static_cast<double>(got[i]) - expected[i]);
  return norm(difference);
}

/// Norm of the difference over norm of the expected tensor. Some tensors are zero but for rounding, because a BatchNorm
/// or a softmax takes out what they would add (the final norm's bias, a predictor's running mean): those whose norm is
/// below 1e-10 of the norm of all tensors of their kind are held against that.
template <class P>
double relative_error(const std::vector<P>& got, const std::vector<double>& expected, double norm_of_all) {
  const double own = norm(expected);
  return distance(got, expected) / (own < 1e-10 * norm_of_all ? norm_of_all : own);
}

/// The norm of all tensors of a file whose names begin with `prefix`.
inline double norm_of_all(const SafetensorsFile& file, const std::string& prefix) {
  std::vector<double> norms;
  for (const std::string& name : file.names())
    if (name.starts_with(prefix)) norms.push_back(norm(file.values<double>(name)));
  return norm(norms);
}

/// Runs the step that the file describes with activations of type T; returns whether all errors are within tolerance.
template <class B, class T, template <class> class Method>
bool check_step(const SafetensorsFile& file, const Tolerance& tolerance) {
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
  if (file.metadata("method").starts_with("sd-")) distillation = SelfDistillation{number("ratio")};
  Method<Encoder> method(Encoder(size), {integer("hidden"), integer("proj"), number("temperature")}, distillation);
  load_module(file, method);

  const auto view = [&](const char* name) {
    Tensor<P, Shape<dyn, 3, dyn, dyn>, B> images({integer("batch"), size.image, size.image});
    load_tensor(file, name, images);
    return images;
  };
  const auto view1 = view("view1"), view2 = view("view2");

  Worst features, loss_error, gradients, after;
  const auto layers = method.encoder().layers(view1);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string name = "features." + std::to_string(i);
    features.add(relative_error(eval(cast<P>(layers[i])).to_vector(), file.values<double>(name), 0), name);
  }

  Tape tape;
  const auto loss = method.loss(tape, view1, view2, Training{});
  loss_error.add(relative_error(loss.value().to_vector(), file.values<double>("loss"), 0), "loss");
  tape.backward(loss);
  const double all_gradients = norm_of_all(file, "grad.");
  for_each_parameter(method, [&](const std::string& name, const auto& p) {
    if (p.trainable)
      gradients.add(relative_error(tape.grad(p).to_vector(), file.values<double>("grad." + name), all_gradients), name);
  });

  // AdamW's first step is lr g / (|g| + eps). Where an element's gradient is nothing but rounding, the step magnifies
  // the rounding, by up to lr / eps; that much of the difference after the step says nothing new.
  std::map<std::string, std::vector<double>> magnified;
  for_each_parameter(method, [&](const std::string& name, const auto& p) {
    if (!p.trainable) return;
    const auto expected = file.values<double>("grad." + name);
    const auto got = tape.grad(p).to_vector();
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double difference = std::abs(static_cast<double>(got[i]) - expected[i]);
      const bool is_rounding = std::abs(expected[i]) < 1e-10 * all_gradients;
      magnified[name].push_back(is_rounding ? number("lr") * std::min(difference / number("eps"), 2.0) : 0);
    }
  });
  auto optimizer = make_optimizer(
      AdamW{number("lr"), number("weight_decay"), number("beta1"), number("beta2"), number("eps")}, method);
  optimizer.step(tape);
  method.update_teacher(number("momentum"));
  const double all_after = norm_of_all(file, "after.");
  for_each_tensor(method, [&](const std::string& name, const auto& member) {
    auto expected = file.values<double>("after." + name);
    const auto got = member.value.to_vector();
    const auto excused = magnified.find(name);
    for (std::size_t i = 0; i < got.size() && excused != magnified.end(); ++i) {
      const double difference = static_cast<double>(got[i]) - expected[i];
      expected[i] += std::clamp(difference, -excused->second[i], excused->second[i]);
    }
    after.add(relative_error(got, expected, all_after), name);
  });

  const auto line = [](const char* what, const Worst& worst, double limit) {
    const bool good = worst.error <= limit;
    std::printf("  %-10s %.3e  limit %.0e  %s%s\n", what, worst.error, limit, worst.name.c_str(),
                good ? "" : "  TOO LARGE");
    return good;
  };
  std::printf("%s: %s, %s, loss %.9g\n", file.path().c_str(), file.metadata("method").c_str(),
              std::string(scalar_name<T>).c_str(), static_cast<double>(loss.value().to_vector()[0]));
  bool good = line("features", features, tolerance.value);
  good &= line("loss", loss_error, tolerance.value);
  good &= line("gradients", gradients, tolerance.gradient);
  good &= line("after", after, tolerance.after);
  return good;
}

template <class B, class T>
bool check_file(const std::string& path, const Tolerance& tolerance) {
  const SafetensorsFile file(path);
  const std::string& name = file.metadata("method");
  const std::string method = name.starts_with("sd-") ? name.substr(3) : name;
  if (method == "simclr") return check_step<B, T, SimCLR>(file, tolerance);
  if (method == "byol") return check_step<B, T, BYOL>(file, tolerance);
  if (method == "moco") return check_step<B, T, MoCoV3>(file, tolerance);
  fail(path, ": unknown method ", name, "; expected simclr, byol or moco, with or without sd-");
}

/// One golden file with activations of the type that `scalar` names.
template <class B>
bool check_golden(const std::string& scalar, const std::string& path) {
  if (scalar == "f64") return check_file<B, double>(path, {1e-9, 1e-9, 1e-9});
  if (scalar == "f32") return check_file<B, float>(path, {1e-4, 2e-3, 2e-3});
#if defined(VITRAL_GOLDEN_WITHOUT_BF16)
  fail("--scalar bf16 is for --device cpu");
#else
  // A batch of a few images through BatchNorm magnifies bf16's rounding: PyTorch 1.13's own bf16 autocast is off by
  // up to 1.29 in single gradients of the stored files, and by 0.7 % in the loss.
  return check_file<B, bf16>(path, {2e-2, 1.3, 0.1});
#endif
}
