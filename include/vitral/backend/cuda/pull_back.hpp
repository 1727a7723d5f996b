// The backward pass of a fused expression: kernels read the leaves again, recompute the intermediates in registers and
// push the result's gradient down. One kernel writes the gradients of leaves as large as the result; for each broadcast
// leaf another forms the sum, in a fixed order. Four or eight elements at a time where all leaves allow it.
#pragma once

#include <vitral/backend/cuda/reduce.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

/// Calls f(target) for the target of each leaf that may want a gradient.
template <class F>
void for_each_target(NoGradient&, F&&) {}
template <class T, int R, class F>
void for_each_target(GradientPlan<T, R>& target, F&& f) {
  f(target);
}
template <class F>
void for_each_target(Pack<>&, F&&) {}
template <class H, class... T, class F>
void for_each_target(Pack<H, T...>& targets, F&& f) {
  for_each_target(targets.head, f);
  for_each_target(targets.tail, f);
}

/// Where push leaves a leaf's gradient: in its place, or in the sum for the one leaf that a kernel serves.
struct InPlace {
  template <class T, int R, class C>
  __device__ void operator()(const GradientPlan<T, R>& target, C g, const long* index, int axes) const {
    T& to = target.data[offset_of(target.stride, index, axes)];
    using P = compute_t<T>;
    const P rounded = static_cast<P>(g);
    to = target.add ? static_cast<P>(to) + rounded : rounded;
  }
};
template <class S>
struct IntoSum {
  S* sum;
  template <class T, int R, class C>
  __device__ void operator()(const GradientPlan<T, R>&, C g, const long*, int) const {
    *sum += static_cast<S>(g);
  }
};

template <class Plan, class C, class Sink>
__device__ void push(const Plan&, const NoGradient&, C, const long*, int, const Sink&) {}
template <class Plan, class T, int R, class C, class Sink>
__device__ void push(const Plan&, const GradientPlan<T, R>& target, C g, const long* index, int axes,
                     const Sink& sink) {
  if (target.data) sink(target, g, index, axes);
}
template <class Op, class... P, class... G, class C, class Sink>
__device__ void push(const NodePlan<Op, P...>& plan, const Pack<G...>& targets, C g, const long* index, int axes,
                     const Sink& sink);

template <class Op, class... P, class... G, class C, class Sink, int... I>
__device__ void push_arguments(const NodePlan<Op, P...>& plan, const Pack<G...>& targets, C g, const long* index,
                               int axes, const Sink& sink, std::integer_sequence<int, I...>) {
  using A = joint_compute<decltype(value_at(get<I>(plan.args), index, axes))...>;
  const auto y = value_at(plan, index, axes);
  const auto parts = Op::pull(g, y, static_cast<A>(value_at(get<I>(plan.args), index, axes))...);
  (push(get<I>(plan.args), get<I>(targets), get<I>(parts), index, axes, sink), ...);
}
template <class Op, class... P, class... G, class C, class Sink>
__device__ void push(const NodePlan<Op, P...>& plan, const Pack<G...>& targets, C g, const long* index, int axes,
                     const Sink& sink) {
  push_arguments(plan, targets, g, index, axes, sink, std::make_integer_sequence<int, sizeof...(P)>{});
}

/// push for N neighbours, each gradient into its place.
template <class Plan, class C, int N>
__device__ void push_run(const Plan&, const NoGradient&, const Run<C, N>&, const long*, int) {}
template <class Plan, class T, int R, class C, int N>
__device__ void push_run(const Plan&, const GradientPlan<T, R>& target, const Run<C, N>& g, const long* index,
                         int axes) {
  if (!target.data) return;
  T* const to = target.data + offset_of(target.stride, index, axes);
  Run<compute_t<T>, N> rounded;
  for (int k = 0; k < N; ++k) rounded.value[k] = static_cast<compute_t<T>>(g.value[k]);
  if (target.add) {
    const auto before = load_run<N>(to);
    for (int k = 0; k < N; ++k) rounded.value[k] = before.value[k] + rounded.value[k];
  }
  store_run(to, rounded);
}
template <class Op, class... P, class... G, class C, int N>
__device__ void push_run(const NodePlan<Op, P...>& plan, const Pack<G...>& targets, const Run<C, N>& g,
                         const long* index, int axes);

