// How the CPU runs a plan: in pieces that fit into the cache. Leaves that are contiguous within a piece are read in
// place; others (broadcast, strided, random) are first spread into a small buffer, so one SIMD loop serves all
// expressions.
#pragma once

#include <vitral/tensor/plan.hpp>

#include <algorithm>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

/// Elements of a piece: buffers of a handful of leaves stay in the first-level cache.
inline constexpr long chunk = 256;

// ---- readers: what the SIMD loop sees -------------------------------------------------------------------------------

template <class T>
struct LeafReader {
  const T* data;
  using value_type = compute_t<T>;
  using trace = value_type;
  value_type value(long i) const { return static_cast<value_type>(data[i]); }
  trace forward(long i) const { return value(i); }
  static value_type result(const trace& t) { return t; }
};

template <class T>
struct ConstantReader {
  T number;
  using value_type = T;
  using trace = T;
  T value(long) const { return number; }
  T forward(long) const { return number; }
  static T result(const trace& t) { return t; }
};

/// The intermediates of one element, in registers: a node's result and the traces of its arguments.
template <class C, class... Traces>
struct Trace {
  C y;
  Pack<Traces...> in;
};

template <class Op, class... R>
struct NodeReader {
  Pack<R...> args;
  using argument_type = joint_compute<typename R::value_type...>;
  using value_type = decltype([] {
    return []<int... I>(std::integer_sequence<int, I...>) {
      return Op::value((static_cast<void>(I), argument_type{})...);
    }
    (std::make_integer_sequence<int, sizeof...(R)>{});
  }());
  using trace = Trace<value_type, typename R::trace...>;
  using indices = std::make_integer_sequence<int, sizeof...(R)>;

  value_type value(long i) const { return value(i, indices{}); }
  trace forward(long i) const { return forward(i, indices{}); }
  static value_type result(const trace& t) { return t.y; }

 private:
  template <int... I>
  value_type value(long i, std::integer_sequence<int, I...>) const {
    return Op::value(static_cast<argument_type>(get<I>(args).value(i))...);
  }
  template <int... I>
  trace forward(long i, std::integer_sequence<int, I...>) const {
    const Pack<typename R::trace...> in = pack(get<I>(args).forward(i)...);
    return {Op::value(static_cast<argument_type>(R::result(get<I>(in)))...), in};
  }
};

// ---- lanes: a plan's buffers for one piece --------------------------------------------------------------------------

template <class Plan>
struct Lane;

template <class T, int R>
struct Lane<LeafPlan<T, R>> {
  alignas(64) T buffer[chunk];

  LeafReader<T> load(const LeafPlan<T, R>& plan, const long* index, int axes, long count) {
    const long offset = offset_of(plan.stride, index, axes);
    const T* data = plan.data + offset;
    const long step = plan.stride[axes - 1];
    if (step == 1) return {data};
    if (step == 0)
      std::fill_n(buffer, count, *data);
    else
      for (long i = 0; i < count; ++i) buffer[i] = data[i * step];
    return {buffer};
  }
};

template <class Distribution, int R>
struct Lane<DrawnPlan<Distribution, R>> {
  alignas(64) float buffer[chunk];

  LeafReader<float> load(const DrawnPlan<Distribution, R>& plan, const long* index, int axes, long count) {
    const long offset = offset_of(plan.stride, index, axes);
    const long step = plan.stride[axes - 1];
    if (step == 0) {
      std::fill_n(buffer, count, plan.at(offset));
    } else {
      const Random random = plan.random;  // a copy that nothing points to, for the loop's sake
#pragma omp simd
      for (long i = 0; i < count; ++i) buffer[i] = Distribution::at(random, offset + i * step);
    }
    return {buffer};
  }
};

template <int R>
struct Lane<PositionPlan<R>> {
  alignas(64) float buffer[chunk];

  LeafReader<float> load(const PositionPlan<R>& plan, const long* index, int axes, long count) {
    const long offset = offset_of(plan.stride, index, axes), step = plan.stride[axes - 1];
    for (long i = 0; i < count; ++i) buffer[i] = plan.at(offset + i * step);
    return {buffer};
  }
};

template <class T>
struct Lane<ConstantPlan<T>> {
  ConstantReader<T> load(const ConstantPlan<T>& plan, const long*, int, long) { return {plan.value}; }
};

template <class Op, class... P>
struct Lane<NodePlan<Op, P...>> {
  Pack<Lane<P>...> args;

  auto load(const NodePlan<Op, P...>& plan, const long* index, int axes, long count) {
    return [&]<int... I>(std::integer_sequence<int, I...>) {
      return NodeReader<Op, decltype(get<I>(args).load(get<I>(plan.args), index, axes, count))...>{
          pack(get<I>(args).load(get<I>(plan.args), index, axes, count)...)};
    }
    (std::make_integer_sequence<int, sizeof...(P)>{});
  }
};

template <class Plan>
using reader_of = decltype(std::declval<Lane<Plan>&>().load(std::declval<const Plan&>(), nullptr, 0, 0L));

/// Calls `f(index, position, count)` for pieces of the flat range [begin, end), none of which crosses a row end.
template <int R, class F>
void for_each_piece(const Space<R>& space, long begin, long end, F&& f) {
  if (begin >= end) return;
  const int last = R == 1 ? 0 : space.axes - 1;  // R bounds the axes; said so that the compiler knows
  long index[R] = {};
  long rest = begin;
  for (int i = last; i >= 0; --i) {
    index[i] = rest % space.extent[i];
    rest /= space.extent[i];
  }
  while (begin < end) {
    const long count = std::min({chunk, space.extent[last] - index[last], end - begin});
    f(index, begin, count);
    begin += count;
    index[last] += count;
    for (int i = last; i > 0 && i < R && index[i] == space.extent[i]; --i) {
      index[i] = 0;
      ++index[i - 1];
    }
  }
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
