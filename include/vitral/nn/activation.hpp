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

}}  // namespace vitral
