// Lowering: an expression becomes a plan of pointers and strides over the result's index space. A plan is small and
// trivially copyable; the CPU's SIMD loop and a CUDA kernel run the same type.
#pragma once

#include <vitral/tensor/expression.hpp>

#include <cstdint>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The index space of a result, row by row. Of R axes `axes` are in use, as neighbours that every leaf can walk with
/// one stride are merged.
template <int R>
struct Space {
  int axes;
  long extent[R];
  long size;
};

template <class T, int R>
struct LeafPlan {
  const T* data;
  long stride[R];
  VITRAL_HD compute_t<T> at(long offset) const { return static_cast<compute_t<T>>(data[offset]); }
};

template <class Distribution, int R>
struct DrawnPlan {
  Random random;
  long stride[R];
  VITRAL_HD float at(long offset) const { return Distribution::at(random, offset); }
};

template <int R>
struct PositionPlan {
  long stride[R];
  VITRAL_HD float at(long offset) const { return static_cast<float>(offset); }
};

template <class T>
struct ConstantPlan {
  T value;
};

template <class Op, class... P>
struct NodePlan {
  Pack<P...> args;
};

namespace detail {

/// Space axes: at least one, so that scalars have an index too.
template <class S>
inline constexpr int axes_of = S::rank == 0 ? 1 : S::rank;

/// Strides of a leaf of shape `s` seen from a result of R axes: 0 along broadcast axes.
template <int R, class S>
void broadcast_strides(const S& s, const long* leaf_strides, long (&out)[R]) {
  for (int i = 0; i < R; ++i) {
    const int axis = i - (R - S::rank);
    out[i] = axis < 0 || s[axis] == 1 ? 0 : leaf_strides[axis];
  }
}
template <int R, class S>
void dense_broadcast_strides(const S& s, long (&out)[R]) {
  long strides[S::rank + 1] = {};
  long next = 1;
  for (int i = S::rank - 1; i >= 0; --i) {
    strides[i] = next;
    next *= s[i];
  }
  broadcast_strides<R>(s, strides, out);
}

}  // namespace detail

template <int R, class T, class S, class B>
LeafPlan<T, R> lower(const Tensor<T, S, B>& x) {
  LeafPlan<T, R> plan{x.data(), {}};
  detail::dense_broadcast_strides<R>(x.shape(), plan.stride);
  return plan;
}
template <int R, class T, class S, class B>
LeafPlan<T, R> lower(const View<T, S, B>& x) {
  LeafPlan<T, R> plan{x.data(), {}};
  detail::broadcast_strides<R>(x.shape(), x.strides().data(), plan.stride);
  return plan;
}
template <int R, class Distribution, class S>
DrawnPlan<Distribution, R> lower(const Drawn<Distribution, S>& x) {
  DrawnPlan<Distribution, R> plan{x.random, {}};
  detail::dense_broadcast_strides<R>(x.extents, plan.stride);
  return plan;
}
template <int R, class S>
PositionPlan<R> lower(const Positions<S>& x) {
  PositionPlan<R> plan{};
  detail::dense_broadcast_strides<R>(x.extents, plan.stride);
  return plan;
}
template <int R, class T>
ConstantPlan<T> lower(const Constant<T>& x) {
  return {x.value};
}
template <int R, class Op, class... A>
auto lower(const Expr<Op, A...>& e) {
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    return NodePlan<Op, decltype(lower<R>(get<I>(e.args)))...>{pack(lower<R>(get<I>(e.args))...)};
  }
  (std::make_integer_sequence<int, sizeof...(A)>{});
}

// ---- gradients of leaves --------------------------------------------------------------------------------------------

/// A part of an expression that wants no gradient.
struct NoGradient {};

/// Where the gradient of one leaf goes; `data` is null where none is wanted after all. `reduced`: the leaf was
/// broadcast, so that its gradient is a sum. `add`: the gradient is added to what is there instead of replacing it.
template <class T, int R>
struct GradientPlan {
  T* data;
  long stride[R];
  long size;
  bool reduced, add;
};

/// Calls `f(strides)` for the strides of every leaf.
template <class P, class F>
void for_each_strides(P& plan, F&& f) {
  if constexpr (requires { plan.stride; })
    f(plan.stride);
  else if constexpr (requires { plan.args; })
    for_each_strides(plan.args, f);
  else if constexpr (requires { plan.head; })
    for_each(plan, [&](auto& part) { for_each_strides(part, f); });
}

