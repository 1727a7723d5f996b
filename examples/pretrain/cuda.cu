// pretrain on a GPU.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/backend/cuda/pinned.hpp>
#include <vitral/data/cuda/loader.hpp>
#include <vitral/data/cuda/stream_loader.hpp>

#include "pretrain/run.hpp"

using namespace vitral;
using namespace vitral::programs;

template <class B, class T>
int run_on(const PretrainOptions& options) {
  return run<B, CudaLoader<B>, CudaStreamLoader<B>>(options, make_trainer<B, T>);
}

int pretrain_cuda(const nlohmann::ordered_json& plain) {
  const PretrainOptions options = all_from_json(plain);
  cuda::Device::instance();  // says at once where there is none
  cuda::use_pinned_memory();
  cuda::Steps::eager = options.eager;
  if (options.precision == "bf16") return run_on<CudaTf32, bf16>(options);
  if (options.precision == "tf32") return run_on<CudaTf32, float>(options);
  return run_on<Cuda, float>(options);
}
