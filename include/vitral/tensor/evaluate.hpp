// From expressions to tensors: `eval` makes a new one, `assign` writes into one that exists, `assign_together` makes
// several assignments in one pass over memory, `assign_each` does so for many tensors.
#pragma once

#include <vitral/tensor/operators.hpp>
#include <vitral/tensor/plan.hpp>

#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// What names no backend, random numbers alone for one, is evaluated on the CPU.
template <class X>
using tensor_of =
    Tensor<scalar_of<X>, shape_of<X>, std::conditional_t<std::is_void_v<backend_of<X>>, Cpu, backend_of<X>>>;

template <class X>
concept Unrecorded = Operand<X> && !is_recorded<X>;
template <class X>
concept Untracked = Unrecorded<X> && !is_of_parameters<X>;

/// Throws Error where the plan reads `to` at another place than the element that is written: what stands there may have
/// been overwritten already.
template <class T, class S, class B, class P>
void check_overlap(const char* what, const Tensor<T, S, B>& to, const P& plan) {
  check(!reads_elsewhere(lower<axes_of<S>>(to), to.shape(), plan), what, ": the right side reads the tensor of shape ",
        to.shape(), " that is written, at other places (transposed, shifted or broadcast); eval the right side first");
}

template <class To, class E>
struct assignable {
  static_assert(!std::is_integral_v<To> || std::is_integral_v<scalar_of<E>>,
                "vitral: assign: floating numbers do not fit an integer tensor; convert them with cast<int>(x)");
};

template <class S, class T, class B, class E>
void evaluate_into(const Tensor<T, S, B>& out, const E& e) {
  constexpr int R = axes_of<S>;
  auto plan = lower<R>(e);
  auto space = make_space(out.shape(), plan);
  B::evaluate(space, out.data(), plan);
}

}  // namespace detail

/// The value of an expression or view as a tensor of its own; a tensor is returned as it is. Random numbers and
/// positions alone become a tensor on the CPU.
template <detail::Untracked X>
[[nodiscard]] auto eval(const X& x) {
  if constexpr (is_tensor<X>) {
    return x;
  } else {
    auto out = detail::tensor_of<X>::uninitialized(x.shape());
    detail::evaluate_into(out, x);
    return out;
  }
}

/// into(to, expression) is one assignment of assign_together; nothing is computed yet.
template <class T, class S, class B, class E>
struct Assignment {
  Tensor<T, S, B> to;
  E expression;
};
/// The assignment to = expression, for assign_together.
template <class T, class S, class B, class E>
[[nodiscard]] auto into(const Tensor<T, S, B>& to, const E& expression) {
  return Assignment<T, S, B, E>{to, expression};
}

namespace detail {

/// assign for the function or operator that messages name.
template <class T, class S, class B, class E>
void assign_in(const char* what, const Tensor<T, S, B>& to, const E& expression) {
  using Rule = broadcast_rule<S, shape_of<E>>;
  static_assert(!is_recorded<E>,
                "vitral: a tensor's elements cannot be set to an expression of variables, which a tape "
                "records; take its value with value_of(x)");
  static_assert(sizeof(assignable<T, E>) > 0);
  check(Rule::apply(to.shape(), expression.shape()) == to.shape(), what, ": an expression of shape ",
        expression.shape(), " does not fit a tensor of shape ", to.shape());
  auto plan = lower<axes_of<S>>(expression);
  check_overlap(what, to, plan);
  const auto space = make_space(to.shape(), plan);
  B::evaluate(space, to.data(), plan);
  to.buffer().count_change();
}

}  // namespace detail

/// Writes the expression's values into the tensor's memory. The expression's shape must broadcast to the tensor's. It
/// may read `to` at the element that is written; where it reads `to` elsewhere (transposed, say), assign throws Error.
template <class T, class S, class B, Operand E>
void assign(const Tensor<T, S, B>& to, const E& expression) {
  detail::assign_in("assign", to, expression);
}

/// Changes the tensor's elements, which all its handles see: `x += y` is assign(x, x + y). y, a number or an operand,
/// is broadcast to x; x never grows.
template <class T, class S, class B, OperandOrNumber X>
const Tensor<T, S, B>& operator+=(const Tensor<T, S, B>& to, const X& x) {
  detail::assign_in("+=", to, to + x);
  return to;
}
/// See operator+=.
template <class T, class S, class B, OperandOrNumber X>
const Tensor<T, S, B>& operator-=(const Tensor<T, S, B>& to, const X& x) {
  detail::assign_in("-=", to, to - x);
  return to;
}
/// See operator+=.
template <class T, class S, class B, OperandOrNumber X>
const Tensor<T, S, B>& operator*=(const Tensor<T, S, B>& to, const X& x) {
  detail::assign_in("*=", to, to * x);
  return to;
}
/// See operator+=.
template <class T, class S, class B, OperandOrNumber X>
const Tensor<T, S, B>& operator/=(const Tensor<T, S, B>& to, const X& x) {
  detail::assign_in("/=", to, to / x);
  return to;
}

namespace detail {

template <class S, class B, class... T, class... E>
auto lower_together(const Assignment<T, S, B, E>&... assignments) {
  const S shape = [](const auto& first, const auto&...) { return first.to.shape(); }(assignments...);
  (check(assignments.to.shape() == shape && assignments.expression.shape() == shape, "assign_together: shapes differ: ",
         assignments.to.shape(), " = ", assignments.expression.shape(), " beside ", shape),
   ...);
  static_assert(((sizeof(assignable<T, E>) > 0) && ...));
  auto plans = pack(lower<axes_of<S>>(assignments.expression)...);
  (check_overlap("assign_together", assignments.to, plans), ...);
  (assignments.to.buffer().count_change(), ...);
  const auto space = make_space(shape, plans);
  return Together<axes_of<S>, Pack<T*...>, decltype(plans)>{space, pack(assignments.to.data()...), plans};
}
template <class... A>
auto lower_together(const Pack<A...>& assignments) {
  return [&]<int... I>(std::integer_sequence<int, I...>) { return lower_together(get<I>(assignments)...); }
  (std::make_integer_sequence<int, sizeof...(A)>{});
}

}  // namespace detail

/// All assignments in one pass over memory: for each element the first, then the second, which may read what the first
/// wrote, and so on. All tensors must have the same shape.
///
///   assign_together(into(m, 0.9 * m + g), into(p, p - 0.01 * m));  // SGD with momentum: p reads the new m
template <class S, class B, class... T, class... E>
void assign_together(const Assignment<T, S, B, E>&... assignments) {
  const auto lowered = detail::lower_together(assignments...);
  B::evaluate_together(lowered.space, lowered.out, lowered.plans);
}

/// For each i below `count`, assign_together of the assignments that of(i) returns in a pack. None may read what
/// another i writes, since a backend that offers evaluate_each makes them all in one pass.
template <class B, class F>
void assign_each(std::size_t count, F&& of) {
  using Assignments = decltype(of(0));
  using Job = decltype(detail::lower_together(of(0)));
  if constexpr (OffersEvaluateEach<B, Job>) {
    std::vector<Assignments> kept;  // jobs are pointers: tensors that `of` has made live here until all are queued
    std::vector<Job> jobs;
    kept.reserve(count);
    jobs.reserve(count);
    for (std::size_t i = 0; i < count; ++i) jobs.push_back(detail::lower_together(kept.emplace_back(of(i))));
    B::evaluate_each(jobs);
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      const Assignments assignments = of(i);
      const Job job = detail::lower_together(assignments);
      B::evaluate_together(job.space, job.out, job.plans);
    }
  }
}

}}  // namespace vitral
