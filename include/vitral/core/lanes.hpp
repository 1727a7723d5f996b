// Lanes: queues of a device beside its main one, for work that is too small to fill it. What is queued in one lane is
// done in order; two lanes know nothing of each other until they have joined. A backend without lanes works in order.
#pragma once

#include <vitral/core/config.hpp>

#include <cstddef>

namespace vitral { inline namespace VITRAL_ABI {

/// Where work is queued: in a lane of the region between a fork and a join, or, all zero, in the main lane.
struct LanePlace {
  long region = 0;
  int lane = 0;
  bool operator==(const LanePlace&) const = default;
};

/// A backend's Lanes (backend/backend.hpp).
template <class B>
concept HasLanes = requires(int lane) {
  B::Lanes::count;
  B::Lanes::place();
  B::Lanes::enter(lane);
};

/// How many lanes a backend has beside the main one.
template <class B>
inline constexpr std::size_t lane_count = 0;
template <HasLanes B>
inline constexpr std::size_t lane_count<B> = B::Lanes::count;

/// Where the next call goes, for a later return to the same lane.
template <class B>
LanePlace lane_place() {
  if constexpr (HasLanes<B>)
    return B::Lanes::place();
  else
    return {};
}

/// Calls f(i) for each i below `count`, in order on the host, the work of each i in one of the lanes. f may use what
/// was made before this call and what the same i has made. When this returns or throws, later work comes after it all.
template <class B, class F>
void in_lanes(std::size_t count, F&& f) {
  if constexpr (HasLanes<B>) {
    if (lane_place<B>().lane == 0) {
      struct Join {
        ~Join() {
          try {
            B::Lanes::enter(0);
          } catch (...) {  // another exception is on its way
          }
        }
      } join;
      for (std::size_t i = 0; i < count; ++i) {
        B::Lanes::enter(1 + static_cast<int>(i % lane_count<B>));
        f(i);
      }
      return B::Lanes::enter(0);
    }
  }
  for (std::size_t i = 0; i < count; ++i) f(i);
}

}}  // namespace vitral
