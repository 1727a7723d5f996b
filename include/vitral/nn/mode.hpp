// The mode of a forward pass, Training or Evaluation: the last argument of layers whose two passes differ.
#pragma once

#include <vitral/core/philox.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Evaluation mode: running statistics, nothing dropped.
struct Evaluation {};

/// Training mode: batch statistics; each layer that drops something draws from a stream of its own.
struct Training {
  Random random{};
  int views = 1;              ///< equal blocks of rows, one after the other, that a BatchNorm normalises apart
  int statistics_passes = 1;  ///< how often running statistics follow the batch's, as if it had been seen so often

  Training() = default;
  explicit Training(const Random& random) : random(random) {}

  /// The same mode for rows of several views.
  [[nodiscard]] Training of_views(int count, int passes = 1) const {
    Training out = *this;
    out.views = count;
    out.statistics_passes = passes;
    return out;
  }

  [[nodiscard]] Random draw() const {
    Random next = random;
    next.stream += streams_drawn_++;
    return next;
  }

 private:
  mutable std::uint64_t streams_drawn_ = 0;
};

}}  // namespace vitral
