// What the source files of `pretrain` share.
#pragma once

#include "pretrain/trainer.hpp"

#include <nlohmann/json.hpp>

#include <csignal>

namespace vitral { inline namespace VITRAL_ABI {

extern template class Optimizer<float, Cpu>;  // the same for both types of activations; pretrain.cpp has it

namespace programs {

/// make_trainer with activations of the type in the name.
AnyTrainer<Cpu> fp32_trainer(const TrainerPlan& plan);
AnyTrainer<Cpu> bf16_trainer(const TrainerPlan& plan);

}  // namespace programs

}}  // namespace vitral

// These pass between parts that different compilers made. Each part has its own copy of all that Vitral and the
// programs define (core/config.hpp), so none of its types is used here.

/// The signal (Ctrl-C, TERM or HUP) that asked the run to end after its step, with a checkpoint; 0 as long as none did.
extern volatile std::sig_atomic_t interrupted;

/// A run on a GPU, in the precision that the options (all_to_json's) name.
int pretrain_cuda(const nlohmann::ordered_json& options);
