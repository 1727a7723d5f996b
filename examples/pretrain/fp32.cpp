// pretrain with activations of type float.
#include "pretrain/parts.hpp"

auto vitral::programs::fp32_trainer(const TrainerPlan& plan) -> AnyTrainer<Cpu> {
  return make_trainer<Cpu, float>(plan);
}
