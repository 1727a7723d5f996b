// From expressions to tensors: `eval` makes a new one, `assign` writes into one that exists, `assign_together` makes
// several assignments in one pass over memory.
#pragma once

#include <vitral/tensor/operators.hpp>
#include <vitral/tensor/plan.hpp>

namespace vitral::inline VITRAL_ABI {

namespace detail {

template <class X>
using tensor_of = Tensor<scalar_of<X>, shape_of<X>, backend_of<X>>;

template <class X>
concept Unrecorded = Operand<X> && !is_recorded<X>;

template <class S, class T, class B, class E>
void evaluate_into(const Tensor<T, S, B>& out, const E& e) {
  constexpr int R = axes_of<S>;
  auto plan = lower<R>(e);
  auto space = make_space(out.shape(), plan);
  B::evaluate(space, out.data(), plan);
}

}  // namespace detail

/// The value of an expression or view as a tensor of its own; a tensor is returned as it is.
template <detail::Unrecorded X>
[[nodiscard]] auto eval(const X& x) {
  if constexpr (is_tensor<X>) {
    return x;
  } else {
    auto out = detail::tensor_of<X>::uninitialized(x.shape());
    detail::evaluate_into(out, x);
    return out;
  }
}

/// One assignment of `assign_together`.
template <class T, class S, class B, class E>
struct Assignment {
  Tensor<T, S, B> to;
  E expression;
};
template <class T, class S, class B, class E>
[[nodiscard]] auto into(const Tensor<T, S, B>& to, const E& expression) {
  return Assignment<T, S, B, E>{to, expression};
}

/// to = expression; the expression's shape must broadcast to the tensor's. The expression may read `to` itself, element
/// by element, but no other window onto the same memory.
template <class T, class S, class B, detail::Unrecorded E>
void assign(const Tensor<T, S, B>& to, const E& expression) {
  using Rule = broadcast_rule<S, shape_of<E>>;
  check(Rule::apply(to.shape(), expression.shape()) == to.shape(), "assign: an expression of shape ",
        expression.shape(), " does not fit a tensor of shape ", to.shape());
  detail::evaluate_into(to, expression);
}

/// All assignments in one pass over memory: for each element the first, then the second, which may read what the first
/// wrote, and so on. All tensors must have the same shape.
template <class S, class B, class... T, class... E>
void assign_together(const Assignment<T, S, B, E>&... assignments) {
  const S shape = [](const auto& first, const auto&...) { return first.to.shape(); }(assignments...);
  (check(assignments.to.shape() == shape && assignments.expression.shape() == shape,
         "assign_together: shapes differ: ", assignments.to.shape(), " = ",
         assignments.expression.shape(), " beside ", shape), ...);
  constexpr int R = detail::axes_of<S>;
  auto plans = pack(lower<R>(assignments.expression)...);
  const auto space = make_space(shape, plans);
  [&]<int... I>(std::integer_sequence<int, I...>) {
    B::evaluate_together(space, pack(assignments.to.data()...), plans);
  }(std::make_integer_sequence<int, sizeof...(E)>{});
}

}  // namespace vitral::inline VITRAL_ABI
