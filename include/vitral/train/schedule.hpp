// Schedule: how long a run is, and what changes from step to step.
#pragma once

#include <vitral/optim/schedule.hpp>

#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The learning rate rises linearly over the warm-up and falls along a cosine to `min_lr`, or at `milestones`, as by
/// PyTorch's MultiStepLR; the weight decay follows a cosine from the first step on.
///
///   const Schedule schedule{.epochs = 90, .milestones = {30, 60}};  // a tenth of the rate from epoch 30 on, ...
struct Schedule {
  int epochs = 100;    ///< which the learning rate, the weight decay and what a task schedules span
  int max_epochs = 0;  ///< the epochs after which training ends, of these; 0: after all
  int warmup_epochs = 0;
  double min_lr = 0;
  std::vector<int> milestones{};  ///< epochs from which the rate is multiplied by `gamma`; none: a cosine
  double gamma = 0.1;
  bool by_epoch = false;  ///< after the warm-up the rate changes between epochs alone, as PyTorch's schedulers do
  double weight_decay_end = -1;  ///< negative: as at the start
  int accumulate = 1;            ///< batches whose gradients make one step
  double clip_grad = 0;          ///< largest norm of the gradient; 0: no limit

  /// The learning rate of a step, the first being 0, of a run whose highest rate is `lr`.
  [[nodiscard]] double lr_at(long step, double lr, long steps_per_epoch) const {
    const long warmup = warmup_epochs * steps_per_epoch;
    if (by_epoch && step >= warmup) step -= step % steps_per_epoch;
    if (milestones.empty() || step < warmup)
      return CosineSchedule{lr, min_lr, epochs * steps_per_epoch, warmup}.at(step);
    StepSchedule falls{.base = lr, .gamma = gamma};
    for (const int epoch : milestones) falls.milestones.push_back(epoch * steps_per_epoch);
    return falls.at(step);
  }
};

}}  // namespace vitral
