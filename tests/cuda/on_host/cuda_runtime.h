// The part of the CUDA runtime that Vitral uses, for a device of fibres (threads.hpp): memory is the host's, with
// guards around it, and streams are queues that run when the host waits (streams.hpp), or are captured into a graph.
#pragma once

#define VITRAL_ON_FIBRES  // what tests know it by

#include "streams.hpp"
#include "threads.hpp"

#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <tuple>

using std::size_t;

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureUnjoined = 904,
  cudaErrorStreamCaptureIsolation = 905,
  cudaErrorCapturedEvent = 907
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeHost, cudaMemoryTypeDevice };
enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_64F = 1, CUDA_R_16BF = 14 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount, cudaDevAttrMaxSharedMemoryPerBlockOptin };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize, cudaFuncAttributePreferredSharedMemoryCarveout };
enum { cudaSharedmemCarveoutMaxShared = 100 };
enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal,
  cudaStreamCaptureModeThreadLocal,
  cudaStreamCaptureModeRelaxed
};
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaHostAllocDefault = 0, cudaHostAllocMapped = 2;

namespace on_host {
/// Memory of the device: new bytes are NaNs, and 64 bytes on either side are looked at when it is given back.
constexpr size_t guard = 64, most_memory = size_t{4} << 30;
constexpr unsigned char fresh = 0xff, guard_byte = 0xa5;
struct Allocations {
  std::map<char*, size_t> sizes;
  size_t held = 0;
};
inline Allocations& allocations() {
  static Allocations& all = *new Allocations;
  return all;
}
inline std::map<const void*, size_t>& granted_shared() {
  static auto& granted = *new std::map<const void*, size_t>;
  return granted;
}
inline constexpr size_t shared_bytes = 227 << 10;
/// A block's dynamic shared memory; what lies beyond the size asked for stays NaN and must.
alignas(128) inline thread_local char shared[shared_bytes + guard];
}  // namespace on_host

using cudaStream_t = on_host::Stream*;
using cudaEvent_t = on_host::Event*;
using cudaGraph_t = on_host::Graph*;
using cudaGraphExec_t = on_host::Graph*;

inline const char* cudaGetErrorName(cudaError_t e) {
  return e == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : e == cudaSuccess ? "cudaSuccess" : "cudaError";
}
inline const char* cudaGetErrorString(cudaError_t) { return "as the device of fibres reports it"; }
/// As NVIDIA's, it sees no device where CUDA_VISIBLE_DEVICES is set to nothing.
inline cudaError_t cudaGetDeviceCount(int* count) {
  const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return *count = visible == nullptr || *visible != '\0', cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int) {
  *value = what == cudaDevAttrMultiProcessorCount ? 2 : static_cast<int>(on_host::shared_bytes);
  return cudaSuccess;
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return *stream = on_host::Device::instance().new_stream(), cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  on_host::Device& device = on_host::Device::instance();
  if (device.captures()) return cudaErrorStreamCaptureUnsupported;
  return device.run([stream] { return stream->queue.empty(); }), cudaSuccess;
}
/// What is queued there is still done; the stream's place is not used again.
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone, cudaStreamCaptureStatusActive };
inline cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  *status = stream->capture ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
inline constexpr unsigned cudaEventDefault = 0, cudaEventDisableTiming = 2;
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return *event = new on_host::Event, cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return *event = on_host::mark(stream), cudaSuccess;
}
inline cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t stop) {
  return *ms = *stop->ms - *start->ms, cudaSuccess;
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (event->capture) {
    if (!event->capture->active || (stream->capture && stream->capture != event->capture))
      return cudaErrorCapturedEvent;
    if (!stream->capture) event->capture->add(stream);
  } else if (stream->capture) {
    return cudaErrorStreamCaptureIsolation;
  }
  if (event->mark) on_host::queue(stream, {on_host::Kind::waits, {}, event->mark});
  return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  on_host::Device& device = on_host::Device::instance();
  if (device.captures()) return cudaErrorStreamCaptureUnsupported;
  if (event->capture) return cudaErrorCapturedEvent;
  return device.run([&device, mark = event->mark] { return mark == 0 || device.has_reached(mark); }), cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }

