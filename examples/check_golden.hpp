// What the source files of `check_golden` share.
#pragma once

#include <string>

/// Runs the step of one golden file with activations of type f64, f32 or bf16, prints the largest relative errors, and
/// says whether all are within their limits.
bool check_golden_cpu(const std::string& scalar, const std::string& path);
bool check_golden_cuda(const std::string& scalar, const std::string& path);
