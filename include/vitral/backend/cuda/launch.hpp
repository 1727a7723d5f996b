// The streams on which work is queued, errors of CUDA calls as exceptions, and how kernels are launched.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/core/lanes.hpp>

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

inline void require(cudaError_t status, const char* call) {
  if (status != cudaSuccess) [[unlikely]]
    fail("CUDA: ", call, ": ", cudaGetErrorName(status), ", ", cudaGetErrorString(status));
}

/// What the backend knows of the device, asked once.
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
          "there is no CUDA device; compute on Cpu, or look at nvidia-smi");
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

/// Lanes (core/lanes.hpp) as streams of the device. While the main stream is captured, so are they: forks and joins are
/// edges of the graph.
class Lanes {
 public:
  static constexpr int count = 4;

  [[nodiscard]] static LanePlace place() {
    const Lanes& lanes = instance();
    return lanes.lane_ == 0 ? LanePlace{} : LanePlace{lanes.region_, lanes.lane_};
  }
  /// From now on work goes to this lane. Leaving the main lane forks: the lanes begin after what was queued there so
  /// far. Going back to it, 0, joins: what is queued there next comes after all lanes.
  static void enter(int lane) {
    Lanes& lanes = instance();
    if (lane == lanes.lane_) return;
    if (lane == 0) return lanes.join();
    if (lanes.lane_ == 0) lanes.fork();
    if (!std::exchange(lanes.used_[at(lane)], true))
      require(cudaStreamWaitEvent(lanes.streams_[at(lane)], lanes.done_[0], 0), "cudaStreamWaitEvent");
    lanes.lane_ = lane;
  }
  [[nodiscard]] static int current() { return instance().lane_; }
  [[nodiscard]] static cudaStream_t stream() {
    const Lanes& lanes = instance();
    return lanes.streams_[at(lanes.lane_)];
  }

 private:
  Lanes() {
    streams_[0] = Device::instance().stream;
    for (std::size_t lane = 0; lane <= count; ++lane) {
      if (lane > 0)
        require(cudaStreamCreateWithFlags(&streams_[lane], cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
      require(cudaEventCreateWithFlags(&done_[lane], cudaEventDisableTiming), "cudaEventCreateWithFlags");
    }
  }
  static Lanes& instance() {
    static Lanes& lanes = *new Lanes;  // never destroyed: the driver may be gone before it
    return lanes;
  }
  static std::size_t at(int lane) { return static_cast<std::size_t>(lane); }

  void fork() {
    require(cudaEventRecord(done_[0], streams_[0]), "cudaEventRecord");
    used_ = {};
    ++region_;
  }
  void join() {
    lane_ = 0;
    for (std::size_t lane = 1; lane <= count; ++lane) {
      if (!used_[lane]) continue;
      require(cudaEventRecord(done_[lane], streams_[lane]), "cudaEventRecord");
      require(cudaStreamWaitEvent(streams_[0], done_[lane], 0), "cudaStreamWaitEvent");
    }
  }

  std::array<cudaStream_t, count + 1> streams_{};  // [0]: the main one
  std::array<cudaEvent_t, count + 1> done_{};      // up to the fork, and each lane up to the join
  std::array<bool, count + 1> used_{};
  long region_ = 0;
  int lane_ = 0;
};

inline cudaStream_t stream() { return Lanes::stream(); }

inline constexpr int block_threads = 256;

/// Blocks of `threads` that cover `count` elements, one a thread.
[[nodiscard]] inline unsigned blocks_for(long count, int threads = block_threads) {
  return static_cast<unsigned>((count + threads - 1) / threads);
}

/// Blocks for a kernel that strides over `count` elements: enough to fill the device, no more.
[[nodiscard]] inline unsigned grid_for(long count) {
  return std::clamp(blocks_for(count), 1u, 16u * static_cast<unsigned>(Device::instance().multiprocessors));
}

/// Lets a kernel be launched with `bytes` of dynamic shared memory: more than 48 KiB for a block has to be asked for.
/// The multiprocessor's memory is split so that as many blocks as possible find room.
template <class... P>
void allow_shared(const char* name, void (*kernel)(P...), std::size_t bytes) {
  require(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared),
          name);
  if (bytes <= 48 * 1024) return;
  check(bytes <= Device::instance().shared_bytes, name, ": a block needs ", bytes,
        " bytes of shared memory, and the device has ", Device::instance().shared_bytes);
  require(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)), name);
}

/// Queues a kernel; with no blocks, nothing.
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

/// An index or a target outside its range, as a kernel notes it: the host looks here whenever it waits for the device.
struct Fault {
  int code = 0;  // 0: none, 1: gather_rows, 2: scatter_add_rows, 3: cross_entropy
  int value = 0;
  long position = 0, limit = 0;
};
/// What a kernel needs to note one: the thread that takes the device's flag writes the fault. (Not every device has
/// atomic operations on the host's memory.)
struct FaultNote {
  int* taken;
  Fault* seen;
};
class Faults {
 public:
  static Faults& instance() {
    static Faults faults;
    return faults;
  }
  [[nodiscard]] FaultNote device() const { return {taken_, fault_}; }

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
    clear();
    const char* const what = found.code == 1   ? "gather_rows: index "
                             : found.code == 2 ? "scatter_add_rows: index "
                                               : "cross_entropy: target ";
    fail(what, found.value, " at position ", found.position, " is not one of 0 to ", found.limit - 1);
  }

 private:
  Faults() {
    require(cudaHostAlloc(reinterpret_cast<void**>(&fault_), sizeof(Fault), cudaHostAllocMapped), "cudaHostAlloc");
    *fault_ = Fault{};
    require(cudaMalloc(reinterpret_cast<void**>(&taken_), sizeof(int)), "cudaMalloc");
    clear();
  }
  void clear() const { require(cudaMemsetAsync(taken_, 0, sizeof(int), stream()), "cudaMemsetAsync"); }

  // Never freed, as the device outlives statics. The fault is page-locked and visible to both sides.
  Fault* fault_ = nullptr;
  int* taken_ = nullptr;
};

/// Whether `index` is in [0, limit); notes it if not. Of several faults one is reported, whichever.
__device__ inline bool within(const FaultNote& note, int code, int index, long position, long limit) {
  if (index >= 0 && index < limit) return true;
  if (atomicCAS(note.taken, 0, 1) == 0) {
    note.seen->value = index;
    note.seen->position = position;
    note.seen->limit = limit;
    __threadfence_system();  // the host shall see all of it with its code
    note.seen->code = code;
  }
  return false;
}

}}}  // namespace vitral::cuda