template <class Op, class... P, class... G, class C, int N, int... I>
__device__ void push_run_arguments(const NodePlan<Op, P...>& plan, const Pack<G...>& targets, const Run<C, N>& g,
                                   const long* index, int axes, std::integer_sequence<int, I...>) {
  using A = joint_compute<decltype(value_at(get<I>(plan.args), index, axes))...>;
  const auto y = run_at<N>(plan, index, axes);
  const auto arguments = pack(run_at<N>(get<I>(plan.args), index, axes)...);
  const auto pulled = [&](int k) {
    return Op::pull(g.value[k], y.value[k], static_cast<A>(get<I>(arguments).value[k])...);
  };
  auto parts = pack(Run<std::remove_cvref_t<decltype(get<I>(pulled(0)))>, N>{}...);
  for (int k = 0; k < N; ++k) {
    const auto of_one = pulled(k);
    ((get<I>(parts).value[k] = get<I>(of_one)), ...);
  }
  (push_run(get<I>(plan.args), get<I>(targets), get<I>(parts), index, axes), ...);
}
template <class Op, class... P, class... G, class C, int N>
__device__ void push_run(const NodePlan<Op, P...>& plan, const Pack<G...>& targets, const Run<C, N>& g,
                         const long* index, int axes) {
  push_run_arguments(plan, targets, g, index, axes, std::make_integer_sequence<int, sizeof...(P)>{});
}

template <int N, int R, class Plan, class Targets, class T>
__device__ void pull_run(const Plan& plan, const Targets& targets, const T* upstream, const long (&index)[R],
                         int axes) {
  using C = value_of<Plan>;
  const auto loaded = load_run<N>(upstream);
  Run<C, N> g;
  for (int k = 0; k < N; ++k) g.value[k] = static_cast<C>(loaded.value[k]);
  push_run(plan, targets, g, index, axes);
}

template <int R, class Plan, class Targets, class T>
__global__ void pull_elements(const __grid_constant__ Space<R> space, const __grid_constant__ Plan plan,
                              const __grid_constant__ Targets targets, const T* upstream, int width) {
  using C = value_of<Plan>;
  const long step = static_cast<long>(gridDim.x) * blockDim.x * width;
  for (long i = (static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x) * width; i < space.size; i += step) {
    long index[R];
    index_at(space, i, index);
    if (width == run_of<T>)
      pull_run<run_of<T>>(plan, targets, upstream + i, index, space.axes);
    else if (run_of<T> > 4 && width == 4)
      pull_run<4>(plan, targets, upstream + i, index, space.axes);
    else
      push(plan, targets, static_cast<C>(static_cast<compute_t<T>>(upstream[i])), index, space.axes, InPlace{});
  }
}

/// What one element of the result adds to the sum.
template <class S, int R, class Plan, class Targets, class T>
__device__ void add_summand(S& sum, const Folded<R>& f, long kept, long summed, int axes, const Plan& plan,
                            const Targets& targets, const T* upstream) {
  long index[R];
  unfold(f, kept, summed, index);
  const long position = offset_of(f.position_stride, index, axes);
  using C = value_of<Plan>;
  push(plan, targets, static_cast<C>(static_cast<compute_t<T>>(upstream[position])), index, axes, IntoSum<S>{&sum});
}

