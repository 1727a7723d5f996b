// What step.cu and attention.cu share: the time that work on the device takes, and random tensors made there.
#pragma once

#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/vitral.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

/// Milliseconds that one call of `run` takes: the median of five loops of `steps` calls, after three calls that are not
/// timed. The host waits for the device before and after a loop alone.
template <class F>
double milliseconds(int steps, F&& run) {
  for (int i = 0; i < 3; ++i) run();
  std::array<double, 5> loops;
  for (double& loop : loops) {
    vitral::cuda::Faults::instance().wait();
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < steps; ++i) run();
    vitral::cuda::Faults::instance().wait();
    loop = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / steps;
  }
  std::sort(loops.begin(), loops.end());
  return loops[2];
}

/// Elements of mean 0 and variance 1.
template <class X>
X random_tensor(const typename X::shape_type& shape, std::uint64_t stream) {
  using namespace vitral;
  const auto unit = (uniform(Random{7, stream, 0}, shape) - 0.5) * std::sqrt(12.0);
  return eval(X(shape) + cast<typename X::scalar>(unit));
}
