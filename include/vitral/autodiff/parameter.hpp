// Parameter: a tensor that training changes. Where it meets a recorded variable it is watched by that variable's tape.
#pragma once

#include <vitral/tensor/plan.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// A parameter's elements rounded to bf16, as long as a RoundedWeights keeps them. A copy of the parameter gets none:
/// nobody would take them back when its elements change.
struct RoundedCopy {
  Buffer elements{};

  RoundedCopy() = default;
  RoundedCopy(const RoundedCopy&) {}
  RoundedCopy& operator=(const RoundedCopy&) {
    elements = Buffer();
    return *this;
  }
  ~RoundedCopy() = default;
};

/// A layer's weight. Its scalar type is the master precision; in an expression it takes that of what it meets.
/// A parameter that is not `trainable` gets no gradient and is left alone by optimisers.
template <class T, class S, class B = Cpu>
struct Parameter {
  using scalar = T;
  using shape_type = S;
  using backend = B;
  static constexpr bool weak = true, recorded = false;

  Tensor<T, S, B> value;
  bool trainable = true;
  RoundedCopy rounded{};

  [[nodiscard]] const S& shape() const { return value.shape(); }
};

/// State that training changes but no gradient reaches, such as BatchNorm's running statistics.
template <class T, class S, class B = Cpu>
struct State {
  Tensor<T, S, B> value;
};

template <class X>
inline constexpr bool is_parameter = false;
template <class T, class S, class B>
inline constexpr bool is_parameter<Parameter<T, S, B>> = true;
template <class T, class S, class B>
inline constexpr bool is_of_parameters<Parameter<T, S, B>> = true;
template <class X>
inline constexpr bool is_state = false;
template <class T, class S, class B>
inline constexpr bool is_state<State<T, S, B>> = true;

template <int R, class T, class S, class B>
LeafPlan<T, R> lower(const Parameter<T, S, B>& x) {
  return lower<R>(x.value);
}

}}  // namespace vitral
