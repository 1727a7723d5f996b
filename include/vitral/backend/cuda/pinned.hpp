// Page-locked host memory for batches, which the device copies from while it computes. Needs the CUDA runtime.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/core/host_memory.hpp>

#include <cuda_runtime_api.h>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

/// From now on HostVectors, and so the loader's batches, lie in page-locked memory.
inline void use_pinned_memory() {
  host_memory = {[](std::size_t bytes) {
                   void* memory = nullptr;
                   const cudaError_t status = cudaHostAlloc(&memory, bytes, cudaHostAllocDefault);
                   check(status == cudaSuccess, "cudaHostAlloc of ", bytes, " bytes: ", cudaGetErrorString(status),
                         "; use a smaller LoaderOptions::batch or fewer LoaderOptions::workers");
                   return memory;
                 },
                 [](void* memory) { cudaFreeHost(memory); }, true};
}

}}}  // namespace vitral::cuda
