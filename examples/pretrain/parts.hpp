// What the source files of `pretrain` share.
#pragma once

#include "pretrain/options.hpp"

#include <vitral/eval/features.hpp>

#include <csignal>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// A run with activations of the type in the name; returns the exit status.
int pretrain_fp32(const PretrainOptions& options);
int pretrain_bf16(const PretrainOptions& options);

/// knn_accuracy on the CPU, which they share.
double knn_of_layer(const Features& known, const Features& asked, int k);

}}}  // namespace vitral::programs

// These pass between parts that different compilers made. Each part has its own copy of all that Vitral and the
// programs define (core/config.hpp), so none of its types is used here.

/// The signal (Ctrl-C, TERM or HUP) that asked the run to end after its step, with a checkpoint; 0 as long as none did.
extern volatile std::sig_atomic_t interrupted;

/// A run on a GPU, in the precision that the options (all_to_json's) name.
int pretrain_cuda(const nlohmann::ordered_json& options);
