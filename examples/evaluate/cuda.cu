// The features that `evaluate --device cuda` needs.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/backend/cuda/pinned.hpp>

#include "evaluate/features.hpp"

using namespace vitral;
using namespace vitral::programs;

PlainSplits features_on_cuda(const PlainRequest& request) {
  cuda::Device::instance();  // says at once where there is none
  cuda::use_pinned_memory();
  return plain(features_on<Cuda>(request_of(request)));
}
