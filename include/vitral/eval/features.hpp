// Frozen features: the class token of every layer for the images of a data set, extracted in one pass.
#pragma once

#include <vitral/autodiff/softmax.hpp>
#include <vitral/backend/cpu/threads.hpp>
#include <vitral/data/loader.hpp>

#include <functional>

namespace vitral::inline VITRAL_ABI {

/// Rows [images, width] of l2-normalised features in host memory, and the images' labels.
struct Features {
  std::vector<float> rows;
  int width = 0;
  std::vector<int> labels;
  int classes = 0;

  [[nodiscard]] int images() const { return static_cast<int>(rows.size()) / width; }
};

/// The features of the first `count` images, one entry per layer. The encoder is in evaluation mode. After each batch
/// `done` is told how many images have passed.
template <class Encoder>
[[nodiscard]] std::vector<Features> extract_features(const Encoder& encoder, const Dataset& data, long count,
                                                     int batch = 128, const std::function<void(long)>& done = {}) {
  using B = typename Encoder::backend;
  count = std::min(count, data.size());
  check(count > 0, "features: ", data.name(), " has no images");
  const Dataset images = subset(data, count);
  batch = static_cast<int>(std::min<long>(batch, count));
  Loader loader(images, {center_view(encoder.size.image)},
                {.batch = batch, .workers = cpu::threads(), .drop_last = false, .shuffle = false});
  std::vector<Features> layers(static_cast<std::size_t>(encoder.depth()));
  for (Features& layer : layers) {
    layer.width = encoder.width();
    layer.rows.resize(static_cast<std::size_t>(count * layer.width));
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
    if (done) done(part.index * batch + part.size);
  }
  return layers;
}

}  // namespace vitral::inline VITRAL_ABI
