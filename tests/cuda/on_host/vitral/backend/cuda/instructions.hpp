// backend/cuda/instructions.hpp for the device of fibres.
#pragma once

#include <vitral/core/config.hpp>

#include <cuda_runtime.h>

namespace vitral::inline VITRAL_ABI::cuda {

template <class T>
T* dynamic_shared() {
  return reinterpret_cast<T*>(on_host::shared);
}

}  // namespace vitral::inline VITRAL_ABI::cuda
