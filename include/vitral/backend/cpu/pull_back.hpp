// The backward pass of a fused expression on the CPU: one loop re-reads the leaves, recomputes the intermediates in
// registers and pushes the result's gradient down to the leaves that want one. Nothing but the leaves was saved.
#pragma once

#include <vitral/backend/cpu/evaluate.hpp>
#include <vitral/backend/cpu/work_memory.hpp>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

template <class C>
struct LeafSink {
  C* gradient;
};

template <class Reader, class Sink, class C>
void pull(const Reader&, const typename Reader::trace&, const Sink&, C, long);

template <class Op, class... R, class... S, class C, int... I>
void pull_arguments(const NodeReader<Op, R...>& reader, const typename NodeReader<Op, R...>::trace& trace,
                    const Pack<S...>& sinks, C g, long i, std::integer_sequence<int, I...>) {
  using A = typename NodeReader<Op, R...>::argument_type;
  const auto parts = Op::pull(g, trace.y, static_cast<A>(R::result(get<I>(trace.in)))...);
  (pull(get<I>(reader.args), get<I>(trace.in), get<I>(sinks), get<I>(parts), i), ...);
}

/// Pushes the gradient g of one element's result down; a sink is a LeafSink, a Pack of sinks, or NoGradient.
template <class Reader, class Sink, class C>
void pull(const Reader& reader, const typename Reader::trace& trace, const Sink& sink, C g, long i) {
  if constexpr (requires { sink.gradient; })
    sink.gradient[i] = static_cast<std::remove_reference_t<decltype(*sink.gradient)>>(g);
  else if constexpr (requires { reader.args; } && !std::is_same_v<Sink, NoGradient>)
    pull_arguments(reader, trace, sink, g, i, typename Reader::indices{});
}

/// One element forwards and backwards. A function of its own: g++ would keep a trace that stands in the SIMD loop in
/// memory instead of registers.
template <class Reader, class Sink>
void pull_element(const Reader& reader, const Sink& sink, typename Reader::value_type g, long i) {
  pull(reader, reader.forward(i), sink, g, i);
}
template <class Reader, class Sink, class T>
void pull_piece(const Reader reader, const Sink sink, const T* g, long count) {
#pragma omp simd
  for (long i = 0; i < count; ++i) pull_element(reader, sink, static_cast<typename Reader::value_type>(g[i]), i);
}

// ---- targets: where a leaf's gradient goes --------------------------------------------------------------------------

template <class Target>
struct SinkLane;

template <>
struct SinkLane<NoGradient> {
  NoGradient sink() { return {}; }
};

template <class T, int R>
struct SinkLane<GradientPlan<T, R>> {
  using C = compute_t<T>;
  alignas(64) C buffer[chunk];
  LeafSink<C> sink() { return {buffer}; }
};

template <class... G>
struct SinkLane<Pack<G...>> {
  Pack<SinkLane<G>...> args;
  auto sink() {
    return [&]<int... I>(std::integer_sequence<int, I...>) { return pack(get<I>(args).sink()...); }
    (std::make_integer_sequence<int, sizeof...(G)>{});
  }
};

/// Calls `f(target, lane)` for each leaf that wants a gradient.
template <class F>
void for_each_gradient(const NoGradient&, SinkLane<NoGradient>&, F&&) {}
template <class T, int R, class F>
void for_each_gradient(const GradientPlan<T, R>& target, SinkLane<GradientPlan<T, R>>& lane, F&& f) {
  if (target.data) f(target, lane);
}
template <class... G, class F>
void for_each_gradient(const Pack<G...>& targets, SinkLane<Pack<G...>>& lanes, F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (for_each_gradient(get<I>(targets), get<I>(lanes.args), f), ...); }
  (std::make_integer_sequence<int, sizeof...(G)>{});
}

/// Adds one piece to the gradient: directly where each element belongs to one result element, else to the task's
/// partial sums, which are joined in task order.
template <class T, int R, class C>
void deposit(const GradientPlan<T, R>& target, const compute_t<T>* piece, C* partial, const long* index, int axes,
             long count) {
  const long offset = offset_of(target.stride, index, axes);
  const long step = target.stride[axes - 1];
  if (target.reduced) {
    if (step == 0) {
      C sum{};
#pragma omp simd reduction(+ : sum)
      for (long i = 0; i < count; ++i) sum += static_cast<C>(piece[i]);
      partial[offset] += sum;
    } else {
#pragma omp simd
      for (long i = 0; i < count; ++i) partial[offset + i * step] += static_cast<C>(piece[i]);
    }
  } else if (target.add) {
    T* to = target.data + offset;
#pragma omp simd
    for (long i = 0; i < count; ++i) to[i] = static_cast<compute_t<T>>(to[i]) + piece[i];
  } else {
    T* to = target.data + offset;
#pragma omp simd
    for (long i = 0; i < count; ++i) to[i] = piece[i];
  }
}

/// For each leaf with a target: gradient (=|+=) sum over its broadcast axes of upstream * d result / d leaf.
template <int R, class Plan, class Targets, class T>
void pull_back(const Space<R>& space, const Plan& plan, const Targets& targets, const T* upstream) {
  const long tasks = std::max(1L, std::min(64L, space.size / task_size));
  // Room for the partial sums of broadcast leaves: [task][elements of all such leaves].
  long width = 0;
  SinkLane<Targets> layout;
  for_each_gradient(targets, layout, [&](const auto& t, auto&) { width += t.reduced ? t.size : 0; });
  using C = compute_t<T>;
  static thread_local WorkMemory memory;
  C* const partial = memory.reserve<C>(tasks * width);
  std::fill_n(partial, tasks * width, C{});

  parallel_for(tasks, [&](long task) {
    Lane<Plan> lane;
    SinkLane<Targets> sinks;
    const auto sink = sinks.sink();
    for_each_piece(space, space.size * task / tasks, space.size * (task + 1) / tasks,
                   [&](const long* index, long position, long count) {
                     const auto reader = lane.load(plan, index, space.axes, count);
                     pull_piece(reader, sink, upstream + position, count);
                     C* mine = partial + task * width;
                     for_each_gradient(targets, sinks, [&](const auto& target, auto& lane_of_target) {
                       deposit(target, lane_of_target.buffer, mine, index, space.axes, count);
                       mine += target.reduced ? target.size : 0;
                     });
                   });
  });

  long column = 0;
  for_each_gradient(targets, layout, [&](const auto& target, auto&) {
    if (!target.reduced) return;
    using P = compute_t<std::remove_reference_t<decltype(*target.data)>>;
    for (long i = 0; i < target.size; ++i) {
      C sum{};
      for (long task = 0; task < tasks; ++task) sum += partial[task * width + column + i];
      target.data[i] = static_cast<P>(target.add ? static_cast<C>(target.data[i]) + sum : sum);
    }
    column += target.size;
  });
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
