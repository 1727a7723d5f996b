// Lanes: queues of a device beside its main one, for work that is too small to fill it. What is queued in one lane is
// done in order; two lanes know nothing of each other until they have joined. A backend without lanes works in order.
#pragma once

#include <vitral/core/config.hpp>

#include <cstddef>

namespace vitral { inline namespace VITRAL_ABI {

/// Where work is queued: a lane, and the number of the region, from a fork to its join, in which it is. Both are 0 in
/// the main lane.
struct LanePlace {
  long region = 0;
  int lane = 0;
  bool operator==(const LanePlace&) const = default;
};

/// A backend may offer lanes, numbered 1 to `count` beside the main one, 0. enter(lane) forks from the main lane, and
/// enter(0) joins: calls are done in order within a lane and around fork and join. place() says where the next call
/// goes.
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

/// Calls f(i) for each i below `count`, in order on the host; what f(i) queues goes to one of the lanes. f(i) may use
/// what was made before this call and what it has made itself. Work queued after this call comes after all of it.
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
