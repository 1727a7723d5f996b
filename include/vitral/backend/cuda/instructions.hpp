// What CUDA C++ has no words for: dynamic shared memory of any type.
#pragma once

#include <vitral/core/config.hpp>

namespace vitral::inline VITRAL_ABI::cuda {

/// The block's dynamic shared memory, as much as the launch asked for; aligned to 16 bytes.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ uint4 shared_memory[];
  return reinterpret_cast<T*>(shared_memory);
}

}  // namespace vitral::inline VITRAL_ABI::cuda
