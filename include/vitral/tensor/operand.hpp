// What may stand in an expression, and which scalar type, shape and backend a combination of operands has.
#pragma once

#include <vitral/core/bf16.hpp>
#include <vitral/core/shape.hpp>

#include <concepts>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI {

struct Cpu;

/// A tensor, a view, a parameter, a recorded variable, or an expression of them.
/// `weak` operands (constants, master weights) take the scalar type of what they meet; `recorded` ones are on a tape.
template <class X>
concept Operand = requires(const std::remove_cvref_t<X>& x) {
  typename std::remove_cvref_t<X>::scalar;
  typename std::remove_cvref_t<X>::shape_type;
  typename std::remove_cvref_t<X>::backend;
  { std::remove_cvref_t<X>::weak } -> std::convertible_to<bool>;
  { std::remove_cvref_t<X>::recorded } -> std::convertible_to<bool>;
  x.shape();
};

template <class X>
concept OperandOrNumber = Operand<X> || std::is_arithmetic_v<std::remove_cvref_t<X>>;

/// The type of an operand's elements.
template <class X>
using scalar_of = typename std::remove_cvref_t<X>::scalar;
/// The Shape of an operand.
template <class X>
using shape_of = typename std::remove_cvref_t<X>::shape_type;
/// The backend whose memory an operand is in.
template <class X>
using backend_of = typename std::remove_cvref_t<X>::backend;

/// What an operation on rows asks of its operand: a last axis, along which it works, and floating numbers.
template <class X>
struct row_operand {
  static_assert(shape_of<X>::rank >= 1, "vitral: this operation works along the last axis, and an operand of rank 0, "
                                        "which is one number, has none");
  static_assert(!std::is_integral_v<scalar_of<X>>,
                "vitral: this operation needs floating numbers; convert integers with cast<float>(x)");
  static constexpr int axis = shape_of<X>::rank - 1;
};

/// Whether evaluating X must be recorded on a tape, since a variable is in it.
template <class X>
inline constexpr bool is_recorded = [] {
  if constexpr (Operand<X>)
    return std::remove_cvref_t<X>::recorded;
  else
    return false;
}();

/// Whether X is a parameter, or computed from parameters alone: no tape is known yet, but one may come.
template <class X>
inline constexpr bool is_of_parameters = false;

namespace detail {

template <class T, bool Weak>
struct Kind {
  using scalar = T;
  static constexpr bool weak = Weak;
};

template <class A, class B>
struct wider {
  using type = std::conditional_t<std::is_same_v<A, B>, A, std::common_type_t<compute_t<A>, compute_t<B>>>;
};

template <class A, class B>
inline constexpr bool mixes_double =
    std::is_floating_point_v<compute_t<A>>&& std::is_floating_point_v<compute_t<B>>&& std::is_same_v<A, double> !=
    std::is_same_v<B, double>;

/// The type of two operands together: a strong one's wins over a weak one's, unless it is an integer and the weak one's
/// is not. Of two strong or two weak ones the wider type wins.
template <class A, class B>
auto promote_two(A, B) {
  using T = typename A::scalar;
  using U = typename B::scalar;
  if constexpr (A::weak == B::weak) {
    static_assert(A::weak || !mixes_double<T, U>,
                  "vitral: an expression mixes float with double tensors; convert one of them with cast<float>(x) or "
                  "cast<double>(x)");
    return Kind<typename wider<T, U>::type, A::weak>{};
  } else if constexpr (B::weak) {
    return promote_two(B{}, A{});
  } else if constexpr (std::is_integral_v<U> && !std::is_integral_v<T>) {
    return A{};
  } else {
    return B{};
  }
}

template <class A>
auto promote(A a) {
  return a;
}
template <class A, class B, class... Rest>
auto promote(A a, B b, Rest... rest) {
  return promote(promote_two(a, b), rest...);
}

template <class... X>
using promoted = decltype(promote(Kind<scalar_of<X>, std::remove_cvref_t<X>::weak>{}...));

template <class A, class B>
using either_backend = std::conditional_t<std::is_void_v<A>, B, A>;

template <class... X>
struct common_backend_of;
template <class X>
struct common_backend_of<X> {
  using type = backend_of<X>;
};
template <class X, class Y, class... Rest>
struct common_backend_of<X, Y, Rest...> {
  using rest = typename common_backend_of<Y, Rest...>::type;
  static_assert(std::is_void_v<backend_of<X>> || std::is_void_v<rest> || std::is_same_v<backend_of<X>, rest>,
                "vitral: the operands of an expression must live on the same backend");
  using type = either_backend<backend_of<X>, rest>;
};

template <class... S>
struct joint_shape;
template <class S>
struct joint_shape<S> {
  using type = S;
  static const S& apply(const S& s) { return s; }
};
template <class A, class B, class... Rest>
struct joint_shape<A, B, Rest...> {
  using two = typename broadcast_rule<A, B>::shape;
  using type = typename joint_shape<two, Rest...>::type;
  static type apply(const A& a, const B& b, const Rest&... rest) {
    return joint_shape<two, Rest...>::apply(broadcast_rule<A, B>::apply(a, b), rest...);
  }
};

}  // namespace detail

}}  // namespace vitral
