// What evaluate, embed and propagate compute on a GPU.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/backend/cuda/pinned.hpp>

#include "common/on_cuda.hpp"

#include <vitral/eval/classifiers/nearest_rows.hpp>
#include <vitral/eval/classifiers/probe.hpp>
#include <vitral/models/first_layers.hpp>
#include <vitral/models/load_vit.hpp>
#include <vitral/models/patch_tokens.hpp>

using namespace vitral;

namespace {

using Images = Tensor<float, Shape<dyn, 3, dyn, dyn>, Cuda>;

Images on_device(const float* images, int count, int height, int width) {
  const auto out = Images::uninitialized({count, height, width});
  Cuda::copy_from_host(images, out.data(), out.size());
  return out;
}

}  // namespace

std::pair<void* (*)(std::size_t), void (*)(void*)> page_locked_memory_on_cuda() {
  cuda::Device::instance();  // says at once where there is none
  cuda::use_pinned_memory();
  return {host_memory.allocate, host_memory.release};
}

std::pair<FunctionOfImages, FunctionOfImages> network_on_cuda(const std::string& checkpoint, bool teacher, int heads,
                                                              int layers) {
  const auto branch = teacher ? NetworkBranch::teacher : NetworkBranch::student;
  const auto network = first_layers(load_vit<Cuda, float>(NetworkFile(checkpoint, heads), {}, branch), layers);
  return {[network](const float* images, int count, int height, int width) {
            std::vector<float> out;
            for (const auto& layer : network.layers(on_device(images, count, height, width))) {
              const auto rows = layer.to_vector();
              out.insert(out.end(), rows.begin(), rows.end());
            }
            return out;
          },
          [network](const float* images, int count, int height, int width) {
            return all_tokens(network, on_device(images, count, height, width)).to_vector();
          }};
}

std::pair<std::vector<float>, std::vector<int>> nearest_rows_on_cuda(std::span<const float> known,
                                                                     std::span<const float> asked, int width, int k) {
  Neighbours found = nearest_host_rows<Cuda>(known, asked, width, k, false);
  return {std::move(found.similarity), std::move(found.place)};
}

std::vector<std::vector<float>> sweeps_on_cuda(const std::vector<PlainFeatures>& layers, const std::vector<long>& rows,
                                               const std::vector<double>& rates, int epochs, int batch, double momentum,
                                               std::uint64_t seed, const std::function<void(int)>& epoch_done) {
  std::vector<Features> features;
  for (const auto& [numbers, type, images, width, labels, classes] : layers) {
    const std::shared_ptr<const std::byte> lent(std::shared_ptr<void>(), numbers);  // stays the caller's
    features.push_back({{}, width, {labels.begin(), labels.end()}, classes, {}, {lent, ScalarType(type), images}});
  }
  const auto sweeps = train_sweeps<Cuda>(
      features, rows, {.rates = rates, .epochs = epochs, .batch = batch, .momentum = momentum, .seed = Seed{seed}},
      epoch_done);
  std::vector<std::vector<float>> out;
  for (const auto& sweep : sweeps.layers) {
    out.emplace_back();
    for (const auto& weight : sweep.weights) {
      const std::vector<float> numbers = weight.value.to_vector();
      out.back().insert(out.back().end(), numbers.begin(), numbers.end());
    }
  }
  return out;
}
