// The stream on which all work is queued, errors of CUDA calls as exceptions, and how kernels are launched.
#pragma once

#include <vitral/core/error.hpp>

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>

namespace vitral::inline VITRAL_ABI::cuda {

inline void require(cudaError_t status, const char* call) {
  if (status != cudaSuccess) [[unlikely]]
    fail("CUDA: ", call, ": ", cudaGetErrorName(status), ", ", cudaGetErrorString(status));
}

/// What is asked about the device once.
struct Device {
  int multiprocessors = 1;
  std::size_t shared_bytes = 0;  ///< the most that a block may have
  cudaStream_t stream = nullptr;

  static const Device& instance() {
    static const Device device;
    return device;
  }

 private:
  Device() {
    int count = 0;
    check(cudaGetDeviceCount(&count) == cudaSuccess && count > 0,
          "there is no CUDA device; use --device cpu, or look at nvidia-smi");
    int current = 0;
    require(cudaGetDevice(&current), "cudaGetDevice");
    require(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, current),
            "cudaDeviceGetAttribute");
    int bytes = 0;
    require(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, current), "cudaDeviceGetAttribute");
    shared_bytes = static_cast<std::size_t>(bytes);
    require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  }
};

inline cudaStream_t stream() { return Device::instance().stream; }

inline constexpr int block_threads = 256;

/// Blocks of `threads` that cover `count` elements, one a thread.
[[nodiscard]] inline unsigned blocks_for(long count, int threads = block_threads) {
  return static_cast<unsigned>((count + threads - 1) / threads);
}

/// Blocks for a kernel that strides over `count` elements: enough to fill the device, no more.
[[nodiscard]] inline unsigned grid_for(long count) {
  return std::clamp(blocks_for(count), 1u, 16u * static_cast<unsigned>(Device::instance().multiprocessors));
}

/// Lets a kernel be launched with `bytes` of dynamic shared memory: beyond 48 KiB it has to be asked for, and as many
/// blocks shall find room on a multiprocessor as its whole memory holds.
template <class... P>
void allow_shared(const char* name, void (*kernel)(P...), std::size_t bytes) {
  require(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared),
          name);
  if (bytes <= 48 * 1024) return;
  check(bytes <= Device::instance().shared_bytes, name, ": a block needs ", bytes,
        " bytes of shared memory, and the device has ", Device::instance().shared_bytes);
  require(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)), name);
}

/// Queues a kernel; nothing to do is nothing queued.
template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared, const A&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream();
  require(cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...), name);
}

/// Where kernels note an index or a target outside its range: looked at whenever the host waits for the device.
struct Fault {
  int code = 0;  // 0: none, 1: gather_rows, 2: scatter_add_rows, 3: cross_entropy
  int value = 0;
  long position = 0, limit = 0;
};
class Faults {
 public:
  static Faults& instance() {
    static Faults faults;
    return faults;
  }
  [[nodiscard]] Fault* device() const { return fault_; }

  /// Waits for the device; throws what its kernels have noted.
  void wait() {
    require(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
    look();
  }
  /// Throws what kernels that are done have noted.
  void look() {
    if (fault_->code == 0) return;
    const Fault found = *fault_;
    *fault_ = Fault{};
    const char* const what = found.code == 1 ? "gather_rows: index " : found.code == 2 ? "scatter_add_rows: index "
                                                                                      : "cross_entropy: target ";
    fail(what, found.value, " at position ", found.position, " is not one of 0 to ", found.limit - 1);
  }

 private:
  Faults() {
    require(cudaHostAlloc(reinterpret_cast<void**>(&fault_), sizeof(Fault), cudaHostAllocMapped), "cudaHostAlloc");
    *fault_ = Fault{};
  }
  Fault* fault_ = nullptr;  // page-locked and visible to both sides; never freed, as the device outlives statics
};

/// Whether `index` is in [0, limit); notes it if not. Of several, any one is reported.
__device__ inline bool within(Fault* fault, int code, int index, long position, long limit) {
  if (index >= 0 && index < limit) return true;
  if (atomicCAS_system(&fault->code, 0, code) == 0) {
    fault->value = index;
    fault->position = position;
    fault->limit = limit;
    __threadfence_system();
  }
  return false;
}

}  // namespace vitral::inline VITRAL_ABI::cuda
