// Frozen features: the class token of every layer for the images of a data set, extracted in one pass.
#pragma once

#include <vitral/autodiff/softmax.hpp>
#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/data/loader.hpp>

namespace vitral::inline VITRAL_ABI {

/// Rows of l2-normalised features in host memory, one image each, with their labels.
struct Features {
  Tensor<float, Shape<dyn, dyn>> rows;  // [images, width]
  std::vector<int> labels;
  int classes = 0;
};

/// The features of the first `count` images, one entry per layer. The encoder is in evaluation mode.
template <class Encoder>
[[nodiscard]] std::vector<Features> extract_features(const Encoder& encoder, const Dataset& data, long count,
                                                     int batch = 128) {
  using B = typename Encoder::backend;
  count = std::min(count, data.size());
  check(count > 0, "features: ", data.name(), " has no images");
  const CenterView view = center_view(encoder.size.image);
  const long pixels = 3L * view.size * view.size;
  const int width = encoder.width();
  Features empty{{}, {}, static_cast<int>(data.classes().size())};
  for (long i = 0; i < count; ++i) empty.labels.push_back(data.label(i));
  std::vector<Features> layers(static_cast<std::size_t>(encoder.depth()), empty);
  for (Features& layer : layers) layer.rows = Tensor<float, Shape<dyn, dyn>>({static_cast<int>(count), width});
  std::vector<float> host;
  for (long first = 0; first < count; first += batch) {
    const int size = static_cast<int>(std::min<long>(batch, count - first));
    host.resize(static_cast<std::size_t>(size * pixels));
    cpu::parallel_for(size, [&](long i) { load_batch(data, first + i, 1, view, host.data() + i * pixels); });
    const auto images = Tensor<float, Shape<dyn, 3, dyn, dyn>, B>::from(host, {size, view.size, view.size});
    const auto tokens = encoder.layers(images);
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      const auto normalised = l2_normalize(cast<float>(tokens[layer]));
      B::copy_to_host(normalised.data(), layers[layer].rows.data() + first * width, normalised.size());
    }
  }
  return layers;
}

}  // namespace vitral::inline VITRAL_ABI
