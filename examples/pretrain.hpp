// What the source files of `pretrain` share. They are compiled by different compilers and for different machines, so what
// passes between them is made of the standard library's types alone.
#pragma once

#include "layer_features.hpp"
#include "pretrain_options.hpp"

#include <csignal>

/// The signal (Ctrl-C, TERM or HUP) that asked the run to end after its step, with a checkpoint; 0 as long as none did.
extern volatile std::sig_atomic_t interrupted;

/// A run with activations of the type in the name; returns the exit status.
int pretrain_fp32(const PretrainOptions& options);
int pretrain_bf16(const PretrainOptions& options);
/// A run on a GPU, in the precision that the options name.
int pretrain_cuda(const PretrainOptions& options);

/// The share of `asked` that k-NN among `known` classifies correctly, computed on the CPU.
double knn_of_layer(LayerFeatures known, LayerFeatures asked, int k);
