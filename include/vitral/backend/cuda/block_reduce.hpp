// Sums and maxima over the threads of a block, in an order that depends on the block's shape alone.
#pragma once

#include <vitral/core/config.hpp>

#include <cuda_runtime.h>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

struct Add {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Max {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

/// The reduction of every thread's value, given to every thread of the warp.
template <class T, class Op>
__device__ T warp_reduce(T value, Op op) {
  for (int distance = 16; distance > 0; distance /= 2) value = op(value, __shfl_xor_sync(0xffffffffu, value, distance));
  return value;
}

/// The same for the block, whose threads (in x alone, whole warps, at most 1024) all take part.
template <class T, class Op>
__device__ T block_reduce(T value, Op op) {
  __shared__ T partial[32];
  const int warp = static_cast<int>(threadIdx.x) / 32, warps = static_cast<int>(blockDim.x) / 32;
  value = warp_reduce(value, op);
  __syncthreads();  // a reduction before this one may still be read
  if (threadIdx.x % 32 == 0) partial[warp] = value;
  __syncthreads();
  T result = partial[0];
  for (int i = 1; i < warps; ++i) result = op(result, partial[i]);
  return result;
}

}}}  // namespace vitral::cuda
