// The arithmetic a user writes: operators and functions that build expressions.
#pragma once

#include <vitral/tensor/elementary.hpp>
#include <vitral/tensor/expression.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Whether X is not a floating operand.
template <class X>
inline constexpr bool is_integer_or_number = [] {
  if constexpr (Operand<X>)
    return std::is_integral_v<scalar_of<X>>;
  else
    return true;
}();

/// An operation whose results may be no integers: where all operands are integers, they become floats first.
template <class Op, class... X>
auto express_real(const X&... x) {
  const auto real = [](const auto& operand) {
    if constexpr (Operand<decltype(operand)>)
      return express<op::Cast<float>>(operand);
    else
      return operand;
  };
  if constexpr ((is_integer_or_number<X> && ...))
    return express<Op>(real(x)...);
  else
    return express<Op>(x...);
}

}  // namespace detail

/// Sums, differences, products and quotients, element by element; operands are broadcast as in NumPy. A number takes
/// the type of the operand beside it; quotients of integers are floats.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto operator+(const A& a, const B& b) { return express<op::Add>(a, b); }
/// See operator+.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto operator-(const A& a, const B& b) { return express<op::Subtract>(a, b); }
/// See operator+.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto operator*(const A& a, const B& b) { return express<op::Multiply>(a, b); }
/// See operator+.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto operator/(const A& a, const B& b) { return detail::express_real<op::Divide>(a, b); }
/// -a.
template <Operand A>
[[nodiscard]] auto operator-(const A& a) {
  return express<op::Negate>(a);
}

/// Comparisons give 1 where they hold and 0 elsewhere, in the operands' scalar type.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto operator<(const A& a, const B& b) { return express<op::Less>(a, b); }
/// See operator<.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto operator>(const A& a, const B& b) { return express<op::Less>(b, a); }
/// See operator<.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto operator<=(const A& a, const B& b) { return express<op::LessEqual>(a, b); }
/// See operator<.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto operator>=(const A& a, const B& b) { return express<op::LessEqual>(b, a); }
/// 1 where both are equal and 0 elsewhere.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto equal(const A& a, const B& b) { return express<op::Equal>(a, b); }
/// 1 where both differ and 0 elsewhere.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto not_equal(const A& a, const B& b) { return express<op::NotEqual>(a, b); }

/// `condition != 0 ? a : b`, element by element.
template <class C, class A, class B>
  requires detail::Expressible<C, A, B>
[[nodiscard]] auto select(const C& condition, const A& a, const B& b) { return express<op::Select>(condition, a, b); }
/// a, but at least low and at most high, numbers or operands. A NaN in an operand is the result; as a number it throws
/// Error.
template <class A, class L, class H>
  requires detail::Expressible<A, L, H>
[[nodiscard]] auto clamp(const A& a, const L& low, const H& high) {
  if constexpr (Operand<L> || Operand<H>) {
    return express<op::ClampBetween>(a, low, high);
  } else {
    check(low == low && high == high, "clamp: a bound is NaN");
    return express<op::Clamp>(a, low, high);
  }
}
/// The smaller one, element by element; NaN where one is.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto minimum(const A& a, const B& b) { return express<op::Minimum>(a, b); }
/// The larger one, element by element; NaN where one is.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto maximum(const A& a, const B& b) { return express<op::Maximum>(a, b); }
/// a to the power of b.
template <class A, class B>
  requires detail::Expressible<A, B>
[[nodiscard]] auto pow(const A& a, const B& b) { return detail::express_real<op::Power>(a, b); }

/// a * a.
template <Operand A>
[[nodiscard]] auto square(const A& a) {
  return express<op::Square>(a);
}
/// e^a.
template <Operand A>
[[nodiscard]] auto exp(const A& a) {
  return detail::express_real<op::Exp>(a);
}
/// The natural logarithm.
template <Operand A>
[[nodiscard]] auto log(const A& a) {
  return detail::express_real<op::Log>(a);
}
/// log(1 + a), accurate near 0.
template <Operand A>
[[nodiscard]] auto log1p(const A& a) {
  return detail::express_real<op::Log1p>(a);
}
/// The square root.
template <Operand A>
[[nodiscard]] auto sqrt(const A& a) {
  return detail::express_real<op::Sqrt>(a);
}
/// 1 / sqrt(a).
template <Operand A>
[[nodiscard]] auto rsqrt(const A& a) {
  return detail::express_real<op::Rsqrt>(a);
}
/// Of angles in radians.
template <Operand A>
[[nodiscard]] auto sin(const A& a) {
  return detail::express_real<op::Sin>(a);
}
/// Of angles in radians.
template <Operand A>
[[nodiscard]] auto cos(const A& a) {
  return detail::express_real<op::Cos>(a);
}
/// The hyperbolic tangent.
template <Operand A>
[[nodiscard]] auto tanh(const A& a) {
  return detail::express_real<op::Tanh>(a);
}
/// The error function.
template <Operand A>
[[nodiscard]] auto erf(const A& a) {
  return detail::express_real<op::Erf>(a);
}
/// a Phi(a) with the normal distribution function Phi (Hendrycks and Gimpel, arXiv 1606.08415).
template <Operand A>
[[nodiscard]] auto gelu(const A& a) {
  return detail::express_real<op::Gelu>(a);
}
/// 1 / (1 + e^-a).
template <Operand A>
[[nodiscard]] auto sigmoid(const A& a) {
  return detail::express_real<op::Sigmoid>(a);
}
/// a sigmoid(a) (Elfwing, Uchibe and Doya, arXiv 1702.03118), also called swish.
template <Operand A>
[[nodiscard]] auto silu(const A& a) {
  return detail::express_real<op::Silu>(a);
}
/// log(1 + e^a), a smooth relu. Exact everywhere; PyTorch's gives a itself above 20.
template <Operand A>
[[nodiscard]] auto softplus(const A& a) {
  return detail::express_real<op::Softplus>(a);
}
/// max(a, 0).
template <Operand A>
[[nodiscard]] auto relu(const A& a) {
  return express<op::Relu>(a);
}
/// |a|.
template <Operand A>
[[nodiscard]] auto abs(const A& a) {
  return express<op::Abs>(a);
}

/// The same numbers as scalars of type To, cast<float>(x). Of those that an integer To cannot hold, the nearest it can;
/// a NaN becomes its least.
template <class To, Operand A>
[[nodiscard]] auto cast(const A& a) {
  return express<op::Cast<To>>(a);
}

}}  // namespace vitral
