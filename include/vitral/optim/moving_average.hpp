// The exponential moving average: a teacher's parameters follow the student's by it.
#pragma once

#include <vitral/tensor/operators.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// The average's value after it has moved towards x; in this form, what is equal stays equal.
template <Operand A, Operand X>
[[nodiscard]] auto moving_average(const A& average, const X& x, double momentum) {
  return average + (x - average) * (1 - momentum);
}

}}  // namespace vitral
