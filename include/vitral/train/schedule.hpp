// Schedule: how long a run is, and what changes from step to step.
#pragma once

#include <vitral/core/config.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// The learning rate rises linearly over the warm-up and falls along a cosine to `min_lr`; the weight decay follows a
/// cosine from the first step on.
struct Schedule {
  int epochs = 100;    ///< which the learning rate, the weight decay and what a task schedules span
  int max_epochs = 0;  ///< the epochs after which training ends, of these; 0: after all
  int warmup_epochs = 0;
  double min_lr = 0;
  double weight_decay_end = -1;  ///< negative: as at the start
  int accumulate = 1;            ///< batches whose gradients make one step
  double clip_grad = 0;          ///< largest norm of the gradient; 0: no limit
};

}}  // namespace vitral
