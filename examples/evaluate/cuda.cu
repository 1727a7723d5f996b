// What `evaluate --device cuda` computes on the device: features, and neighbours for k-NN.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/backend/cuda/pinned.hpp>

#include "evaluate/features.hpp"

#include <vitral/eval/classifiers/knn.hpp>

using namespace vitral;
using namespace vitral::programs;

PlainSplits features_on_cuda(const PlainRequest& request) {
  cuda::Device::instance();  // says at once where there is none
  cuda::use_pinned_memory();
  return plain(features_on<Cuda>(request_of(request)));
}

PlainNeighbours neighbours_on_cuda(PlainFeatures train, PlainFeatures test, int k) {
  auto [count, similarity, place] = nearest_neighbours<Cuda>(features(std::move(train)), features(std::move(test)), k);
  return {count, std::move(similarity), std::move(place)};
}
