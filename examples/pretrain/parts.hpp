// What the source files of `pretrain` share.
#pragma once

#include "common/plain_features.hpp"
#include "pretrain/options.hpp"

#include <csignal>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// A run with activations of the type in the name; returns the exit status.
int pretrain_fp32(const PretrainOptions& options);
int pretrain_bf16(const PretrainOptions& options);

}}}  // namespace vitral::programs

// These pass between parts that different compilers made. Each part has its own copy of all that Vitral and the
// programs define (core/config.hpp), so none of its types is used here.

/// The signal (Ctrl-C, TERM or HUP) that asked the run to end after its step, with a checkpoint; 0 as long as none did.
extern volatile std::sig_atomic_t interrupted;

/// A run on a GPU, in the precision that the options (all_to_json's) name.
int pretrain_cuda(const nlohmann::ordered_json& options);

/// The share of `asked` that k-NN among `known` classifies correctly, computed on the CPU.
double knn_of_layer(vitral::programs::PlainFeatures known, vitral::programs::PlainFeatures asked, int k);