/// partial [parts, kept.size] = the partial sums: a thread forms each of them where `wide`, else a block.
template <class S, bool wide, int R, class Plan, class Targets, class T>
__global__ void pull_sum(Folded<R> f, int axes, Plan plan, Targets targets, const T* upstream, int parts, S* partial) {
  const long part = blockIdx.y;
  const long first = f.summed.size * part / parts, last = f.summed.size * (part + 1) / parts;
  S sum{};
  if constexpr (wide) {
    const long kept = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (kept >= f.kept.size) return;
    for (long k = first; k < last; ++k) add_summand(sum, f, kept, k, axes, plan, targets, upstream);
    partial[part * f.kept.size + kept] = sum;
  } else {
    for (long k = first + threadIdx.x; k < last; k += blockDim.x)
      add_summand(sum, f, blockIdx.x, k, axes, plan, targets, upstream);
    sum = block_reduce(sum, Add{});
    if (threadIdx.x == 0) partial[part * f.kept.size + blockIdx.x] = sum;
  }
}

/// The gradient of the broadcast leaf `leaf`, the only target in `targets`.
template <int R, class Plan, class Targets, class T, class L>
void pull_broadcast(const Space<R>& space, const Plan& plan, const Targets& targets, const GradientPlan<L, R>& leaf,
                    const T* upstream) {
  using S = compute_t<T>;
  const Folded<R> f = fold(space, leaf.stride);
  // Where the last axis is the leaf's own, neighbouring threads read neighbouring elements.
  const bool wide = leaf.stride[space.axes - 1] != 0 && f.kept.size >= 32;
  const int parts = parts_of(wide ? f.kept.size : f.kept.size * block_threads, f.summed.size);
  const Scratch<S> partial(parts * f.kept.size);
  const unsigned blocks = blocks_for(f.kept.size, wide ? block_threads : 1);
  launch("pull_back", wide ? &pull_sum<S, true, R, Plan, Targets, T> : &pull_sum<S, false, R, Plan, Targets, T>,
         dim3(blocks, static_cast<unsigned>(parts)), block_threads, 0, f, space.axes, plan, targets, upstream, parts,
         partial.data());
  launch_join<S>("pull_back", partial.data(), parts, f.kept.size, 1.0, Joined<L>{leaf.data, leaf.add});
}

}  // namespace detail

/// For each leaf with a target: gradient (=|+=) sum over its broadcast axes of upstream * d result / d leaf.
template <int R, class Plan, class Targets, class T>
void pull_back(const Space<R>& space, const Plan& plan, const Targets& targets, const T* upstream) {
  static_assert(fits_a_launch<Space<R>, Plan, Targets, detail::Folded<R>>,
                "vitral: this expression is too large for one kernel; eval a part of it");
  Targets whole = targets;
  bool any = false;
  int leaves = 0;
  detail::for_each_target(whole, [&](auto& leaf) {
    ++leaves;
    if (leaf.reduced) leaf.data = nullptr;
    any = any || leaf.data;
  });
  if (any && space.size > 0) {
    const int width = widest<run_of<T>>([&](auto n) {
      bool fits =
          space.extent[space.axes - 1] % n() == 0 && allows_runs<n()>(upstream) && allows_runs<n()>(plan, space.axes);
      detail::for_each_target(whole, [&](const auto& leaf) {
        if (!leaf.data) return;
        fits = fits && leaf.stride[space.axes - 1] == 1 && allows_runs<n()>(leaf.data);
        for (int i = 0; i + 1 < space.axes; ++i) fits = fits && leaf.stride[i] % n() == 0;
      });
      return fits;
    });
    launch("pull_back", &detail::pull_elements<R, Plan, Targets, T>, grid_for(space.size / width), block_threads, 0,
           space, plan, whole, upstream, width);
  }
  for (int which = 0; which < leaves; ++which) {
    Targets one = targets;
    int at = 0;
    detail::for_each_target(one, [&](auto& leaf) {
      if (at++ != which || !leaf.reduced) leaf.data = nullptr;
    });
    detail::for_each_target(one, [&](const auto& leaf) {
      if (leaf.data) detail::pull_broadcast(space, plan, one, leaf, upstream);
    });
  }
}

}}}  // namespace vitral::cuda