/// The index space of `shape`, without axes of one element, and with neighbouring axes merged where every leaf of the
/// plans can walk them with one stride. The plans' strides are changed to fit.
template <class S, class... P>
Space<detail::axes_of<S>> make_space(const S& shape, P&... plans) {
  constexpr int R = detail::axes_of<S>;
  Space<R> space{0, {}, shape.size()};
  const auto all_strides = [&](auto&& f) { (for_each_strides(plans, f), ...); };
  for (int axis = 0; axis < S::rank; ++axis) {
    if (shape[axis] == 1) continue;
    bool merges = space.axes > 0;
    const int last = space.axes - 1;
    all_strides([&](auto& stride) { merges = merges && stride[last] == stride[axis] * shape[axis]; });
    const int to = merges ? last : space.axes++;
    space.extent[to] = merges ? space.extent[to] * shape[axis] : shape[axis];
    all_strides([&](auto& stride) { stride[to] = stride[axis]; });
  }
  if (space.axes == 0) {
    space.axes = 1;
    space.extent[0] = 1;
    all_strides([](auto& stride) { stride[0] = 0; });
  }
  return space;
}

/// Whether a plan whose axes are not merged yet reads the memory of the dense tensor `out` at another place than the
/// element that it computes; what stands there may have been overwritten already.
template <int R, class T, class S, class P>
bool reads_elsewhere(const LeafPlan<T, R>& out, const S& shape, const P& plan) {
  if constexpr (requires { plan.data; }) {
    const auto read = reinterpret_cast<std::uintptr_t>(plan.data), written = reinterpret_cast<std::uintptr_t>(out.data);
    long last = 0;
    bool alike = read == written;
    for (int axis = 0; axis < S::rank; ++axis) {
      if (shape[axis] == 0) return false;
      last += (shape[axis] - 1) * plan.stride[axis];
      alike = alike && (shape[axis] == 1 || plan.stride[axis] == out.stride[axis]);
    }
    return !alike && read < written + static_cast<std::uintptr_t>(shape.size()) * sizeof(T) &&
           written < read + static_cast<std::uintptr_t>(last + 1) * sizeof(*plan.data);
  } else if constexpr (requires { plan.args; }) {
    return reads_elsewhere(out, shape, plan.args);
  } else if constexpr (requires { plan.head; }) {
    return reads_elsewhere(out, shape, plan.head) || reads_elsewhere(out, shape, plan.tail);
  } else {
    return false;
  }
}

/// What a backend's evaluate_together is given, as one value.
template <int R, class Outs, class Plans>
struct Together {
  Space<R> space;
  Outs out;
  Plans plans;
};

/// A backend may offer to take many Together, Jobs of one type, in one pass.
template <class B, class Job>
concept OffersEvaluateEach = requires(const std::vector<Job>& jobs) {
  B::evaluate_each(jobs);
};

/// A reduction sees the space as [outer, n, inner] and reduces n.
struct Reduction {
  long outer, n, inner;
};

/// The type in which a node computes: the common type of its arguments.
template <class... T>
using joint_compute = std::common_type_t<T...>;

/// How far from a leaf's first element an index stands. `i < R` holds anyway; it tells the compiler where the loop
/// ends.
template <int R>
VITRAL_HD long offset_of(const long (&stride)[R], const long* index, int axes) {
  long offset = 0;
  for (int i = 0; i < R && i < axes; ++i) offset += index[i] * stride[i];
  return offset;
}

/// The plan's value at an index: the specification of every faster evaluation.
template <class T, int R>
VITRAL_HD auto value_at(const LeafPlan<T, R>& plan, const long* index, int axes) {
  return plan.at(offset_of(plan.stride, index, axes));
}
template <class Distribution, int R>
VITRAL_HD float value_at(const DrawnPlan<Distribution, R>& plan, const long* index, int axes) {
  return plan.at(offset_of(plan.stride, index, axes));
}
template <int R>
VITRAL_HD float value_at(const PositionPlan<R>& plan, const long* index, int axes) {
  return plan.at(offset_of(plan.stride, index, axes));
}
template <class T>
VITRAL_HD T value_at(const ConstantPlan<T>& plan, const long*, int) {
  return plan.value;
}
template <int... I, class Op, class... P>
VITRAL_HD auto value_at(const NodePlan<Op, P...>& plan, const long* index, int axes, std::integer_sequence<int, I...>) {
  using C = joint_compute<decltype(value_at(get<I>(plan.args), index, axes))...>;
  return Op::value(static_cast<C>(value_at(get<I>(plan.args), index, axes))...);
}
template <class Op, class... P>
VITRAL_HD auto value_at(const NodePlan<Op, P...>& plan, const long* index, int axes) {
  return value_at(plan, index, axes, std::make_integer_sequence<int, sizeof...(P)>{});
}

}}  // namespace vitral
