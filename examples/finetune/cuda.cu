// finetune on a GPU.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/backend/cuda/pinned.hpp>

#include "common/on_cuda.hpp"
#include "finetune/run.hpp"

using namespace vitral;
using namespace vitral::programs;

std::string finetune_on_cuda(const std::string& options) {
  cuda::Device::instance();  // says at once where there is none
  cuda::use_pinned_memory();
  return json_text(finetune<Cuda>(options_of(options)));
}
