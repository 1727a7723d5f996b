// Schedules of a number from step to step, such as the learning rate: a cosine after a warm-up, or steps.
#pragma once

#include <vitral/core/error.hpp>

#include <cmath>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// From `base` at progress 0 along half a cosine (Loshchilov and Hutter 2017) towards `final`, which 1 would reach.
[[nodiscard]] inline double cosine_between(double base, double final, double progress) {
  return final + 0.5 * (base - final) * (1 + std::cos(3.14159265358979323846 * progress));
}

/// The value at step i of `steps`: from `start` linearly to `base`, which the last of `warmup` steps reaches; then
/// along half a cosine towards `final`. This is the form of DINO's published code.
struct CosineSchedule {
  double base, final;
  long steps;
  long warmup = 0;
  double start = 0;

  [[nodiscard]] double at(long step) const {
    check(step >= 0 && step < steps, "schedule: step ", step, " is outside 0 .. ", steps - 1);
    if (step < warmup)
      return warmup == 1 ? start : start + (base - start) * static_cast<double>(step) / static_cast<double>(warmup - 1);
    return cosine_between(base, final, static_cast<double>(step - warmup) / static_cast<double>(steps - warmup));
  }
};

/// Goyal et al. 2017: the rate is given for a batch of 256.
[[nodiscard]] constexpr double scaled_learning_rate(double lr, long batch) {
  return lr * static_cast<double>(batch) / 256;
}

/// `base`, multiplied by `gamma` at each milestone and after every `every` steps (0: at milestones alone): PyTorch's
/// MultiStepLR and StepLR. From step 30 on, StepSchedule{.base = 0.1, .milestones = {30, 60}} gives 0.01.
struct StepSchedule {
  double base, gamma = 0.1;
  long every = 0;
  std::vector<long> milestones{};

  [[nodiscard]] double at(long step) const {
    check(step >= 0 && every >= 0, "StepSchedule: step ", step, " and every ", every, " must not be negative");
    long falls = every > 0 ? step / every : 0;
    for (const long milestone : milestones) falls += milestone <= step;
    return base * std::pow(gamma, falls);
  }
};

}}  // namespace vitral
