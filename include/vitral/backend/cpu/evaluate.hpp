// Runs element-wise plans on the CPU: one multi-threaded SIMD pass, for one result or for several at once.
#pragma once

#include <vitral/backend/cpu/lanes.hpp>
#include <vitral/backend/cpu/threads.hpp>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

/// Elements of one task: enough to outweigh its start, few enough that two cores share small tensors.
inline constexpr long task_size = 8192;

template <class Reader, class T>
void store(const Reader& reader, T* out, long count) {
#pragma omp simd
  for (long i = 0; i < count; ++i) out[i] = static_cast<compute_t<T>>(reader.value(i));
}

/// One result of a pass: the plan's values go to `out`, which is dense over the space.
template <class Plan, class T>
struct Target {
  Plan plan;
  T* out;
};

/// Element i of the first target is computed and stored before element i of the second is, and so on; a later plan may
/// read an earlier target at the same element.
template <int R, class... Plan, class... T>
void evaluate(const Space<R>& space, const Target<Plan, T>&... targets) {
  const long tasks = (space.size + task_size - 1) / task_size;
  parallel_for(
      tasks,
      [&](long task) {
        Pack<Lane<Plan>...> lanes;
        for_each_piece(
            space, task * task_size, std::min(space.size, (task + 1) * task_size),
            [&](const long* index, long position, long count) {
              [&]<int... I>(std::integer_sequence<int, I...>) {
                (store(get<I>(lanes).load(targets.plan, index, space.axes, count), targets.out + position, count), ...);
              }
              (std::make_integer_sequence<int, sizeof...(Plan)>{});
            });
      },
      space.size);
}

/// The plan's values go to a strided window of somebody's memory.
template <int R, class Plan, class T>
void evaluate_window(const Space<R>& space, const Plan& plan, const LeafPlan<T, R>& window, T* out) {
  const long tasks = (space.size + task_size - 1) / task_size;
  const long step = window.stride[space.axes - 1];
  parallel_for(
      tasks,
      [&](long task) {
        Lane<Plan> lane;
        for_each_piece(space, task * task_size, std::min(space.size, (task + 1) * task_size),
                       [&](const long* index, long, long count) {
                         T* to = out + offset_of(window.stride, index, space.axes);
                         const auto reader = lane.load(plan, index, space.axes, count);
                         if (step == 1)
                           store(reader, to, count);
                         else
                           for (long i = 0; i < count; ++i) to[i * step] = static_cast<compute_t<T>>(reader.value(i));
                       });
      },
      space.size);
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
