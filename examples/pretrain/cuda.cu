// pretrain on a GPU.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/backend/cuda/pinned.hpp>
#include <vitral/data/cuda/loader.hpp>

#include "pretrain/run.hpp"

using namespace vitral;
using namespace vitral::programs;

int pretrain_cuda(const nlohmann::ordered_json& plain) {
  const PretrainOptions options = all_from_json(plain);
  cuda::Device::instance();  // says at once where there is none
  cuda::use_pinned_memory();
  cuda::Steps::eager = options.eager;
  if (options.precision == "bf16") return run_method<Cuda, bf16, CudaLoader<Cuda>>(options);
  if (options.precision == "tf32") return run_method<CudaTf32, float, CudaLoader<CudaTf32>>(options);
  return run_method<Cuda, float, CudaLoader<Cuda>>(options);
}
