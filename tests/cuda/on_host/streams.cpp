// The device of fibres finds what it is to find: a missing wait gives a wrong number, and a capture refuses what CUDA
// refuses.
#include "cuda_runtime.h"

#include <cstdio>

namespace {

bool all_right = true;
void expect(const char* what, bool holds) {
  if (!holds) std::printf("%s: no\n", what);
  all_right = all_right && holds;
}

cudaStream_t first, second;
cudaEvent_t event;

__global__ void put(int* to, int value) { *to = value; }
__global__ void add(int* to, const int* from) { *to += *from; }
void launch(cudaStream_t stream, auto kernel, auto... arguments) {
  cudaLaunchConfig_t config;
  config.stream = stream;
  cudaLaunchKernelEx(&config, kernel, arguments...);
}

/// Runs in which x + x + x is what it should be, the last two being added in another stream.
int right_runs(bool forks, bool joins) {
  int right = 0;
  for (int run = 0; run < 12; ++run) {
    int x = 0, sum = 0, result = 0;
    launch(first, put, &x, 5);
    launch(first, put, &sum, 5);
    cudaEventRecord(event, first);
    if (forks) cudaStreamWaitEvent(second, event, 0);
    launch(second, add, &sum, static_cast<const int*>(&x));
    launch(second, add, &sum, static_cast<const int*>(&x));
    cudaEventRecord(event, second);
    if (joins) cudaStreamWaitEvent(first, event, 0);
    launch(first, add, &result, static_cast<const int*>(&sum));
    cudaStreamSynchronize(first);
    right += result == 15;
    cudaStreamSynchronize(second);
  }
  return right;
}

cudaError_t capture(bool joins, int* x) {
  cudaGraph_t graph = nullptr;
  cudaStreamBeginCapture(first, cudaStreamCaptureModeRelaxed);
  cudaEventRecord(event, first);
  cudaStreamWaitEvent(second, event, 0);
  launch(second, put, x, 3);
  expect("a captured stream cannot be waited for", cudaStreamSynchronize(second) != cudaSuccess);
  cudaEventRecord(event, second);
  if (joins) cudaStreamWaitEvent(first, event, 0);
  const cudaError_t status = cudaStreamEndCapture(first, &graph);
  if (status != cudaSuccess) return status;
  cudaGraphExec_t exec = nullptr;
  cudaGraphInstantiate(&exec, graph, 0);
  cudaGraphDestroy(graph);
  cudaGraphLaunch(exec, first);
  cudaGraphExecDestroy(exec);
  expect("nothing runs before the host waits", *x == 0);
  return cudaStreamSynchronize(first);
}

}  // namespace

int main() {
  cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking);
  cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking);
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  expect("with both waits all is right", right_runs(true, true) == 12);
  expect("a missing fork is found", right_runs(false, true) < 12);
  expect("a missing join is found", right_runs(true, false) < 12);
  int x = 0;
  expect("a joined capture runs", capture(true, &x) == cudaSuccess && x == 3);
  expect("a capture that is not joined is refused", capture(false, &x) == cudaErrorStreamCaptureUnjoined);
  expect("an event of a capture is of no use after it", cudaStreamWaitEvent(first, event, 0) == cudaErrorCapturedEvent);
  cudaEvent_t outside;
  cudaEventCreateWithFlags(&outside, cudaEventDisableTiming);
  cudaEventRecord(outside, second);
  cudaStreamBeginCapture(first, cudaStreamCaptureModeRelaxed);
  expect("a capture cannot wait for what is outside",
         cudaStreamWaitEvent(first, outside, 0) == cudaErrorStreamCaptureIsolation);
  std::puts(all_right ? "streams: right" : "streams: WRONG");
  return all_right ? 0 : 1;
}
