// The exponential moving average, by which a teacher's parameters follow the student's.
#pragma once

#include <vitral/tensor/operators.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// What an average becomes when it moves towards x: momentum * average + (1 - momentum) * x, in a form in which an
/// average that equals x stays as it is to the last bit.
template <Operand A, Operand X>
[[nodiscard]] auto moving_average(const A& average, const X& x, double momentum) {
  return average + (x - average) * (1 - momentum);
}

}}  // namespace vitral
