// Which element a kernel's thread works on: arithmetic on shapes, which also runs, and is tested, on the host.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/tensor/plan.hpp>

#include <algorithm>
#include <climits>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

/// The index of the element that stands at `position` in row-major order. R bounds the loops, so that a kernel can keep
/// the index in registers.
template <int R>
VITRAL_HD void index_at(const Space<R>& space, long position, long (&index)[R]) {
  if (space.size <= INT_MAX) {  // 32-bit division is several times as fast
    auto rest = static_cast<unsigned>(position);
    for (int i = R - 1; i > 0; --i) {
      index[i] = 0;
      if (i >= space.axes) continue;
      const auto extent = static_cast<unsigned>(space.extent[i]);
      index[i] = rest % extent;
      rest /= extent;
    }
    index[0] = rest;
    return;
  }
  for (int i = R - 1; i > 0; --i) {
    index[i] = 0;
    if (i >= space.axes) continue;
    index[i] = position % space.extent[i];
    position /= space.extent[i];
  }
  index[0] = position;
}

namespace detail {

/// The space as a broadcast leaf sees it: the axes that it has (kept), and those over which its gradient is summed.
template <int R>
struct Folded {
  Space<R> kept, summed;  // sub-spaces, in the order of the axes
  int kept_axis[R], summed_axis[R];
  long position_stride[R];  // of the result's axes
};

template <int R>
Folded<R> fold(const Space<R>& space, const long (&stride)[R]) {
  Folded<R> f{};
  f.kept.size = f.summed.size = 1;
  long next = 1;
  for (int i = space.axes - 1; i >= 0; --i) {
    f.position_stride[i] = next;
    next *= space.extent[i];
  }
  for (int i = 0; i < space.axes; ++i) {
    Space<R>& to = stride[i] != 0 ? f.kept : f.summed;
    (stride[i] != 0 ? f.kept_axis : f.summed_axis)[to.axes] = i;
    to.extent[to.axes++] = space.extent[i];
    to.size *= space.extent[i];
  }
  for (Space<R>* s : {&f.kept, &f.summed})
    if (s->axes == 0) s->axes = 1, s->extent[0] = 1;
  return f;
}

/// The index of the result's element at a position in `kept` and one in `summed`.
template <int R>
VITRAL_HD void unfold(const Folded<R>& f, long kept, long summed, long (&index)[R]) {
  long part[R];
  for (int i = 0; i < R; ++i) index[i] = 0;
  const auto spread = [&](const Space<R>& space, const int(&axis)[R]) {
    if (space.size == 1) return;
    for (int i = 0; i < R; ++i)
      for (int to = 0; to < R; ++to)
        if (i < space.axes && axis[i] == to) index[to] = part[i];
  };
  index_at(f.kept, kept, part);
  spread(f.kept, f.kept_axis);
  index_at(f.summed, summed, part);
  spread(f.summed, f.summed_axis);
}

/// Parts into which n summands are cut where there are few results.
inline int parts_of(long results, long n) {
  const long enough = 132 * 8 * 256;  // threads that keep any present device busy; not its own count
  return static_cast<int>(std::clamp(std::min(enough / std::max(results, 1l), n / 64), 1l, 256l));
}

}  // namespace detail

}}}  // namespace vitral::cuda
