// Plans read four neighbouring elements at a time, with one load of up to 16 bytes for each leaf: as plan.hpp's value_at,
// for expressions whose rows have lengths and addresses that allow it.
#pragma once

#include <vitral/tensor/plan.hpp>

#include <cstdint>
#include <type_traits>

namespace vitral::inline VITRAL_ABI::cuda {

template <class T>
struct alignas(sizeof(T) < 4 ? 4 * sizeof(T) : 16) Quad {
  T value[4];
};

template <class T>
bool allows_quads(const T* data) {
  return reinterpret_cast<std::uintptr_t>(data) % alignof(Quad<T>) == 0;
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

/// from[0 ... 3].
template <class T>
__device__ Quad<compute_t<T>> load_quad(const T* from) {
  const Quad<T> four = *reinterpret_cast<const Quad<T>*>(from);
  Quad<compute_t<T>> out;
  for (int i = 0; i < 4; ++i) out.value[i] = static_cast<compute_t<T>>(four.value[i]);
  return out;
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

/// to[0 ... 3] = from.
template <class T, class C>
__device__ void store_quad(T* to, const Quad<C>& from) {
  Quad<T> four;
  for (int i = 0; i < 4; ++i) four.value[i] = static_cast<compute_t<T>>(from.value[i]);
  *reinterpret_cast<Quad<T>*>(to) = four;
}

}  // namespace vitral::inline VITRAL_ABI::cuda
