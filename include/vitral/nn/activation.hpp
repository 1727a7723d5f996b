// Activations as types, for layers that are told one: the element-wise operations of tensor/functors.hpp, op::Relu and
// its kin, or a function object.
#pragma once

#include <vitral/tensor/operators.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// An element-wise operation of one argument. One of your own has the same form: a value, and its gradient from the
/// gradient g of the result y at the argument a. express<Cube>(x) is its expression.
///
///   struct Cube {
///     template <class T> VITRAL_HD static T value(T a) { return a * a * a; }
///     template <class T> VITRAL_HD static Pack<T> pull(T g, T, T a) { return pack(3 * g * a * a); }
///   };
template <class F>
concept ElementwiseOperation = requires(float a) {
  F::value(a);
};

/// The expression F(x), or f(x) where f is a function.
template <class F, Operand X>
[[nodiscard]] auto activate(const F& f, const X& x) {
  if constexpr (ElementwiseOperation<F>)
    return express<F>(x);
  else
    return f(x);
}

/// How a GELU is computed: as x Phi(x), as the formula with tanh that Hendrycks and Gimpel give beside it, or as
/// x sigmoid(1.702 x), which CLIP's networks call quick GELU.
enum class GeluForm { exact, tanh, quick };

/// The expression of one of the two forms that are not exact: (1 + tanh(u)) / 2 is sigmoid(2 u), so both are
/// x sigmoid(x (a + b x^2)).
template <Operand X>
[[nodiscard]] auto approximate_gelu(const X& x, GeluForm form) {
  check(form != GeluForm::exact, "approximate_gelu: GeluForm::exact is gelu(x)");
  const double a = form == GeluForm::quick ? 1.702 : 1.5957691216057308;  // sqrt(8 / pi)
  const double b = form == GeluForm::quick ? 0 : 0.044715 * a;
  return x * sigmoid(x * (a + b * square(x)));
}

}}  // namespace vitral
