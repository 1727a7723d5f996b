// The stream on which all work is queued, errors of CUDA calls as exceptions, memory, and how kernels are launched.
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
    require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    // Freed memory stays with the process: the next allocation is then no call to the driver.
    cudaMemPool_t pool = nullptr;
    require(cudaDeviceGetDefaultMemPool(&pool, current), "cudaDeviceGetDefaultMemPool");
    unsigned long long everything = ~0ull;
    require(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &everything), "cudaMemPoolSetAttribute");
  }
};

inline cudaStream_t stream() { return Device::instance().stream; }

[[nodiscard]] inline void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMallocAsync(&memory, std::max<std::size_t>(bytes, 1), stream());
  if (status == cudaErrorMemoryAllocation) {
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    constexpr std::size_t mib = 1 << 20;
    fail("CUDA: out of memory: ", bytes, " bytes were asked for; of the device's ", total / mib, " MiB, ",
         (total - free) / mib, " are held and ", free / mib, " free; use a smaller batch or model");
  }
  require(status, "cudaMallocAsync");
  return memory;
}
inline void deallocate(void* memory) { cudaFreeAsync(memory, stream()); }

/// Memory for the length of a call; it is free for others as soon as the work queued meanwhile is done.
template <class T>
class Scratch {
 public:
  explicit Scratch(long count) : data_(static_cast<T*>(allocate(static_cast<std::size_t>(count) * sizeof(T)))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { deallocate(data_); }
  [[nodiscard]] T* data() const { return data_; }

 private:
  T* data_;
};

inline constexpr int block_threads = 256;

/// Blocks for a kernel that strides over `count` elements: enough to fill the device, no more.
[[nodiscard]] inline unsigned grid_for(long count) {
  const long wanted = (count + block_threads - 1) / block_threads;
  return static_cast<unsigned>(std::clamp(wanted, 1l, 16l * Device::instance().multiprocessors));
}

/// Queues a kernel; nothing to do is nothing queued.
template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared, const A&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  kernel<<<grid, block, shared, stream()>>>(arguments...);
  require(cudaGetLastError(), name);
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
