// What the source files of `check_golden` share. Different compilers make them, each with its own copy of all that
// Vitral defines (core/config.hpp), so what passes between them is made of the standard library's types alone.
#pragma once

#include <map>
#include <string>
#include <vector>

using GoldenTensors = std::map<std::string, std::vector<double>>;

/// The step of the golden file at `path` (tests/golden/README.md) with activations of type f64, f32 or bf16: the
/// tensors features.*, loss, grad.* and after.* of such a file. With `disturbance` k > 0 the k-th random change of up
/// to 2^-8, bf16's unit of rounding, meets every weight and every pixel before the loss and its gradients are computed.
GoldenTensors golden_step_cpu(const std::string& scalar, const std::string& path, int disturbance);
GoldenTensors golden_step_cuda(const std::string& scalar, const std::string& path, int disturbance);
