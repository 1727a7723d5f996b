// Memory of the device. All of it goes through a pool (core/buffer.hpp), so that from the second step on the driver is
// not asked. As work is done in order, except in lanes, memory may be used again as soon as the host has released it.
#pragma once

#include <vitral/backend/cuda/launch.hpp>
#include <vitral/core/buffer.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

[[nodiscard]] inline void* allocate(std::size_t bytes) {
  Device::instance();  // says where there is none
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, std::max<std::size_t>(bytes, 1));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it has been reported
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    constexpr std::size_t mib = 1 << 20;
    fail("CUDA: out of memory: ", bytes, " bytes were asked for; of the device's ", total / mib, " MiB, ",
         (total - free) / mib, " are held and ", free / mib, " free; use a smaller batch or model");
  }
  require(status, "cudaMalloc");
  return memory;
}
inline void deallocate(void* memory) { cudaFree(memory); }

/// Stands for a backend in the pool of work space.
struct WorkSpace {
  using Lanes = cuda::Lanes;
  [[nodiscard]] static void* allocate(std::size_t bytes) { return cuda::allocate(bytes); }
  static void deallocate(void* memory) { cuda::deallocate(memory); }
};

/// Memory for the length of a call.
template <class T>
class Scratch {
 public:
  explicit Scratch(long count) {
    if (count > 0) buffer_ = Buffer::of<WorkSpace>(static_cast<std::size_t>(count) * sizeof(T));
  }
  [[nodiscard]] T* data() const { return static_cast<T*>(buffer_.data()); }

 private:
  Buffer buffer_;
};

}}}  // namespace vitral::cuda
