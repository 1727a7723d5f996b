// A checkpoint's network on the device that --device names. Images and features lie in host memory either way, so the
// programs that look at features are the same for both.
#pragma once

#include "common/on_cuda.hpp"

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/eval/encoder.hpp>
#include <vitral/models/first_layers.hpp>
#include <vitral/models/load_vit.hpp>
#include <vitral/models/patch_tokens.hpp>

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The option that names the device of a network; `help` says what is computed there.
inline void add_device_option(CLI::App& app, std::string& device, const std::string& help) {
  app.add_option("--device", device, help)->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
}

/// Normalised images [batch, 3, height, width].
using HostImages = detail::ImagesOn<Cpu>;

/// The first layers of a ViT, as a FeatureEncoder and TokenEncoder (eval/).
struct Network {
  using backend = Cpu;
  using Rows = Tensor<float, Shape<dyn, dyn>>;
  using Tokens = Tensor<float, Shape<dyn, dyn, dyn>>;

  ViTSize size;  ///< its depth: how many layers these are
  int features;  ///< their width
  std::function<std::vector<Rows>(const HostImages&)> layers;
  std::function<Tokens(const HostImages&)> tokens;

  [[nodiscard]] int width() const { return features; }
  [[nodiscard]] int depth() const { return size.depth; }
};
inline Network::Tokens all_tokens(const Network& network, const HostImages& images) { return network.tokens(images); }

/// A network on the CPU, which shares the parameters of `vit`.
inline Network network_of(const ViT<Cpu, float>& vit) {
  return {vit.size, vit.width(), [vit](const HostImages& images) { return vit.layers(images); },
          [vit](const HostImages& images) { return all_tokens(vit, images); }};
}

/// The first `layers` layers of the file's network, on the device "cpu" or "cuda". Throws Error where there is no such
/// device.
inline Network network_on(const std::string& device, const TensorFile& file, NetworkBranch branch, int layers) {
  if (device == "cpu") return network_of(first_layers(load_vit<Cpu, float>(file, {}, branch), layers));
  ViTSize size = vit_size(file, branch);
  size.depth = layers;
  const auto [allocate, release] = page_locked_memory_on_cuda();
  host_memory = {allocate, release, true};
  const int width = size.width * (vit_options(file, branch).pooling == Pooling::both ? 2 : 1);
  const auto functions = network_on_cuda(file.path(), branch == NetworkBranch::teacher, size.heads, layers);
  const auto results = [](const FunctionOfImages& function, const HostImages& images) {
    return function(images.data(), images.extent(0), images.extent(2), images.extent(3));
  };
  const auto class_tokens = [=, of = functions.first](const HostImages& images) {
    const std::vector<float> values = results(of, images);
    const Shape<dyn, dyn> shape{images.extent(0), width};
    std::vector<Network::Rows> out;
    for (auto rows = values.begin(); rows != values.end(); rows += shape.size())
      out.push_back(Network::Rows::from(std::vector<float>(rows, rows + shape.size()), shape));
    return out;
  };
  const auto tokens = [=, of = functions.second](const HostImages& images) {
    const std::vector<float> values = results(of, images);
    const long of_image = std::ssize(values) / images.extent(0);
    return Network::Tokens::from(values, {images.extent(0), static_cast<int>(of_image / size.width), size.width});
  };
  return {size, width, class_tokens, tokens};
}

}}}  // namespace vitral::programs