// ---- memory
inline cudaError_t cudaMalloc(void** memory, size_t bytes) {
  using namespace on_host;
  Allocations& all = allocations();
  if (all.held + bytes > most_memory) return cudaErrorMemoryAllocation;
  auto* const begin = static_cast<char*>(std::aligned_alloc(256, (bytes + 512 + 255) / 256 * 256));
  std::memset(begin + 256 - guard, guard_byte, guard);
  std::memset(begin + 256, fresh, bytes);
  std::memset(begin + 256 + bytes, guard_byte, guard);
  all.sizes[begin + 256] = bytes;
  all.held += bytes;
  *memory = begin + 256;
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* memory) {
  using namespace on_host;
  if (!memory) return cudaSuccess;
  Device::instance().run_all();
  Allocations& all = allocations();
  auto* const data = static_cast<char*>(memory);
  const auto found = all.sizes.find(data);
  if (found == all.sizes.end()) return cudaErrorInvalidValue;
  for (size_t i = 0; i < guard; ++i)
    if (static_cast<unsigned char>(data[i - guard]) != guard_byte ||
        static_cast<unsigned char>(data[found->second + i]) != guard_byte)
      broken("something was written beside an allocation");
  all.held -= found->second;
  all.sizes.erase(found);
  std::free(data - 256);
  return cudaSuccess;
}
/// A store to the device's memory alone: elsewhere it is an error.
template <class T>
void __stwb(T* to, T value) {
  const auto& sizes = on_host::allocations().sizes;
  auto* const place = reinterpret_cast<char*>(to);
  const auto after = sizes.upper_bound(place);
  if (after == sizes.begin() || std::prev(after)->first + std::prev(after)->second < place + sizeof(T))
    on_host::broken("a store to global memory goes elsewhere");
  *to = value;
}
inline cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = on_host::most_memory;
  *free = *total - on_host::allocations().held;
  return cudaSuccess;
}
inline cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  return cudaSuccess;
}
/// Waits for the device, as NVIDIA's does. Any thread may call it, such as a loader's worker, but fibres run in the
/// device's thread alone: what others give back is freed when that one calls.
inline cudaError_t cudaFreeHost(void* memory) {
  static std::mutex one_at_a_time;
  static auto& given_back = *new std::vector<void*>;
  const std::lock_guard lock(one_at_a_time);
  given_back.push_back(memory);
  if (!on_host::Device::instance().is_of_this_thread()) return cudaSuccess;
  on_host::Device::instance().run_all();
  for (void* const each : given_back) std::free(each);
  given_back.clear();
  return cudaSuccess;
}
struct cudaPointerAttributes {
  cudaMemoryType type;
};
inline cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* out, const void*) {
  return out->type = cudaMemoryTypeHost, cudaSuccess;  // a device of fibres has no other memory
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  on_host::queue(stream, on_host::Kind::copy, [=] { std::memmove(to, from, bytes); });
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  on_host::queue(stream, on_host::Kind::clearing, [=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}
inline cudaError_t cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height,
                                     cudaStream_t stream) {
  on_host::queue(stream, on_host::Kind::clearing, [=] {
    for (size_t row = 0; row < height; ++row) std::memset(static_cast<char*>(to) + row * pitch, value, width);
  });
  return cudaSuccess;
}

// ---- kernels
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  void* attrs = nullptr;
  unsigned numAttrs = 0;
};
template <class... P>
cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute what, int bytes) {
  if (what == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
  if (static_cast<size_t>(bytes) > on_host::shared_bytes) return cudaErrorInvalidValue;
  on_host::granted_shared()[reinterpret_cast<const void*>(kernel)] = static_cast<size_t>(bytes);
  return cudaSuccess;
}
template <class... P, class... A>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(P...), A&&... arguments) {
  static_assert((std::is_trivially_copyable_v<P> && ...), "arguments are copied byte by byte");
  static_assert((sizeof(P) + ... + 0) <= 32764, "a kernel takes 32,764 bytes of arguments");
  const auto granted = on_host::granted_shared().find(reinterpret_cast<const void*>(kernel));
  const size_t allowed = granted == on_host::granted_shared().end() ? 48 << 10 : granted->second;
  if (config->dynamicSmemBytes > allowed || config->gridDim.y > 65535 || config->gridDim.z > 65535)
    return cudaErrorInvalidValue;
  on_host::queue(
      config->stream, on_host::Kind::kernel, [config = *config, kernel, arguments = std::tuple<P...>(arguments...)] {
        auto body = [&] { std::apply(kernel, arguments); };
        gridDim = config.gridDim;
        blockDim = config.blockDim;
        for (unsigned z = 0; z < gridDim.z; ++z)
          for (unsigned y = 0; y < gridDim.y; ++y)
            for (unsigned x = 0; x < gridDim.x; ++x) {
              blockIdx = {x, y, z};
              std::memset(on_host::shared, on_host::fresh, config.dynamicSmemBytes + on_host::guard);
              on_host::Block::current().run(config.blockDim, body);
              for (size_t i = 0; i < on_host::guard; ++i)
                if (static_cast<unsigned char>(on_host::shared[config.dynamicSmemBytes + i]) != on_host::fresh)
                  on_host::broken("something was written behind the shared memory");
            }
      });
  return cudaSuccess;
}

