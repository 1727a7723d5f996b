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
  const Dataset images = subset(data, count);
  batch = static_cast<int>(std::min<long>(batch, count));
  Loader loader(images, {center_view(encoder.size.image)},
                {.batch = batch, .workers = cpu::threads(), .drop_last = false, .shuffle = false});
  std::vector<Features> layers(static_cast<std::size_t>(encoder.depth()));
  for (Features& layer : layers) {
    layer.rows = Tensor<float, Shape<dyn, dyn>>({static_cast<int>(count), encoder.width()});
    layer.classes = static_cast<int>(data.classes().size());
  }
  loader.start(0);
  for (Batch part; loader.next(part);) {
    const int side = encoder.size.image;
    const auto tokens =
        encoder.layers(Tensor<float, Shape<dyn, 3, dyn, dyn>, B>::from(part.views[0], {part.size, side, side}));
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      const auto normalised = l2_normalize(cast<float>(tokens[layer]));
      B::copy_to_host(normalised.data(), layers[layer].rows.data() + part.index * batch * encoder.width(),
                      normalised.size());
      layers[layer].labels.insert(layers[layer].labels.end(), part.labels.begin(), part.labels.end());
    }
  }
  return layers;
}

}  // namespace vitral::inline VITRAL_ABI
