// GELU as products' epilogues compute it, and its slope. cuBLASLt offers the tanh form alone (Hendrycks and Gimpel
// 2016), which is within 5e-4 of the exact one, about as much as bf16 rounds a value of 1/8. So bf16 has the tanh form
// in all of our kernels, and other types have the exact one.
#pragma once

#include <vitral/core/bf16.hpp>
#include <vitral/core/math.hpp>

#include <cuda_runtime.h>

#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda::detail {

/// (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, as 1 / (1 + 2^-y): one exponential and one reciprocal.
__device__ inline float gelu_gate(float x) {
  return __fdividef(1.0f, 1.0f + ::exp2f(-x * (2.3022082f + 0.10294324f * x * x)));
}

/// GELU of x, for values stored as T.
template <class T>
__device__ compute_t<T> gelu(compute_t<T> x) {
  if constexpr (std::is_same_v<T, bf16>)
    return x * gelu_gate(x);
  else
    return math::gelu(x);
}

/// Its derivative.
template <class T>
__device__ compute_t<T> gelu_slope(compute_t<T> x) {
  if constexpr (std::is_same_v<T, bf16>) {
    const float gate = gelu_gate(x);
    return gate + gate * (1.0f - gate) * x * (1.5957691f + 0.21406444f * x * x);
  } else {
    return math::gelu_grad(x);
  }
}

}}}  // namespace vitral::cuda::detail
