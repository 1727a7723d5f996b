// Operations that are not element-wise: each is a struct with `forward` and `backward`; `apply` runs it on tensors, or
// records it when an input is on a tape. What backward needs (inputs, result, nothing) is a compile-time property.
#pragma once

#include <vitral/autodiff/record.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// An operation's `keeps_inputs` is the number of operands, counted from the first, whose elements backward reads. This
/// value stands for all of them.
inline constexpr int every_input = 1 << 16;

/// Stands for an operand that is left out, such as the bias of a layer without one.
struct None {};

namespace detail {

/// A shape in place of a tensor that backward does not read.
template <class T, class S, class B>
struct ShapeOnly {
  using scalar = T;
  using shape_type = S;
  using backend = B;
  S extents;
  explicit ShapeOnly(const Tensor<T, S, B>& x) : extents(x.shape()) {}
  [[nodiscard]] const S& shape() const { return extents; }
};

/// An input as backward sees it. `value` is the tensor where the operation keeps its inputs, else the shape alone.
template <class T, class S, class B, bool Keep>
struct Input {
  std::conditional_t<Keep, Tensor<T, S, B>, ShapeOnly<T, S, B>> value;
  Slot slot;
  Tape* tape = nullptr;

  [[nodiscard]] bool wants_gradient() const { return static_cast<bool>(slot); }
  [[nodiscard]] Gradient<T, S, B> gradient() const { return tape->gradient<T, B>(slot, value.shape()); }
};

template <class Op, class Result, class... Inputs>
struct OperationNode {
  Op op;
  Result result;
  Pack<Inputs...> inputs;
  unsigned versions = 0;

  template <class T, class S, class B, int... I>
  void backward(const Tensor<T, S, B>& dy, std::integer_sequence<int, I...>) {
    op.backward(dy, result, get<I>(inputs)...);
  }
};
template <class Op, class T, class S, class B, class Result, class... Inputs>
struct TypedNode : OperationNode<Op, Result, Inputs...> {
  using backend = B;
  /// The sum of the versions of the tensors that are kept.
  [[nodiscard]] unsigned versions_now() const {
    unsigned sum = versions_of(this->result);
    for_each(this->inputs, [&](const auto& input) { sum += versions_of(input); });
    if constexpr (requires { this->op.kept_versions(); }) sum += this->op.kept_versions();
    return sum;
  }
  void run(Tape& tape, Slot slot) {
    check_unchanged(versions_now(), this->versions, this->result.shape());
    for_each(this->inputs, [&](auto& input) {
      if constexpr (requires { input.tape; }) input.tape = &tape;
    });
    this->backward(tape.gradient_of_result<T, B>(slot, this->result.shape()),
                   std::make_integer_sequence<int, sizeof...(Inputs)>{});
  }
};

template <class X>
auto settled(const X& x) {
  if constexpr (std::is_same_v<X, None>)
    return x;
  else
    return eval(x);
}

template <class X>
const auto& tensor_in(const X& x) {
  if constexpr (is_variable<X>)
    return x.value();
  else if constexpr (is_parameter<X> || is_pending<X>)
    return x.value;
  else
    return x;
}

template <bool Keep, class X>
auto input_of(Tape& tape, const X& x) {
  if constexpr (std::is_same_v<X, None>) {
    return x;
  } else {
    using I = Input<scalar_of<X>, shape_of<X>, backend_of<X>, Keep>;
    Slot slot;
    if constexpr (is_variable<X>) slot = x.slot();
    if constexpr (is_parameter<X>) slot = tape.slot_of(x);
    if constexpr (is_pending<X>) slot = x.slot_on(tape);
    return I{std::remove_cvref_t<decltype(I::value)>(tensor_in(x)), slot};
  }
}

template <class Op, class Y, class... X>
Slot record_operation(Tape& tape, Op op, const Y& y, const X&... x) {
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    using Result = std::conditional_t<Op::keeps_result, Y, ShapeOnly<scalar_of<Y>, shape_of<Y>, backend_of<Y>>>;
    using Node = TypedNode<Op, scalar_of<Y>, shape_of<Y>, backend_of<Y>, Result,
                           decltype(input_of<(I < Op::keeps_inputs)>(tape, x))...>;
    Node node{{std::move(op), Result(y), pack_handles(input_of<(I < Op::keeps_inputs)>(tape, x)...)}};
    node.versions = node.versions_now();
    return tape.record(std::move(node));
  }
  (std::make_integer_sequence<int, sizeof...(X)>{});
}

