// The features that `evaluate --device cuda` needs.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/backend/cuda/pinned.hpp>

#include "evaluate_features.hpp"

SplitFeatures features_on_cuda(const FeatureRequest& request) {
  vitral::cuda::Device::instance();  // says at once where there is none
  vitral::cuda::use_pinned_memory();
  return features_on<vitral::Cuda>(request);
}
