// Reductions of a plan, whose space is [outer, n, inner]. Work is cut by shape alone and partial results are joined in
// order: no atomic additions, so that every run gives the same bits.
#pragma once

#include <vitral/backend/cuda/block_reduce.hpp>
#include <vitral/backend/cuda/columns.hpp>
#include <vitral/backend/cuda/evaluate.hpp>
#include <vitral/backend/cuda/memory.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

template <class Plan>
using value_of = decltype(value_at(std::declval<const Plan&>(), std::declval<const long*>(), 0));

template <class C, class Plan, int R>
__device__ C plan_at(const Space<R>& space, const Plan& plan, long position) {
  long index[R];
  index_at(space, position, index);
  return static_cast<C>(value_at(plan, index, space.axes));
}

/// One block for each (outer, part); inner is 1.
template <class C, int R, class Plan>
__global__ void sum_rows(Space<R> space, Plan plan, Reduction r, int parts, C* partial) {
  const long o = blockIdx.x, part = blockIdx.y;
  const long first = r.n * part / parts, last = r.n * (part + 1) / parts;
  C sum{};
  for (long k = first + threadIdx.x; k < last; k += blockDim.x) sum += plan_at<C>(space, plan, o * r.n + k);
  sum = block_reduce(sum, Add{});
  if (threadIdx.x == 0) partial[part * r.outer + o] = sum;
}

/// One thread for each (outer, inner, part); neighbours read neighbours.
template <class C, int R, class Plan>
__global__ void sum_columns(Space<R> space, Plan plan, Reduction r, int parts, C* partial) {
  const long whole = r.outer * r.inner, column = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
  const long part = blockIdx.y;
  if (column >= whole) return;
  const long begin = column / r.inner * r.n * r.inner + column % r.inner;
  C sum{};
  for (long k = r.n * part / parts; k < r.n * (part + 1) / parts; ++k)
    sum += plan_at<C>(space, plan, begin + k * r.inner);
  partial[part * whole + column] = sum;
}

template <class C, int R, class Plan, class T>
__global__ void max_kernel(Space<R> space, Plan plan, Reduction r, T* out, int* places) {
  // A warp for each result; its lanes take every 32nd value, and of equal ones the first stands.
  const long whole = r.outer * r.inner;
  const long at = (static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (at >= whole) return;
  const long begin = at / r.inner * r.n * r.inner + at % r.inner;
  C best{};
  long where = -1;
  const auto take = [&](C value, long place) {
    if (place < 0) return;
    const bool nan = value != value, best_nan = best != best;
    const bool better = where < 0 || (nan && !best_nan) || (nan == best_nan && (value > best)) ||
                        ((nan ? best_nan : value == best) && place < where);
    if (!better) return;
    best = value;
    where = place;
  };
  for (long k = lane; k < r.n; k += 32) take(plan_at<C>(space, plan, begin + k * r.inner), k);
  for (int distance = 16; distance > 0; distance /= 2) {
    const C other = __shfl_xor_sync(0xffffffffu, best, distance);
    const long place = __shfl_xor_sync(0xffffffffu, where, distance);
    take(other, place);
  }
  if (lane != 0) return;
  out[at] = static_cast<compute_t<T>>(best);
  places[at] = static_cast<int>(where);
}

}  // namespace detail

/// out [inner] = scale * the sum of the rows of a leaf, where it is dense.
template <int R, class From, class T>
[[nodiscard]] bool sum_dense_rows(const Space<R>& space, const LeafPlan<From, R>& leaf, Reduction r, double scale,
                                  T* out) {
  if (r.outer != 1 || r.inner == 1 || space.axes != 1 || leaf.stride[0] != 1) return false;
  column_sums(leaf.data, r.n, r.inner, scale, out, false);
  return true;
}
template <int R, class Plan, class T>
[[nodiscard]] bool sum_dense_rows(const Space<R>&, const Plan&, Reduction, double, T*) {
  return false;
}

/// out [outer, inner] = scale * sum over n; 0 where n is 0.
template <int R, class Plan, class T>
void reduce_sum(const Space<R>& space, const Plan& plan, Reduction r, double scale, T* out) {
  using C = detail::value_of<Plan>;
  static_assert(fits_a_launch<Space<R>, Plan, Reduction>,
                "vitral: this expression is too large for one kernel; eval a part of it");
  const long whole = r.outer * r.inner;
  if (whole == 0 || sum_dense_rows(space, plan, r, scale, out)) return;
  const int parts = detail::parts_of(r.inner == 1 ? whole * block_threads : whole, r.n);
  const Scratch<C> partial(parts * whole);
  const auto grid_y = static_cast<unsigned>(parts);
  if (r.inner == 1)
    launch("reduce_sum", &detail::sum_rows<C, R, Plan>, dim3(static_cast<unsigned>(whole), grid_y), block_threads, 0,
           space, plan, r, parts, partial.data());
  else
    launch("reduce_sum", &detail::sum_columns<C, R, Plan>, dim3(blocks_for(whole), grid_y), block_threads, 0, space,
           plan, r, parts, partial.data());
  detail::launch_join<C>("reduce_sum", partial.data(), parts, whole, scale, detail::Joined<T>{out, false});
}

/// The largest value over n >= 1 and where it stands first; a NaN counts as largest.
template <int R, class Plan, class T>
void reduce_max(const Space<R>& space, const Plan& plan, Reduction r, T* out, int* places) {
  using C = detail::value_of<Plan>;
  const long whole = r.outer * r.inner;
  launch("reduce_max", &detail::max_kernel<C, R, Plan, T>, blocks_for(whole * 32), block_threads, 0, space, plan, r,
         out, places);
}

}}}  // namespace vitral::cuda