/// Whether an operation's result is a Pending, which waits for a tape: all operands are parameters or computed from
/// them. A layer on an embedding's rows is the exception: tape.constant(ids) would have brought a tape, so none is to
/// come, and a whole network would wait and keep all that it computes.
template <class Op, class... X>
inline constexpr bool waits_for_tape = ((is_of_parameters<X> || std::is_same_v<X, None>)&&...) &&
                                       !((requires { Op::is_layer; }) && (has_picked_rows<X> || ...));

template <class Op, class... X>
auto apply_settled(Op op, const X&... x) {
  constexpr bool recorded = (is_recorded<X> || ...), waits = waits_for_tape<Op, X...>;
  [[maybe_unused]] Tape* tape = nullptr;
  ((tape = joined(tape, tape_of(x), "an operation")), ...);
  auto y = op.forward(std::bool_constant < recorded || waits > {}, tensor_in(x)...);
  using Y = decltype(y);
  if constexpr (waits) {
    constexpr bool rows = requires { Op::picks_rows; }
    || (has_picked_rows<X> || ...);
    Pending<scalar_of<Y>, shape_of<Y>, backend_of<Y>, rows> out{y};
    // A result that shares its operand's memory (reshape) changes with it and stays right.
    const unsigned versions = (versions_of(x) + ...) - versions_of(y);
    if ((wants_gradient(x) || ...))
      out.record = LateRecord([op, y, versions, x...](Tape& on) {
        check_fresh((versions_of(x) + ...) - versions_of(y), versions, y.shape());
        return record_operation(on, op, y, x...);
      });
    return out;
  } else if constexpr (recorded) {
    const bool wanted = (wants_gradient(x) || ...);
    return Variable<scalar_of<Y>, shape_of<Y>, backend_of<Y>>(
        y, *tape, wanted ? record_operation(*tape, std::move(op), y, x...) : Slot{});
  } else {
    return y;
  }
}

}  // namespace detail

/// Runs an operation on tensors, or records it where an operand is on a tape. op.forward(recorded, tensors...) gives
/// the result, a Tensor; op.backward(dy, result, inputs...) writes each gradient that is wanted. Expressions among the
/// inputs are evaluated first; parameters join the tape of the variables they meet. Of parameters alone the result is a
/// Pending. An op that reads tensors of others beside its inputs offers `kept_versions()`, the sum of their versions.
///
///   struct Square {
///     static constexpr int keeps_inputs = 1;       // how many of the operands backward reads, from the first on
///     static constexpr bool keeps_result = false;  // whether it reads the result
///     auto forward(auto, const auto& x) { return eval(x * x); }
///     void backward(const auto& dy, const auto&, const auto& x) {
///       if (x.wants_gradient()) put(x.gradient(), 2 * dy * x.value);
///     }
///   };
///   auto squared(const Operand auto& x) { return apply(Square{}, x); }
template <class Op, class... X>
[[nodiscard]] auto apply(Op op, const X&... x) {
  return detail::apply_settled(std::move(op), detail::settled(x)...);
}

/// Writes an expression to a gradient, or adds it to what is there.
template <class T, class S, class B, class E>
void put(const Gradient<T, S, B>& gradient, const E& expression) {
  if (gradient.add)
    assign(gradient.tensor, gradient.tensor + expression);
  else
    assign(gradient.tensor, expression);
}

}}  // namespace vitral
