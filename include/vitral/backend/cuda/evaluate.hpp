// Runs element-wise plans: one kernel that strides over the result, for one result or for several at once.
#pragma once

#include <vitral/backend/cuda/index.hpp>
#include <vitral/backend/cuda/launch.hpp>
#include <vitral/core/pack.hpp>
#include <vitral/tensor/plan.hpp>

#include <type_traits>

namespace vitral::inline VITRAL_ABI::cuda {

/// Kernels take 4 KiB of arguments.
template <class... A>
inline constexpr bool fits_a_launch = (std::is_trivially_copyable_v<A> && ...) && (sizeof(A) + ... + 0) <= 4000;

template <class Plan, class T>
struct Target {
  Plan plan;
  T* out;
};

namespace detail {

template <class Plan, class T, int R>
__device__ void store(const Target<Plan, T>& target, const long (&index)[R], int axes, long position) {
  target.out[position] = static_cast<compute_t<T>>(value_at(target.plan, index, axes));
}
template <int R>
__device__ void store(const Pack<>&, const long (&)[R], int, long) {}
template <class H, class... T, int R>
__device__ void store(const Pack<H, T...>& targets, const long (&index)[R], int axes, long position) {
  store(targets.head, index, axes, position);
  store(targets.tail, index, axes, position);
}

template <int R, class Targets>
__global__ void evaluate_kernel(Space<R> space, Targets targets) {
  const long step = static_cast<long>(gridDim.x) * blockDim.x;
  for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < space.size; i += step) {
    long index[R];
    index_at(space, i, index);
    store(targets, index, space.axes, i);
  }
}

template <int R, class Plan, class T>
__global__ void window_kernel(Space<R> space, Plan plan, LeafPlan<T, R> window, T* out) {
  const long step = static_cast<long>(gridDim.x) * blockDim.x;
  for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < space.size; i += step) {
    long index[R];
    index_at(space, i, index);
    out[offset_of(window.stride, index, space.axes)] = static_cast<compute_t<T>>(value_at(plan, index, space.axes));
  }
}

}  // namespace detail

/// For each element the first target is stored before the second plan is read, and so on.
template <int R, class... Plan, class... T>
void evaluate(const Space<R>& space, const Target<Plan, T>&... targets) {
  static_assert(fits_a_launch<Space<R>, Target<Plan, T>...>,
                "vitral: this expression is too large for one kernel; eval a part of it");
  if (space.size == 0) return;
  launch("evaluate", &detail::evaluate_kernel<R, Pack<Target<Plan, T>...>>, grid_for(space.size), block_threads, 0,
         space, pack(targets...));
}

template <int R, class Plan, class T>
void evaluate_window(const Space<R>& space, const Plan& plan, const LeafPlan<T, R>& window, T* out) {
  static_assert(fits_a_launch<Space<R>, Plan, LeafPlan<T, R>>,
                "vitral: this expression is too large for one kernel; eval a part of it");
  if (space.size == 0) return;
  launch("evaluate_window", &detail::window_kernel<R, Plan, T>, grid_for(space.size), block_threads, 0, space, plan,
         window, out);
}

}  // namespace vitral::inline VITRAL_ABI::cuda
