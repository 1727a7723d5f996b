// Recording expressions: an element-wise expression of any size becomes one node. It saves its leaves' handles alone;
// its backward is one fused loop whose derivative the type system forms.
#pragma once

#include <vitral/autodiff/pending.hpp>
#include <vitral/tensor/evaluate.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Stands in a recorded expression for a variable whose elements backward does not read.
template <class T, class S, class B>
struct Unread {
  using scalar = T;
  using shape_type = S;
  using backend = B;
  static constexpr bool weak = false, recorded = true;
  S extents;
  Slot of;
  [[nodiscard]] const S& shape() const { return extents; }
  [[nodiscard]] Slot slot() const { return of; }
};
template <int R, class T, class S, class B>
ConstantPlan<compute_t<T>> lower(const Unread<T, S, B>&) {
  return {};
}

namespace detail {

template <class X>
concept Recorded = Operand<X> && is_recorded<X>;
template <class X>
concept OfParameters = Operand<X> && is_of_parameters<X>;
template <class X>
concept Tracked = Recorded<X> || OfParameters<X>;

/// The one tape of two operands, null for an operand that is on none. Throws Error where they are on two tapes.
inline Tape* joined(Tape* a, Tape* b, const char* what) {
  check(!a || !b || a == b, what, " mixes variables of two tapes; detach one of them");
  return a ? a : b;
}

/// The tape of the variables in x, null where there are none. Throws Error where one of them can no longer be used.
template <class X>
Tape* tape_of(const X& x) {
  if constexpr (is_variable<X>) {
    Tape& tape = x.tape();
    tape.check_current(x);
    return &tape;
  } else if constexpr (is_expr<X>) {
    Tape* found = nullptr;
    for_each(x.args, [&](const auto& arg) { found = joined(found, tape_of(arg), "an expression"); });
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
  } else if constexpr (is_pending<X>) {
    return static_cast<bool>(x.record);
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
template <class T, class S, class B>
inline constexpr bool may_want_gradient<Unread<T, S, B>> = true;
template <class T, class S, class B>
inline constexpr bool may_want_gradient<Met<T, S, B>> = true;

template <class X>
inline constexpr bool is_sum = false;
template <class... A>
inline constexpr bool is_sum<Expr<op::Add, A...>> = true;

template <class X>
inline constexpr bool has_pending = is_pending<X>;
template <class Op, class... A>
inline constexpr bool has_pending<Expr<Op, A...>> = (has_pending<A> || ...);

/// The expression with each Pending in it recorded on the tape.
template <class X>
auto met_by(Tape& tape, const X& x) {
  if constexpr (is_pending<X>) {
    return Met<scalar_of<X>, shape_of<X>, backend_of<X>>{x.value, x.slot_on(tape)};
  } else if constexpr (has_pending<X>) {
    return [&]<class Op, class... A>(const Expr<Op, A...>& e) {
      return [&]<int... I>(std::integer_sequence<int, I...>) {
        return Expr<Op, decltype(met_by(tape, get<I>(e.args)))...>{pack_handles(met_by(tape, get<I>(e.args))...)};
      }
      (std::make_integer_sequence<int, sizeof...(A)>{});
    }(x);
  } else {
    return x;
  }
}

/// The expression as its node keeps it: without the elements of summands, which backward does not read.
template <class X>
auto kept_of(Tape& tape, const X& x) {
  if constexpr (is_variable<X>) {
    return Unread<scalar_of<X>, shape_of<X>, backend_of<X>>{x.shape(), x.slot()};
  } else if constexpr (is_sum<X>) {
    return [&]<int... I>(std::integer_sequence<int, I...>) {
      return Expr<op::Add, decltype(kept_of(tape, get<I>(x.args)))...>{pack_handles(kept_of(tape, get<I>(x.args))...)};
    }
    (std::make_integer_sequence<int, 2>{});
  } else {
    return met_by(tape, x);
  }
}

/// The sum of the versions of all tensors that are kept. Versions only rise, so an equal sum says that none was
/// changed.
template <class X>
unsigned versions_of(const X& x) {
  if constexpr (requires { x.buffer(); }) {
    return x.buffer().version();
  } else if constexpr (is_variable<X>) {
    return x.value().buffer().version();
  } else if constexpr (requires { x.value.buffer(); }) {
    return x.value.buffer().version();
  } else if constexpr (is_expr<X>) {
    unsigned sum = 0;
    for_each(x.args, [&](const auto& arg) { sum += versions_of(arg); });
    return sum;
  } else {
    return 0;
  }
}
template <class S>
void check_unchanged(unsigned now, unsigned when_saved, const S& result) {
  check(now == when_saved, "backward: what the tape has saved for a result of shape ", result,
        " was changed in place since (by assign, or by an optimiser's step); change a clone of it, or change it after "
        "backward");
}
template <class S>
void check_fresh(unsigned now, unsigned when_made, const S& result) {
  check(now == when_made, "a result of shape ", result,
        " was computed from parameters that have changed since (by "
        "assign, or by an optimiser's step); compute it anew in each step");
}

/// Where the gradients of an expression's leaves go, from left to right: where a variable occurs a second time, its
/// gradient is there already and is added to. A summand of the result's size and type that has no gradient yet takes
/// the result's as its own, and needs no plan.
template <int R, class T>
struct GradientPlans {
  Tape& tape;
  Slot result;
  long result_size;
  bool any = false;  // whether a gradient remains to be written

  template <bool Summand, class X>
  auto of(const X& x) {
    if constexpr (!may_want_gradient<X>)
      return NoGradient{};
    else if constexpr (is_expr<X>)
      return of_arguments < Summand && is_sum < X >> (x.args);
    else if constexpr (is_parameter<X>)
      return of_leaf<Summand>(x, tape.slot_of(x));
    else
      return of_leaf<Summand>(x, x.slot());
  }

 private:
  template <bool Summand>
  Pack<> of_arguments(const Pack<>&) {
    return {};
  }
  template <bool Summand, class H, class... A>
  auto of_arguments(const Pack<H, A...>& args) {
    auto head = of<Summand>(args.head);
    auto tail = of_arguments<Summand>(args.tail);
    return [&]<class... Rest>(const Pack<Rest...>& rest) { return Pack<decltype(head), Rest...>{head, rest}; }(tail);
  }
  template <bool Summand, class X>
  GradientPlan<scalar_of<X>, R> of_leaf(const X& x, Slot slot) {
    GradientPlan<scalar_of<X>, R> plan{nullptr, {}, x.shape().size(), x.shape().size() != result_size, false};
    dense_broadcast_strides<R>(x.shape(), plan.stride);
    if (!slot) return plan;
    if constexpr (Summand && std::is_same_v<scalar_of<X>, T>)
      if (!plan.reduced && tape.lend(result, slot)) return plan;
    const auto g = tape.gradient<scalar_of<X>, backend_of<X>>(slot, x.shape());
    plan.data = g.tensor.data();
    plan.add = g.add;
    any = true;
    return plan;
  }
};

template <class E>
struct ExpressionNode {
  using backend = backend_of<E>;
  E expression;
  unsigned versions;

  void run(Tape& tape, Slot result) {
    constexpr int R = axes_of<shape_of<E>>;
    using T = scalar_of<E>;
    using B = backend;
    const auto shape = expression.shape();
    check_unchanged(versions_of(expression), versions, shape);
    GradientPlans<R, T> plans{tape, result, shape.size()};
    auto targets = plans.template of<true>(expression);
    if (!plans.any) return;
    auto plan = lower<R>(expression);
    const auto space = make_space(shape, plan, targets);
    B::pull_back(space, plan, targets, tape.gradient_of_result<T, B>(result, shape).data());
  }
};

template <class X>
Slot record_expression(Tape& tape, const X& x) {
  auto kept = kept_of(tape, x);
  const unsigned versions = versions_of(kept);
  return tape.record(ExpressionNode<decltype(kept)>{std::move(kept), versions});
}

/// Records x, whose value is computed already, as one node on its tape and gives the variable; gives the value alone
/// where x is not recorded.
template <class X, class T, class S, class B>
auto record_value(Tape* tape, const X& x, const Tensor<T, S, B>& value) {
  if constexpr (is_recorded<X>) {
    return Variable<T, S, B>(value, *tape, wants_gradient(x) ? record_expression(*tape, x) : Slot{});
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
    Tape* const tape = detail::tape_of(x);  // throws before anything is computed with a variable that cannot be used
    auto value = detail::tensor_of<X>::uninitialized(x.shape());
    detail::evaluate_into(value, x);
    return detail::record_value(tape, x, value);
  }
}

/// The value of an expression of parameters alone, which a tape can still record; a parameter is returned as it is.
template <detail::OfParameters X>
[[nodiscard]] auto eval(const X& x) {
  if constexpr (is_parameter<X> || is_pending<X>) {
    return x;
  } else {
    auto value = detail::tensor_of<X>::uninitialized(x.shape());
    detail::evaluate_into(value, x);
    Pending<scalar_of<X>, shape_of<X>, backend_of<X>, detail::has_picked_rows<X>> out{value};
    if (detail::wants_gradient(x))
      out.record = LateRecord([x, shape = value.shape(), versions = detail::versions_of(x)](Tape& tape) {
        detail::check_fresh(detail::versions_of(x), versions, shape);
        return detail::record_expression(tape, x);
      });
    return out;
  }
}

}}  // namespace vitral
