// Operations that are not element-wise: each is a struct with `forward` and `backward`; `apply` runs it on tensors, or
// records it when an input is on a tape. What backward needs (inputs, result, nothing) is a compile-time property.
#pragma once

#include <vitral/autodiff/record.hpp>

namespace vitral::inline VITRAL_ABI {

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

  template <class T, class S, class B, int... I>
  void backward(const Tensor<T, S, B>& dy, std::integer_sequence<int, I...>) {
    op.backward(dy, result, get<I>(inputs)...);
  }
};
template <class Op, class T, class S, class B, class Result, class... Inputs>
struct TypedNode : OperationNode<Op, Result, Inputs...> {
  using backend = B;
  void run(Tape& tape, Slot slot) {
    for_each(this->inputs, [&](auto& input) {
      if constexpr (requires { input.tape; }) input.tape = &tape;
    });
    this->backward(tape.gradient_of_result<T, B>(slot, this->result.shape()),
                   std::make_integer_sequence<int, sizeof...(Inputs)>{});
  }
};

template <class X>
auto settled(const X& x) {
  if constexpr (is_parameter<X> || std::is_same_v<X, None>)
    return x;
  else
    return eval(x);
}

template <class X>
const auto& tensor_in(const X& x) {
  if constexpr (is_variable<X>)
    return x.value();
  else if constexpr (is_parameter<X>)
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
    return I{std::remove_cvref_t<decltype(I::value)>(tensor_in(x)), slot};
  }
}

template <class Op, class... X>
auto apply_settled(Op op, const X&... x) {
  constexpr bool recorded = (is_recorded<X> || ...);
  auto y = op.forward(std::bool_constant<recorded>{}, tensor_in(x)...);
  if constexpr (!recorded) {
    return y;
  } else {
    using Y = decltype(y);
    using T = scalar_of<Y>;
    using S = shape_of<Y>;
    using B = backend_of<Y>;
    Tape* tape = nullptr;
    bool wanted = false;
    const auto inspect = [&](const auto& input) {
      if (Tape* t = tape_of(input)) {
        check(!tape || t == tape, "an operation mixes variables of two tapes; detach one of them");
        tape = t;
      }
      wanted = wanted || wants_gradient(input);
    };
    (inspect(x), ...);
    if (!wanted) return Variable<T, S, B>(y, *tape, {});
    using Result = std::conditional_t<Op::keeps_result, Y, ShapeOnly<T, S, B>>;
    using Node = TypedNode<Op, T, S, B, Result, decltype(input_of<Op::keeps_inputs>(*tape, x))...>;
    auto inputs = pack_handles(input_of<Op::keeps_inputs>(*tape, x)...);
    const Slot slot = tape->record(Node{{std::move(op), Result(y), std::move(inputs)}});
    return Variable<T, S, B>(y, *tape, slot);
  }
}

}  // namespace detail

/// op.forward(recorded, tensors...) -> Tensor; op.backward(dy, result, inputs...) writes each wanted gradient.
/// Expressions among the inputs are evaluated first; parameters join the tape of the variables they meet.
template <class Op, class... X>
[[nodiscard]] auto apply(Op op, const X&... x) {
  return detail::apply_settled(std::move(op), detail::settled(x)...);
}

/// Sets a gradient to an expression, or adds it.
template <class T, class S, class B, class E>
void put(const Gradient<T, S, B>& gradient, const E& expression) {
  if (gradient.add)
    assign(gradient.tensor, gradient.tensor + expression);
  else
    assign(gradient.tensor, expression);
}

}  // namespace vitral::inline VITRAL_ABI
