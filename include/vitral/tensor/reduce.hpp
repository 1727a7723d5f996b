// Reductions without a tape: over one axis, which the result loses (or keeps with extent 1), or over all of them.
#pragma once

#include <vitral/tensor/evaluate.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// What becomes of a reduced axis: `drop` removes it; `keep` leaves it with extent 1, so that the result broadcasts
/// against the operand.
enum class Axes { drop, keep };

/// In place of an axis: a reduction over all of them, to one number.
inline constexpr int all_axes = -1000;

namespace detail {

template <class S, int Axis, Axes Keep>
struct reduced {
  static constexpr int axis = axis_of<S, Axis>;
  using type = std::conditional_t<Keep == Axes::keep, replace_extent<S, axis, 1>, remove_extent<S, axis>>;
  static type apply(const S& s) {
    std::array<int, type::rank> out{};
    for (int i = 0, j = 0; i < S::rank; ++i) {
      if (i == axis && Keep == Axes::drop) continue;
      out[static_cast<std::size_t>(j++)] = i == axis ? 1 : s[i];
    }
    return type(out);
  }
};
template <class S, Axes Keep>
struct reduced<S, all_axes, Keep> {
  using type = Shape<>;
  static type apply(const S&) { return {}; }
};

template <int Axis, class S>
Reduction reduction_of(const S& s) {
  Reduction out{1, 1, 1};
  if constexpr (Axis == all_axes) {
    out.n = s.size();
  } else {
    for (int i = 0; i < S::rank; ++i)
      (i < axis_of<S, Axis> ? out.outer : i == axis_of<S, Axis> ? out.n : out.inner) *= s[i];
  }
  return out;
}

template <int Axis, Axes Keep, class X>
auto scaled_sum(const X& x, bool average) {
  using R = reduced<shape_of<X>, Axis, Keep>;
  auto out = Tensor<scalar_of<X>, typename R::type, backend_of<X>>::uninitialized(R::apply(x.shape()));
  auto plan = lower<axes_of<shape_of<X>>>(x);
  const auto space = make_space(x.shape(), plan);
  const Reduction r = reduction_of<Axis>(x.shape());
  backend_of<X>::reduce_sum(space, plan, r, average ? 1.0 / static_cast<double>(r.n) : 1.0, out.data());
  return out;
}

}  // namespace detail

/// The shape of a reduction's result.
template <class X, int Axis, Axes Keep>
using reduced_shape = typename detail::reduced<shape_of<X>, Axis, Keep>::type;

/// Sums and means: sum(x) is one number, sum<0>(x) has lost axis 0, mean<-1, Axes::keep>(x) has 1 in place of its last
/// extent. The operand may be an expression, which is computed on the fly. Integers have a sum of type long and a mean
/// of type float. The mean of nothing is NaN.
///
///   const auto centred = eval(x - mean<-1, Axes::keep>(x));  // x [n, 32] less the mean of each row, [n, 1]
template <int Axis = all_axes, Axes Keep = Axes::drop, detail::Untracked X>
[[nodiscard]] auto sum(const X& x) {
  if constexpr (std::is_integral_v<scalar_of<X>>)
    return detail::scaled_sum<Axis, Keep>(cast<long>(x), false);
  else
    return detail::scaled_sum<Axis, Keep>(x, false);
}
template <int Axis = all_axes, Axes Keep = Axes::drop, detail::Untracked X>
[[nodiscard]] auto mean(const X& x) {
  if constexpr (std::is_integral_v<scalar_of<X>>)
    return eval(cast<float>(detail::scaled_sum<Axis, Keep>(cast<double>(x), true)));
  else
    return detail::scaled_sum<Axis, Keep>(x, true);
}

/// The largest values, and where each stands first: its place along the axis, or among all elements, row by row. A NaN
/// counts as largest. Throws Error where the axis is empty.
template <class Values, class Places>
struct Largest {
  Values values;
  Places places;
};
/// Both of them: largest<1>(x).values has no axis 1 any more. Error where there is nothing to choose from.
template <int Axis = all_axes, Axes Keep = Axes::drop, detail::Unrecorded X>
[[nodiscard]] auto largest(const X& x) {
  using R = detail::reduced<shape_of<X>, Axis, Keep>;
  const auto shape = R::apply(x.shape());
  auto values = Tensor<scalar_of<X>, typename R::type, backend_of<X>>::uninitialized(shape);
  auto places = Tensor<int, typename R::type, backend_of<X>>::uninitialized(shape);
  auto plan = lower<detail::axes_of<shape_of<X>>>(x);
  const auto space = make_space(x.shape(), plan);
  const Reduction r = detail::reduction_of<Axis>(x.shape());
  check(r.n > 0, "max: the reduced axis of ", x.shape(), " is empty");
  check(r.n <= std::numeric_limits<int>::max(), "max: places among ", r.n, " elements of ", x.shape(),
        " do not fit an int; reduce one axis after the other");
  backend_of<X>::reduce_max(space, plan, r, values.data(), places.data());
  return Largest<decltype(values), decltype(places)>{values, places};
}
template <int Axis = all_axes, Axes Keep = Axes::drop, detail::Untracked X>
[[nodiscard]] auto max(const X& x) {
  return largest<Axis, Keep>(x).values;
}
/// The places alone.
template <int Axis = all_axes, Axes Keep = Axes::drop, Operand X>
[[nodiscard]] auto argmax(const X& x) {
  return largest<Axis, Keep>(x).places;
}

}}  // namespace vitral
