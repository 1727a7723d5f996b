// The models that are measured, and one optimisation step of SD-MoCo v3 in bf16: what step.cu times and trace.py reads
// the kernels of.
#pragma once

#include "measure.hpp"

#include <map>
#include <string>

namespace vitral {

struct Model {
  ViTSize size;
  MethodOptions heads;
};

inline const Model& model_of(const std::string& name) {
  static const std::map<std::string, Model> models{
      {"ViT-Ti/4", {vit_tiny_32, {.hidden = 1024, .out = 256}}},
      {"ViT-S/16", {vit_small_224, {.hidden = 4096, .out = 256}}},
      {"ViT-S/16, heads of 32", {{224, 16, 384, 12, 12}, {.hidden = 4096, .out = 256}}},  // as MoCo v3 published it
      {"ViT-B/16", {vit_base_224, {.hidden = 4096, .out = 256}}}};
  const auto found = models.find(name);
  std::string known;
  for (const auto& [other, model] : models) known += "\n  " + other;
  check(found != models.end(), name, " is none of the models:", known);
  return found->second;
}

/// Steps of one model on two views that stay as they are, on the backend with which pretrain computes in bf16.
class Step {
 public:
  Step(const Model& model, int batch, Recompute recompute = Recompute::nothing)
      : method_(self_distilled(MoCoV3(ViT<CudaTf32, bf16>(model.size, Seed{0}, {.recompute = recompute}), model.heads),
                               {.ratio = 1.0})),
        view1_(random_tensor<Images>({batch, model.size.image, model.size.image}, 1)),
        view2_(random_tensor<Images>({batch, model.size.image, model.size.image}, 2)) {}

  /// Queues a step on the device, and returns its loss there.
  auto operator()() {
    tape_.zero_grad();
    const auto loss = [&] {
      const RoundedWeights rounded(method_);
      return method_.loss(tape_, view1_, view2_, Training{});
    }();
    tape_.backward(loss);
    optimizer_.step(tape_, method_);
    return loss.value();
  }

 private:
  using Images = Tensor<float, Shape<dyn, 3, dyn, dyn>, CudaTf32>;
  MoCoV3<ViT<CudaTf32, bf16>> method_;
  decltype(make_optimizer(AdamW{}, method_)) optimizer_ =
      make_optimizer(AdamW{.lr = 1e-4, .weight_decay = 0.1}, method_);
  Images view1_, view2_;
  Tape tape_;
};

}  // namespace vitral
