// Networks that compute as other people's do, with the weights of tests/fixtures/make_sources.py, on any backend.
#pragma once

#include <vitral/io/checkpoint.hpp>
#include <vitral/models/resolution.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace vitral_tests {

struct Source {
  const char *name, *features;  ///< which of the file's features the network gives
  vitral::ViTOptions options = {};
  int patch = 4, grid = 4, heads = 3;
  std::array<int, 2> others{3, 6};  ///< grids of other resolutions
};

template <class B>
vitral::ViT<B, float> network_of(const Source& source, const vitral::SafetensorsFile& file) {
  const vitral::ViT<B, float> net({source.grid * source.patch, source.patch, 24, 2, source.heads}, vitral::Seed{0},
                                  source.options);
  vitral::for_each_tensor(net, [&](const std::string& name, auto& member) {
    const std::string own = vitral::join(source.name, "/", name);
    auto value = member.value;  // a handle: the elements are the network's
    vitral::load_tensor(file, file.contains(own) ? own : vitral::join(to_string(value.shape()), "/", name), value);
  });
  return net;
}

/// The images of make_sources.py.
template <class B>
auto images_of(int side) {
  std::vector<float> pixels(static_cast<std::size_t>(4 * 3 * side * side));
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<float>(std::sin(0.013 * static_cast<double>(i) * static_cast<double>(i)));
  using Images = vitral::Tensor<float, vitral::Shape<vitral::dyn, vitral::dyn, vitral::dyn, vitral::dyn>, B>;
  return Images::from(pixels, {4, 3, side, side});
}

/// The largest difference; of the first `count` numbers alone where that is given.
inline double largest_difference(const std::vector<float>& found, const std::vector<double>& expected,
                                 std::size_t count = 0) {
  vitral::check(found.size() == expected.size(), found.size(), " numbers, expected ", expected.size());
  double largest = 0;
  for (std::size_t i = 0; i < (count ? count : found.size()); ++i) {
    const double difference = std::abs(found[i] - expected[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

/// How far the features of all layers are from PyTorch's, on a grid of so many patches a side.
template <class B>
double distance_of_features(const Source& source, const vitral::SafetensorsFile& file, int grid) {
  const int side = grid * source.patch;
  std::vector<float> found;
  for (const auto& layer : at_resolution(network_of<B>(source, file), side).layers(images_of<B>(side)))
    for (const float x : layer.to_vector()) found.push_back(x);
  // A distillation token stands for the layers below the last alone, here for the first of two.
  return largest_difference(found, file.values<double>(vitral::join(source.name, "/", side, "/", source.features)),
                            source.options.distilled_layers ? found.size() / 2 : 0);
}

/// The same of the gradients of sum(features * cos(0.1 i)), over all layers, for the parameters that the file has.
template <class B>
double distance_of_gradients(const Source& source, const vitral::SafetensorsFile& file) {
  using namespace vitral;
  const auto net = network_of<B>(source, file);
  Tape tape;
  const auto layers = net.layers(tape.constant(images_of<B>(source.grid * source.patch)));
  long i = 0;
  auto loss_of = [&](const auto& features) {
    std::vector<float> weights(static_cast<std::size_t>(features.value().size()));
    for (float& w : weights) w = static_cast<float>(std::cos(0.1 * static_cast<double>(i++)));
    return sum(features * tape.constant(std::decay_t<decltype(features.value())>::from(weights, features.shape())));
  };
  auto loss = loss_of(layers[0]);
  for (std::size_t layer = 1; layer < layers.size(); ++layer) loss = eval(loss + loss_of(layers[layer]));
  tape.backward(loss);
  double largest = 0;
  for_each_parameter(net, [&](const std::string& name, const auto& p) {
    const std::string entry = join(source.name, "/gradient/", name);
    if (!file.contains(entry) || !p.trainable) return;
    largest = std::max(largest, largest_difference(tape.grad(p).to_vector(), file.values<double>(entry)));
  });
  return largest;
}

/// The two whose gradients the file has.
inline const Source quick_gelu{
    "timm_quick", "class", {.positions = vitral::PositionKind::timm, .gelu = vitral::GeluForm::quick}};
inline const Source registers{
    "dinov2_registers",
    "both",
    {.positions = vitral::PositionKind::timm, .register_tokens = 4, .layer_scale = 1, .pooling = vitral::Pooling::both},
    14,
    2,
    3,
    {1, 3}};

}  // namespace vitral_tests