// ---- graphs
inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  return std::make_shared<on_host::Capture>()->add(stream), cudaSuccess;
}
/// All streams that the capture has reached must have joined this one.
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  const std::shared_ptr<on_host::Capture> capture = stream->capture;
  if (!capture || capture->streams[0] != stream) return cudaErrorInvalidValue;
  capture->end();
  if (!capture->is_joined()) return cudaErrorStreamCaptureUnjoined;
  *graph = new on_host::Graph{std::make_shared<const on_host::Queues>(std::move(capture->queues))};
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long = 0) {
  return *exec = new on_host::Graph(*graph), cudaSuccess;
}
enum cudaGraphExecUpdateResult {
  cudaGraphExecUpdateSuccess,
  cudaGraphExecUpdateError,
  cudaGraphExecUpdateErrorTopologyChanged,
  cudaGraphExecUpdateErrorNodeTypeChanged,
  cudaGraphExecUpdateErrorFunctionChanged,
  cudaGraphExecUpdateErrorParametersChanged,
  cudaGraphExecUpdateErrorNotSupported,
  cudaGraphExecUpdateErrorUnsupportedFunctionChange,
  cudaGraphExecUpdateErrorAttributesChanged
};
struct cudaGraphExecUpdateResultInfo {
  cudaGraphExecUpdateResult result;
};
namespace on_host {
inline cudaGraphExecUpdateResult compare(const Queues& a, const Queues& b) {
  if (a.size() != b.size()) return cudaGraphExecUpdateErrorTopologyChanged;
  for (size_t q = 0; q < a.size(); ++q) {
    if (a[q].size() != b[q].size()) return cudaGraphExecUpdateErrorTopologyChanged;
    for (size_t i = 0; i < a[q].size(); ++i)
      if (a[q][i].kind != b[q][i].kind) return cudaGraphExecUpdateErrorNodeTypeChanged;
  }
  return cudaGraphExecUpdateSuccess;
}
}  // namespace on_host
/// As on a device, a graph takes the numbers of another one with the same operations, and of kernels others as well.
inline cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo* info) {
  info->result = on_host::compare(*exec->queues, *graph->queues);
  if (info->result != cudaGraphExecUpdateSuccess) return cudaErrorInvalidValue;
  return *exec = *graph, cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  on_host::queue(stream, on_host::Kind::kernel, [queues = exec->queues] {
    on_host::Queues once = *queues;
    std::vector<on_host::Queue*> all;
    for (on_host::Queue& queue : once) all.push_back(&queue);
    std::set<long> reached;
    on_host::run(all, reached, [&] { return on_host::all_empty(all); });
  });
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return delete exec, cudaSuccess; }
