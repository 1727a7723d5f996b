// Runs element-wise plans: a kernel that strides over one result or several of one shape, and one for many jobs of one
// type (an optimiser's step of all parameters). Four or eight elements at a time where lengths and addresses allow it.
#pragma once

#include <vitral/backend/cuda/index.hpp>
#include <vitral/backend/cuda/launch.hpp>
#include <vitral/backend/cuda/quads.hpp>
#include <vitral/core/pack.hpp>

#include <algorithm>
#include <type_traits>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

/// Arguments of a kernel: 4 KiB serve all devices and drivers.
template <class... A>
inline constexpr bool fits_a_launch = (std::is_trivially_copyable_v<A> && ...) && (sizeof(A) + ... + 0) <= 4000;

namespace detail {

/// Computes and stores element `position`: the first plan's is stored before the second plan is read, and so on.
template <int R>
__device__ void store(const Pack<>&, const Pack<>&, const long (&)[R], int, long) {}
template <class T, class... Ts, class Plan, class... Plans, int R>
__device__ void store(const Pack<T*, Ts*...>& out, const Pack<Plan, Plans...>& plans, const long (&index)[R], int axes,
                      long position) {
  out.head[position] = static_cast<compute_t<T>>(value_at(plans.head, index, axes));
  store(out.tail, plans.tail, index, axes, position);
}
template <int N, int R>
__device__ void store_runs(const Pack<>&, const Pack<>&, const long (&)[R], int, long) {}
template <int N, class T, class... Ts, class Plan, class... Plans, int R>
__device__ void store_runs(const Pack<T*, Ts*...>& out, const Pack<Plan, Plans...>& plans, const long (&index)[R],
                           int axes, long position) {
  store_run(out.head + position, run_at<N>(plans.head, index, axes));
  store_runs<N>(out.tail, plans.tail, index, axes, position);
}

/// The most elements that a job takes at a time.
template <class Job>
struct WidestRun;
template <int R, class... T, class Plans>
struct WidestRun<Together<R, Pack<T*...>, Plans>> {
  static constexpr int value = std::min({run_of<T>...});
};

/// A thread's share: runs of `width` elements, of numbers first, first + step, ...
template <int R, class Outs, class Plans>
__device__ void evaluate_share(const Together<R, Outs, Plans>& job, int width, long first, long step) {
  constexpr int most = WidestRun<Together<R, Outs, Plans>>::value;
  for (long i = first * width; i < job.space.size; i += step * width) {
    long index[R];
    index_at(job.space, i, index);
    if (width == most)
      store_runs<most>(job.out, job.plans, index, job.space.axes, i);
    else if (most > 4 && width == 4)
      store_runs<4>(job.out, job.plans, index, job.space.axes, i);
    else
      store(job.out, job.plans, index, job.space.axes, i);
  }
}

/// Jobs are grid constants: otherwise each thread would copy them to look up a stride by its axis.
template <class Job>
__global__ void evaluate_kernel(const __grid_constant__ Job job, int width) {
  evaluate_share(job, width, static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x,
                 static_cast<long>(gridDim.x) * blockDim.x);
}

/// Jobs in the arguments of one kernel, 32 KiB at the most, and the first block of each.
template <class Job>
struct JobTable {
  static constexpr int most = static_cast<int>((32764 - 16) / (sizeof(Job) + sizeof(unsigned) + 1));
  int count;
  unsigned first_block[most];
  char width[most];  // elements at a time
  Job job[most];
};
constexpr int job_elements = 8 * block_threads;  // of a block

template <class Job>
__global__ void evaluate_jobs(const __grid_constant__ JobTable<Job> table) {
  int first = 0, last = table.count;  // the last job that begins at this block or before
  while (last - first > 1) {
    const int middle = (first + last) / 2;
    (table.first_block[middle] <= blockIdx.x ? first : last) = middle;
  }
  const unsigned begin = table.first_block[first],
                 end = first + 1 < table.count ? table.first_block[first + 1] : gridDim.x;
  evaluate_share(table.job[first], table.width[first], static_cast<long>(blockIdx.x - begin) * blockDim.x + threadIdx.x,
                 static_cast<long>(end - begin) * blockDim.x);
}

/// How many elements of a job a thread may take at a time.
template <int R, class... T, class Plans>
int width_of(const Together<R, Pack<T*...>, Plans>& job) {
  return widest<WidestRun<Together<R, Pack<T*...>, Plans>>::value>([&](auto n) {
    bool fits = job.space.extent[job.space.axes - 1] % n() == 0 && allows_runs<n()>(job.plans, job.space.axes);
    for_each(job.out, [&](const auto* out) { fits = fits && allows_runs<n()>(out); });
    return fits;
  });
}

template <int R, class Plan, class T>
__global__ void window_kernel(const __grid_constant__ Space<R> space, const __grid_constant__ Plan plan,
                              const __grid_constant__ LeafPlan<T, R> window, T* out, int width) {
  const long step = static_cast<long>(gridDim.x) * blockDim.x * width;
  for (long i = (static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x) * width; i < space.size; i += step) {
    long index[R];
    index_at(space, i, index);
    T* const to = out + offset_of(window.stride, index, space.axes);
    if (width == run_of<T>)
      store_run(to, run_at<run_of<T>>(plan, index, space.axes));
    else if (run_of<T> > 4 && width == 4)
      store_run(to, run_at<4>(plan, index, space.axes));
    else
      *to = static_cast<compute_t<T>>(value_at(plan, index, space.axes));
  }
}

}  // namespace detail

