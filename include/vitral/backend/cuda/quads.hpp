// Plans read four neighbouring elements at a time, with one load of up to 16 bytes for each leaf: as plan.hpp's value_at,
// for expressions whose rows have lengths and addresses that allow it.
#pragma once

#include <vitral/backend/cuda/words.hpp>
#include <vitral/tensor/plan.hpp>

#include <cstdint>
#include <type_traits>

namespace vitral::inline VITRAL_ABI::cuda {

/// N neighbouring elements, read and written by loads of up to 16 bytes.
template <class T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Run {
  T value[N];
};
template <class T>
using Quad = Run<T, 4>;

template <int N, class T>
bool allows_runs(const T* data) {
  return reinterpret_cast<std::uintptr_t>(data) % alignof(Run<T, N>) == 0;
}
template <class T>
bool allows_quads(const T* data) {
  return allows_runs<4>(data);
}
/// The last axis must be walked in steps of one or not at all, and each row of it begin at a quad.
template <class T, int R>
bool allows_quads(const LeafPlan<T, R>& plan, int axes) {
  const long last = plan.stride[axes - 1];
  if (last == 0) return true;
  for (int i = 0; i + 1 < axes; ++i)
    if (plan.stride[i] % 4 != 0) return false;
  return last == 1 && allows_quads(plan.data);
}
template <class Plan>
bool allows_quads(const Plan&, int) {
  return true;  // no memory is read
}
template <class... P>
bool allows_quads(const Pack<P...>& plans, int axes) {
  bool all = true;
  for_each(plans, [&](const auto& plan) { all = all && allows_quads(plan, axes); });
  return all;
}
template <class Op, class... P>
bool allows_quads(const NodePlan<Op, P...>& plan, int axes) {
  return allows_quads(plan.args, axes);
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
template <class T>
__device__ Quad<compute_t<T>> load_quad(const T* from) {
  return load_run<4>(from);
}

template <class T, int R>
__device__ Quad<compute_t<T>> quad_at(const LeafPlan<T, R>& plan, const long* index, int axes) {
  const T* const from = plan.data + offset_of(plan.stride, index, axes);
  if (plan.stride[axes - 1] != 0) return load_quad(from);
  const auto value = static_cast<compute_t<T>>(*from);
  return {{value, value, value, value}};
}
/// Numbers that follow from their place.
template <class Plan>
__device__ Quad<float> quad_at(const Plan& plan, const long* index, int axes) {
  const long offset = offset_of(plan.stride, index, axes), step = plan.stride[axes - 1];
  Quad<float> out;
  for (int i = 0; i < 4; ++i) out.value[i] = plan.at(offset + i * step);
  return out;
}
template <class T>
__device__ Quad<T> quad_at(const ConstantPlan<T>& plan, const long*, int) {
  return {{plan.value, plan.value, plan.value, plan.value}};
}
template <class Op, class... P>
__device__ auto quad_at(const NodePlan<Op, P...>& plan, const long* index, int axes);
template <class Op, class... P, int... I>
__device__ auto quad_of_node(const NodePlan<Op, P...>& plan, const long* index, int axes,
                             std::integer_sequence<int, I...>) {
  using C = joint_compute<decltype(value_at(get<I>(plan.args), index, axes))...>;
  const auto arguments = pack(quad_at(get<I>(plan.args), index, axes)...);
  Quad<decltype(value_at(plan, index, axes))> out;
  for (int i = 0; i < 4; ++i) out.value[i] = Op::value(static_cast<C>(get<I>(arguments).value[i])...);
  return out;
}
template <class Op, class... P>
__device__ auto quad_at(const NodePlan<Op, P...>& plan, const long* index, int axes) {
  return quad_of_node(plan, index, axes, std::make_integer_sequence<int, sizeof...(P)>{});
}

/// to[0 ... N - 1] = from.
template <class T, class C, int N>
__device__ void store_run(T* to, const Run<C, N>& from) {
  Run<T, N> out;
  for (int i = 0; i < N; ++i) out.value[i] = static_cast<compute_t<T>>(from.value[i]);
  write_words(reinterpret_cast<Run<T, N>*>(to), out);
}
template <class T, class C>
__device__ void store_quad(T* to, const Quad<C>& from) {
  store_run(to, from);
}

}  // namespace vitral::inline VITRAL_ABI::cuda
