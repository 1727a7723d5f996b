// Plans evaluated for four or eight neighbouring elements at a time, each leaf by one load of up to 16 bytes: value_at
// of tensor/plan.hpp for expressions whose rows have lengths and addresses that allow it.
#pragma once

#include <vitral/backend/cuda/words.hpp>
#include <vitral/tensor/plan.hpp>

#include <cstdint>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

/// N neighbouring elements, read and written by loads of up to 16 bytes.
template <class T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Run {
  T value[N];
};

template <int N, class T>
bool allows_runs(const T* data) {
  return reinterpret_cast<std::uintptr_t>(data) % alignof(Run<T, N>) == 0;
}
/// Whether a leaf can be read N elements at a time: it has steps of one or none along the last axis, and each row
/// begins at a multiple of N elements.
template <int N, class T, int R>
bool allows_runs(const LeafPlan<T, R>& plan, int axes) {
  const long last = plan.stride[axes - 1];
  if (last == 0) return true;
  for (int i = 0; i + 1 < axes; ++i)
    if (plan.stride[i] % N != 0) return false;
  return last == 1 && allows_runs<N>(plan.data);
}
template <int N, class Plan>
bool allows_runs(const Plan&, int) {
  return true;  // no memory is read
}
template <int N, class Op, class... P>
bool allows_runs(const NodePlan<Op, P...>& plan, int axes);
template <int N, class... P>
bool allows_runs(const Pack<P...>& plans, int axes) {
  bool all = true;
  for_each(plans, [&](const auto& plan) { all = all && allows_runs<N>(plan, axes); });
  return all;
}
template <int N, class Op, class... P>
bool allows_runs(const NodePlan<Op, P...>& plan, int axes) {
  return allows_runs<N>(plan.args, axes);
}
/// Elements at a time for results of type T: as many as fit into 16 bytes, but at most 8 and at least 4.
template <class T>
inline constexpr int run_of = sizeof(T) == 2 ? 8 : 4;
/// The largest of `most`, 4 and 1 for which fits(number) holds; each number is a constant.
template <int most, class Fits>
int widest(Fits&& fits) {
  if constexpr (most > 4)
    if (fits(std::integral_constant<int, most>{})) return most;
  return fits(std::integral_constant<int, 4>{}) ? 4 : 1;
}

template <class T, int N>
__device__ Run<compute_t<T>, N> widened(const Run<T, N>& run) {
  Run<compute_t<T>, N> out;
  for (int i = 0; i < N; ++i) out.value[i] = static_cast<compute_t<T>>(run.value[i]);
  return out;
}
/// from[0 ... N - 1].
template <int N, class T>
__device__ Run<compute_t<T>, N> load_run(const T* from) {
  return widened(read_words(reinterpret_cast<const Run<T, N>*>(from)));
}
template <int N, class T, int R>
__device__ Run<compute_t<T>, N> run_at(const LeafPlan<T, R>& plan, const long* index, int axes) {
  const T* const from = plan.data + offset_of(plan.stride, index, axes);
  if (plan.stride[axes - 1] != 0) return load_run<N>(from);
  Run<compute_t<T>, N> out;
  for (int i = 0; i < N; ++i) out.value[i] = static_cast<compute_t<T>>(*from);
  return out;
}
/// Numbers that follow from their place.
template <int N, class Plan>
__device__ Run<float, N> run_at(const Plan& plan, const long* index, int axes) {
  const long offset = offset_of(plan.stride, index, axes), step = plan.stride[axes - 1];
  Run<float, N> out;
  for (int i = 0; i < N; ++i) out.value[i] = plan.at(offset + i * step);
  return out;
}
template <int N, class T>
__device__ Run<T, N> run_at(const ConstantPlan<T>& plan, const long*, int) {
  Run<T, N> out;
  for (int i = 0; i < N; ++i) out.value[i] = plan.value;
  return out;
}
template <int N, class Op, class... P>
__device__ auto run_at(const NodePlan<Op, P...>& plan, const long* index, int axes);
template <int N, class Op, class... P, int... I>
__device__ auto run_of_node(const NodePlan<Op, P...>& plan, const long* index, int axes,
                            std::integer_sequence<int, I...>) {
  using C = joint_compute<decltype(value_at(get<I>(plan.args), index, axes))...>;
  const auto arguments = pack(run_at<N>(get<I>(plan.args), index, axes)...);
  Run<decltype(value_at(plan, index, axes)), N> out;
  for (int i = 0; i < N; ++i) out.value[i] = Op::value(static_cast<C>(get<I>(arguments).value[i])...);
  return out;
}
template <int N, class Op, class... P>
__device__ auto run_at(const NodePlan<Op, P...>& plan, const long* index, int axes) {
  return run_of_node<N>(plan, index, axes, std::make_integer_sequence<int, sizeof...(P)>{});
}

/// to[0 ... N - 1] = from.
template <class T, class C, int N>
__device__ void store_run(T* to, const Run<C, N>& from) {
  Run<T, N> out;
  for (int i = 0; i < N; ++i) out.value[i] = static_cast<compute_t<T>>(from.value[i]);
  write_words(reinterpret_cast<Run<T, N>*>(to), out);
}

}}}  // namespace vitral::cuda
