// Features of images after every layer of a network, computed in one pass over a data set.
// Whatever backend computes them, they come to lie in host memory or in a file, and the rest of eval/ works on the CPU.
#pragma once

#include <vitral/autodiff/softmax.hpp>
#include <vitral/backend/cpu/threads.hpp>
#include <vitral/data/subset.hpp>
#include <vitral/eval/encoder.hpp>
#include <vitral/eval/feature_file.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The numbers of the layers that `asked` names, each once, in rising order; all of `depth` where it names none. Throws
/// Error where there is no such layer.
[[nodiscard]] inline std::vector<int> chosen_layers(std::vector<int> asked, int depth) {
  for (const int layer : asked)
    check(layer >= 1 && layer <= depth, "layer ", layer, " was asked for, and the network has layers 1 to ", depth);
  if (asked.empty()) {
    asked.resize(static_cast<std::size_t>(depth));
    std::iota(asked.begin(), asked.end(), 1);
  }
  std::sort(asked.begin(), asked.end());
  asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
  return asked;
}

/// Which features are computed, and how.
struct FeatureOptions {
  std::vector<int> layers{};         ///< numbers of the layers that are kept, from 1 on; none: all
  std::uint64_t seed = 0;            ///< decides what random views look like
  int batch = 128;                   ///< images that pass through the network at a time
  std::function<void(long)> done{};  ///< called after each batch with the number of images so far
  FeatureStorage storage{};          ///< where the features come to lie
};

/// The features of `count` images, drawn from all classes in proportion (spread_places), as each of `views` shows them:
/// result[view][i] is of the i-th of the options' layers. An image that cannot be read is named on the terminal and has
/// no row. Throws Error, with the layer's number, where a feature is not finite.
template <FeatureEncoder Network>
[[nodiscard]] std::vector<std::vector<Features>> extract_features(const Network& encoder, const Dataset& data,
                                                                  long count, const ImageViews& views,
                                                                  const FeatureOptions& options = {}) {
  using B = typename Network::backend;
  check(data.size() > 0, "features: ", data.name(), " has no images");
  const std::vector<long> places = spread_places(data, count, Seed{});
  count = static_cast<long>(places.size());
  const int batch = static_cast<int>(std::min<long>(options.batch, count));
  const std::vector<int> layers = chosen_layers(options.layers, encoder.depth());
  const Dataset chosen = select_images(data, places);
  Loader loader(chosen, views, in_order(chosen, batch, cpu::threads(), options.seed));
  const int width = encoder.width();
  std::vector<Features> empty(layers.size());
  std::optional<detail::FeatureWriter> file;
  if (!options.storage.folder.empty())
    file.emplace(options.storage, std::ssize(views) * std::ssize(layers), count, width);
  for (Features& layer : empty) {
    layer.width = width;
    if (!file) layer.rows.reserve(static_cast<std::size_t>(count * width));
    layer.classes = static_cast<int>(data.classes().size());
  }
  std::vector<std::vector<Features>> out(views.size(), empty);
  std::vector<float> rows;
  for (const Batch& part : loader.epoch(0)) {
    for (std::size_t view = 0; view < views.size(); ++view) {
      const auto tokens = encoder.layers(to_backend<B>(part.views[view]));
      for (std::size_t layer = 0; layer < layers.size(); ++layer) {
        Features& to = out[view][layer];
        const auto normalised = l2_normalize(cast<float>(tokens[static_cast<std::size_t>(layers[layer] - 1)]));
        rows.resize(static_cast<std::size_t>(part.size()) * static_cast<std::size_t>(width));
        B::copy_to_host(normalised.data(), rows.data(), normalised.size());
        const std::string name = join("layer ", layers[layer]);
        auto missing = part.missing.begin();
        for (int i = 0; i < part.size(); ++i) {
          if (missing != part.missing.end() && *missing == i) {
            ++missing;
            continue;
          }
          const auto row = rows.begin() + static_cast<std::ptrdiff_t>(i) * width;
          const long place = places[static_cast<std::size_t>(part.index * batch + i)];
          check_finite({row, row + width}, width, name, place);
          to.rows.insert(to.rows.end(), row, row + width);
          to.labels.push_back(part.labels.data()[i]);
          to.places.push_back(place);
        }
        if (file) {
          const long new_rows = std::ssize(to.rows) / width;
          file->write(static_cast<long>(view * layers.size() + layer), std::ssize(to.places) - new_rows, to.rows);
          to.rows.clear();
        }
      }
    }
    if (options.done) options.done(part.index * batch + part.size());
  }
  if (out[0][0].places.empty()) detail::fail_unreadable(loader.dataset());
  if (file) {
    const std::vector<StoredRows> stored =
        file->stored(std::ssize(views) * std::ssize(layers), static_cast<int>(out[0][0].places.size()));
    for (std::size_t i = 0; i < stored.size(); ++i) {
      Features& layer = out[i / layers.size()][i % layers.size()];
      layer.rows.shrink_to_fit();
      layer.stored = stored[i];
    }
  }
  return out;
}

/// The same for one view, the image scaled and cut to its centre, bilinear: result[i].
///
///   const auto every_layer = extract_features(encoder, train, 2000);
///   const auto two_layers = extract_features(encoder, train, 2000, {.layers = {6, 12}});
template <FeatureEncoder Network>
[[nodiscard]] std::vector<Features> extract_features(const Network& encoder, const Dataset& data, long count,
                                                     const FeatureOptions& options = {}) {
  return std::move(extract_features(encoder, data, count, {view_for(encoder, {.size = 0})}, options)[0]);
}

}}  // namespace vitral
