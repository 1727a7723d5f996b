// Recording expressions: an element-wise expression of any size becomes one node. It saves its leaves' handles alone;
// its backward is one fused loop whose derivative the type system forms.
#pragma once

#include <vitral/autodiff/tape.hpp>
#include <vitral/tensor/evaluate.hpp>

namespace vitral::inline VITRAL_ABI {

namespace detail {

template <class X>
concept Recorded = Operand<X> && is_recorded<X>;

/// The tape of the first recorded operand.
template <class X>
Tape* tape_of(const X& x) {
  if constexpr (is_variable<X>) {
    return &x.tape();
  } else if constexpr (is_expr<X>) {
    Tape* found = nullptr;
    for_each(x.args, [&](const auto& arg) {
      Tape* tape = tape_of(arg);
      check(!tape || !found || tape == found, "an expression mixes variables of two tapes; detach one of them");
      if (tape) found = tape;
    });
    return found;
  } else {
    return nullptr;
  }
}

/// Whether a gradient is wanted for a leaf, or for any leaf of an expression.
template <class X>
bool wants_gradient(const X& x) {
  if constexpr (is_variable<X>) {
    return static_cast<bool>(x.slot());
  } else if constexpr (is_parameter<X>) {
    return x.trainable;
  } else if constexpr (is_expr<X>) {
    bool any = false;
    for_each(x.args, [&](const auto& arg) { any = any || wants_gradient(arg); });
    return any;
  } else {
    return false;
  }
}

template <class X>
inline constexpr bool may_want_gradient = is_variable<X> || is_parameter<X>;
template <class Op, class... A>
inline constexpr bool may_want_gradient<Expr<Op, A...>> = (may_want_gradient<A> || ...);

template <int R, class T, class S, class B>
GradientPlan<T, R> gradient_plan(Tape& tape, Slot slot, const S& shape, long result_size) {
  GradientPlan<T, R> plan{nullptr, {}, shape.size(), shape.size() != result_size, false};
  dense_broadcast_strides<R>(shape, plan.stride);
  if (slot) {
    const auto g = tape.gradient<T, B>(slot, shape);
    plan.data = g.tensor.data();
    plan.add = g.add;
  }
  return plan;
}

/// The plan of all gradients of an expression, its leaves from left to right: the second time a variable occurs, its
/// gradient is there already and is added to.
template <int R, class X>
auto gradient_plans(Tape& tape, const X& x, long result_size);

template <int R>
Pack<> argument_plans(Tape&, const Pack<>&, long) {
  return {};
}
template <int R, class H, class... T>
auto argument_plans(Tape& tape, const Pack<H, T...>& args, long result_size) {
  auto head = gradient_plans<R>(tape, args.head, result_size);
  auto tail = argument_plans<R>(tape, args.tail, result_size);
  return [&]<class... Rest>(const Pack<Rest...>& rest) { return Pack<decltype(head), Rest...>{head, rest}; }(tail);
}

template <int R, class X>
auto gradient_plans(Tape& tape, const X& x, long result_size) {
  if constexpr (!may_want_gradient<X>)
    return NoGradient{};
  else if constexpr (is_variable<X>)
    return gradient_plan<R, scalar_of<X>, shape_of<X>, backend_of<X>>(tape, x.slot(), x.shape(), result_size);
  else if constexpr (is_parameter<X>)
    return gradient_plan<R, scalar_of<X>, shape_of<X>, backend_of<X>>(tape, tape.slot_of(x), x.shape(), result_size);
  else
    return argument_plans<R>(tape, x.args, result_size);
}

template <class E>
struct ExpressionNode {
  using backend = backend_of<E>;
  E expression;

  void run(Tape& tape, Slot result) {
    constexpr int R = axes_of<shape_of<E>>;
    using B = backend;
    const auto shape = expression.shape();
    const auto upstream = tape.gradient<scalar_of<E>, B>(result, shape).tensor;
    auto plan = lower<R>(expression);
    auto targets = gradient_plans<R>(tape, expression, shape.size());
    const auto space = make_space(shape, plan, targets);
    B::pull_back(space, plan, targets, upstream.data());
  }
};

}  // namespace detail

namespace detail {

/// `value`, which is that of x already, as one node on the tape of x where x is recorded.
template <class X, class T, class S, class B>
auto record_value(const X& x, const Tensor<T, S, B>& value) {
  if constexpr (is_recorded<X>) {
    Tape& tape = *tape_of(x);
    const Slot slot = wants_gradient(x) ? tape.record(ExpressionNode<X>{x}) : Slot{};
    return Variable<T, S, B>(value, tape, slot);
  } else {
    return value;
  }
}

}  // namespace detail

/// The value of a recorded expression, as one node on its tape; a variable is returned as it is.
template <detail::Recorded X>
[[nodiscard]] auto eval(const X& x) {
  if constexpr (is_variable<X>) {
    return x;
  } else {
    auto value = detail::tensor_of<X>::uninitialized(x.shape());
    detail::evaluate_into(value, x);
    return detail::record_value(x, value);
  }
}

}  // namespace vitral::inline VITRAL_ABI
