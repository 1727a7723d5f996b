// Reductions on the tape. The operand may be an expression; it is evaluated once, because its backward needs the
// values.
#pragma once

#include <vitral/autodiff/layout.hpp>
#include <vitral/tensor/reduce.hpp>

#include <limits>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// A reduced tensor with its axis back as extent 1, so that it broadcasts against the operand.
template <int Axis, class S, class Y>
auto kept(const Y& y, const S& operand_shape) {
  if constexpr (Axis == all_axes)
    return y;
  else
    return reshape_tensor(y, reduced<S, Axis, Axes::keep>::apply(operand_shape));
}

template <int Axis, Axes Keep, bool Average>
struct Sum {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  auto forward(auto, const auto& x) { return scaled_sum<Axis, Keep>(x, Average); }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y&, const X& x) {
    if (!x.wants_gradient()) return;
    const auto& shape = x.value.shape();
    const double scale = Average ? 1.0 / static_cast<double>(reduction_of<Axis>(shape).n) : 1.0;
    put(x.gradient(), kept<Axis>(dy, shape) * scale);
  }
};

/// Each element's place along Axis (flat over all axes), in a shape that broadcasts against S.
template <int Axis, class S>
auto places_along(const S& shape) {
  check(reduction_of<Axis>(shape).n <= 1 << 24, "max: has a gradient for 2^24 elements at most along an axis, not for ",
        shape);
  if constexpr (Axis == all_axes) {
    return positions(shape);
  } else {
    std::array<int, S::rank - axis_of<S, Axis>> extents;
    extents.fill(1);
    extents[0] = extent_of(reduction_of<Axis>(shape).n);
    using Column = decltype([]<int... I>(std::integer_sequence<int, I...>) {
      return Shape<(I == 0 ? dyn : 1)...>{};
    }(std::make_integer_sequence<int, S::rank - axis_of<S, Axis>>{}));
    return positions(Column(extents));
  }
}

/// The gradient goes to the element that `max` found, the first of equals.
template <int Axis, Axes Keep, class Places>
struct Max {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  Places places;

  auto forward(auto, const auto& x) {
    auto found = largest<Axis, Keep>(x);
    places = found.places;
    return found.values;
  }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y&, const X& x) {
    if (!x.wants_gradient()) return;
    const auto& shape = x.value.shape();
    const auto here = equal(places_along<Axis>(shape), kept<Axis>(places, shape));
    put(x.gradient(), select(here, kept<Axis>(dy, shape), 0));
  }
};

}  // namespace detail

/// Sums, means and maxima of variables are recorded. The gradient of a maximum goes to where it stands first.
template <int Axis = all_axes, Axes Keep = Axes::drop, detail::Tracked X>
[[nodiscard]] auto sum(const X& x) {
  static_assert(!std::is_integral_v<scalar_of<X>>,
                "vitral: on a tape sum needs floating numbers; take integers off the tape with x.value()");
  return apply(detail::Sum<Axis, Keep, false>{}, x);
}
/// See sum.
template <int Axis = all_axes, Axes Keep = Axes::drop, detail::Tracked X>
[[nodiscard]] auto mean(const X& x) {
  static_assert(!std::is_integral_v<scalar_of<X>>,
                "vitral: on a tape mean needs floating numbers; take integers off the tape with x.value()");
  return apply(detail::Sum<Axis, Keep, true>{}, x);
}
/// See sum.
template <int Axis = all_axes, Axes Keep = Axes::drop, detail::Tracked X>
[[nodiscard]] auto max(const X& x) {
  using Places = Tensor<int, reduced_shape<X, Axis, Keep>, backend_of<X>>;
  return apply(detail::Max<Axis, Keep, Places>{}, x);
}

/// The mean square distance from the mean (divided by n, not n - 1).
template <int Axis = all_axes, Axes Keep = Axes::drop, Operand X>
[[nodiscard]] auto variance(const X& x) {
  const auto values = eval(x);
  return mean<Axis, Keep>(square(values - mean<Axis, Axes::keep>(values)));
}

/// log(sum(exp(x))) without overflow; a row of -inf gives -inf.
template <int Axis = all_axes, Axes Keep = Axes::drop, Operand X>
[[nodiscard]] auto logsumexp(const X& x) {
  const auto values = eval(x);
  const auto top = max<Axis, Axes::keep>(detach(values));
  const auto safe = eval(select(abs(top) <= std::numeric_limits<float>::max(), top, 0));
  const auto out = eval(log(sum<Axis, Axes::keep>(exp(values - safe))) + safe);
  if constexpr (Keep == Axes::keep || Axis == all_axes)
    return out;
  else
    return reshape(out, detail::reduced<shape_of<X>, Axis, Keep>::apply(x.shape()));
}

}}  // namespace vitral
