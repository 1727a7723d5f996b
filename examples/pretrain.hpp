// What the source files of `pretrain` share.
#pragma once

#include "pretrain_options.hpp"

#include <csignal>

/// Set by Ctrl-C: the run ends after its step, with a checkpoint.
extern volatile std::sig_atomic_t interrupted;

/// A run with activations of the type in the name; returns the exit status.
int pretrain_fp32(const PretrainOptions& options);
int pretrain_bf16(const PretrainOptions& options);
