// The order of an epoch, and the random streams that loading draws from: all that a source of batches leaves to chance
// is a function of its seed, the epoch, the view and the image.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/core/philox.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Streams of `Random` that loading draws from; the epoch is added to them, so that each owns 2^24 of them.
inline constexpr std::uint64_t stream_shuffle = 0x11000000;
/// Random streams that each view of an image has for itself.
inline constexpr std::uint64_t streams_per_view = 0x01000000;
/// The stream of view k: what view k of image i looks like is decided by the seed, the epoch, k and i.
[[nodiscard]] inline constexpr std::uint64_t stream_view(std::size_t k) { return 0x12000000 + k * streams_per_view; }
/// Views of an image have random streams of their own up to this number.
inline constexpr std::size_t most_views = 13;
/// The stream by which batches are mixed, behind those of the views; the trainer's own follow.
inline constexpr std::uint64_t stream_mix = 0x1f000000;

/// The order in which an epoch visits `count` images (the shuffle of Fisher and Yates).
[[nodiscard]] inline std::vector<std::uint32_t> shuffled(long count, std::uint64_t seed, long epoch) {
  const Random random{seed, stream_shuffle + static_cast<std::uint64_t>(epoch), 0};
  std::vector<std::uint32_t> order(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[random.below(i, static_cast<std::uint32_t>(i))]);
  return order;
}

/// Throws Error unless there is such an epoch and it has a batch `first`.
inline void check_start(long epoch, long first, long batches) {
  check(epoch >= 0 && epoch < 1l << 24, "epoch ", epoch, "; expected 0 to ", (1l << 24) - 1);
  check(first >= 0 && first <= batches, "batch ", first, " of an epoch that has ", batches);
}

}}  // namespace vitral