/// For each element the first plan's value is stored before the second plan is read, and so on.
template <int R, class... T, class... Plan>
void evaluate(const Space<R>& space, const Pack<T*...>& out, const Pack<Plan...>& plans) {
  using Job = Together<R, Pack<T*...>, Pack<Plan...>>;
  static_assert(fits_a_launch<Job, bool>, "vitral: this expression is too large for one kernel; eval a part of it");
  if (space.size == 0) return;
  const Job job{space, out, plans};
  const int width = detail::width_of(job);
  launch("evaluate", &detail::evaluate_kernel<Job>, grid_for(space.size / width), block_threads, 0, job, width);
}

/// The same for each job; none may read what another writes.
template <class Job>
void evaluate_each(const std::vector<Job>& jobs) {
  using Table = detail::JobTable<Job>;
  static_assert(Table::most > 0, "vitral: this expression is too large for one kernel; eval a part of it");
  Table table{};
  unsigned blocks = 0;
  const auto flush = [&] {
    launch("evaluate_each", &detail::evaluate_jobs<Job>, blocks, block_threads, 0, table);
    table.count = 0;
    blocks = 0;
  };
  for (const Job& job : jobs) {
    if (job.space.size == 0) continue;
    if (table.count == Table::most) flush();
    table.first_block[table.count] = blocks;
    table.width[table.count] = static_cast<char>(detail::width_of(job));
    table.job[table.count++] = job;
    blocks += blocks_for(job.space.size, detail::job_elements);
  }
  flush();
}

template <int R, class Plan, class T>
void evaluate_window(const Space<R>& space, const Plan& plan, const LeafPlan<T, R>& window, T* out) {
  static_assert(fits_a_launch<Space<R>, Plan, LeafPlan<T, R>>,
                "vitral: this expression is too large for one kernel; eval a part of it");
  if (space.size == 0) return;
  LeafPlan<T, R> target = window;
  target.data = out;
  const int last = space.axes - 1;
  const int width = widest<run_of<T>>([&](auto n) {
    return space.extent[last] % n() == 0 && target.stride[last] == 1 && allows_runs<n()>(target, space.axes) &&
           allows_runs<n()>(plan, space.axes);
  });
  launch("evaluate_window", &detail::window_kernel<R, Plan, T>, grid_for(space.size / width), block_threads, 0, space,
         plan, window, out, width);
}

}}}  // namespace vitral::cuda
