// Variable: a tensor on a tape, and value_of, which takes the value of anything off its tape.
#pragma once

#include <vitral/autodiff/parameter.hpp>
#include <vitral/autodiff/tape_handle.hpp>
#include <vitral/tensor/evaluate.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Names the gradient of a variable on its tape. Leaves keep theirs over several backward passes; an operation's result
/// belongs to one `record`, which ends when backward has walked it.
struct Slot {
  enum class Kind : char { none, leaf, inner };
  Kind kind = Kind::none;
  int index = 0;
  unsigned record = 0;
  explicit operator bool() const { return kind != Kind::none; }
};

/// A tensor on a tape. One without a slot (tape.constant) gets no gradient; what is computed from it and a parameter is
/// recorded all the same, so that the parameter gets one.
template <class T, class S, class B = Cpu>
class Variable {
 public:
  using scalar = T;
  using shape_type = S;
  using backend = B;
  static constexpr bool weak = false, recorded = true;

  Variable(Tensor<T, S, B> value, const Tape& tape, Slot slot);

  [[nodiscard]] const Tensor<T, S, B>& value() const { return value_; }
  [[nodiscard]] const S& shape() const { return value_.shape(); }
  [[nodiscard]] int extent(int axis) const { return value_.extent(axis); }
  /// Throws where the tape has been destroyed.
  [[nodiscard]] Tape& tape() const { return tape_.get(); }
  [[nodiscard]] Slot slot() const { return slot_; }
  [[nodiscard]] T item() const { return value_.item(); }

  /// The gradient that backward passes have left for this leaf; zeros where none arrived. Throws for the result of an
  /// operation and for a constant, which keep none.
  [[nodiscard]] Tensor<T, S, B> grad() const;

 private:
  Tensor<T, S, B> value_;
  TapeHandle tape_;
  Slot slot_;
};

template <class X>
inline constexpr bool is_variable = false;
template <class T, class S, class B>
inline constexpr bool is_variable<Variable<T, S, B>> = true;

template <int R, class T, class S, class B>
LeafPlan<T, R> lower(const Variable<T, S, B>& x) {
  return lower<R>(x.value());
}

/// The value of any operand as a tensor. Whatever is computed from it is recorded nowhere.
///
///   const auto target = net(value_of(x));  // no gradient, whether x is on a tape or not
template <Operand X>
[[nodiscard]] auto value_of(const X& x) {
  if constexpr (is_tensor<X>) {
    return x;
  } else if constexpr (is_variable<X>) {
    return Tensor(x.value());
  } else if constexpr (requires { x.value.buffer(); }) {  // a parameter, or computed from parameters
    return x.value;
  } else {
    const auto out = detail::tensor_of<X>::uninitialized(x.shape());
    detail::evaluate_into(out, x);
    return out;
  }
}

/// Where a node writes the gradient of one of its inputs: it sets the tensor, or adds to it where `add`.
template <class T, class S, class B>
struct Gradient {
  Tensor<T, S, B> tensor;
  bool add;
};

}}  // namespace vitral
