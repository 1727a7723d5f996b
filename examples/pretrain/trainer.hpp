// A trainer as a run sees it: values and functions, whatever the types of its method and of its activations. So a run
// (run.hpp) is compiled once, and the networks in a source file for each type of activations, side by side.
#pragma once

#include <vitral/train/methods.hpp>
#include <vitral/train/trainer.hpp>
#include <vitral/vitral.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

extern template class Optimizer<float, Cpu>;  // the same for both types of activations; pretrain.cpp has it

namespace programs {

/// What is trained, and how: a network by the method of that name.
struct TrainerPlan {
  std::string method;
  ViTSize size;
  ViTOptions vit;
  int local_size = 0;  // side of local views; 0: there are none
  MethodOptions options;
  std::optional<SelfDistillation> distillation;
  OptimizerSettings optimizer;
  Schedule schedule;
  Seed seed;
};

/// Any loader that makes views on backend B.
template <class B>
struct AnyLoader {
  using batch_type = ImageBatch<B, Cpu>;

  std::function<long()> batches;
  std::function<void(long epoch, long first_batch)> start;
  std::function<bool(batch_type&)> next;
  std::function<void()> stop;
};

/// This loader, which has to outlive the result.
template <class B, class Source>
AnyLoader<B> any_loader(Source& loader) {
  return {[&loader] { return loader.batches(); },
          [&loader](long epoch, long first_batch) { loader.start(epoch, first_batch); },
          [&loader](ImageBatch<B, Cpu>& batch) { return loader.next(batch); }, [&loader] { loader.stop(); }};
}

/// Any ViT on backend B, for extract_features.
template <class B>
struct AnyEncoder {
  using backend = B;
  using Images = Tensor<float, Shape<dyn, 3, dyn, dyn>, B>;

  ViTSize size;
  std::function<std::vector<Tensor<float, Shape<dyn, dyn>, B>>(const Images&)> layers;

  [[nodiscard]] int width() const { return size.width; }
  [[nodiscard]] int depth() const { return size.depth; }
};

/// This ViT, which shares its parameters with the result.
template <class B, class T>
AnyEncoder<B> any_encoder(const ViT<B, T>& encoder) {
  return {encoder.size, [encoder](const typename AnyEncoder<B>::Images& images) {
            std::vector<Tensor<float, Shape<dyn, dyn>, B>> out;
            for (const auto& tokens : encoder.layers(images)) out.push_back(eval(cast<float>(tokens)));
            return out;
          }};
}

/// Any trainer on backend B: its encoder, its teacher's where the method has one, the number of its trainable
/// parameters, and what a Trainer offers.
template <class B>
struct AnyTrainer {
  AnyEncoder<B> encoder;
  std::optional<AnyEncoder<B>> teacher;
  long parameters;
  std::function<long(const AnyLoader<B>&)> steps_per_epoch;
  std::function<long()> steps_done;
  std::function<void(AnyLoader<B>&, const std::function<bool(const StepReport&)>&)> fit;
  std::function<StateDict()> state;
  std::function<void(const TensorFile&)> load;
};

/// The trainer of a network with activations of type T.
template <class B, class T>
AnyTrainer<B> make_trainer(const TrainerPlan& plan) {
  using Encoder = ViT<B, T>;
  const Encoder encoder(plan.size, plan.seed, plan.vit);
  return with_method(plan.method, [&]<template <class> class Method>(const KnownMethod<Method>&) {
    using Task = Method<Encoder>;
    Task task(encoder, plan.options, plan.distillation);
    if (plan.local_size > 0) task.local_encoder = at_resolution(encoder, plan.local_size);
    const auto trainer = std::make_shared<Trainer<Task>>(task, plan.optimizer, plan.schedule, plan.seed);
    std::optional<AnyEncoder<B>> teacher;
    if constexpr (requires { trainer->task().teacher.encoder; }) teacher = any_encoder(trainer->task().teacher.encoder);
    return AnyTrainer<B>{any_encoder(encoder),
                         teacher,
                         count_parameters(trainer->task(), true),
                         [trainer](const AnyLoader<B>& loader) { return trainer->steps_per_epoch(loader); },
                         [trainer] { return trainer->steps_done(); },
                         [trainer](AnyLoader<B>& loader, const std::function<bool(const StepReport&)>& report) {
                           trainer->fit(loader, report);
                         },
                         [trainer] { return trainer->state(); },
                         [trainer](const TensorFile& file) { trainer->load(file); }};
  });
}

/// make_trainer with activations of the type in the name.
AnyTrainer<Cpu> fp32_trainer(const TrainerPlan& plan);
AnyTrainer<Cpu> bf16_trainer(const TrainerPlan& plan);

}  // namespace programs

}}  // namespace vitral
