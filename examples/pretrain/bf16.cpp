// pretrain with activations of type bf16.
#include "pretrain/parts.hpp"

auto vitral::programs::bf16_trainer(const TrainerPlan& plan) -> AnyTrainer<Cpu> {
  return make_trainer<Cpu, bf16>(plan);
}
