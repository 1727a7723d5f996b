// Features of images after every layer of a network, computed in one pass over a data set.
// Whatever backend computes them, they come to lie in host memory, and the rest of eval/ works there, on the CPU.
#pragma once

#include <vitral/autodiff/softmax.hpp>
#include <vitral/backend/cpu/threads.hpp>
#include <vitral/data/subset.hpp>
#include <vitral/eval/encoder.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// What a layer makes of images, one row for each.
struct Features {
  std::vector<float> rows;  ///< [images, width]; from extract_features each row has unit length
  int width = 0;
  std::vector<int> labels;     ///< of the images, 0 to classes - 1
  int classes = 0;             ///< 0 where images have no labels
  std::vector<long> places{};  ///< the images' numbers in their data set

  [[nodiscard]] int images() const {
    return width > 0 ? static_cast<int>(rows.size() / static_cast<std::size_t>(width)) : 0;
  }
};

/// The features of the images in `chosen` rows, in that order.
[[nodiscard]] inline Features select_rows(const Features& features, const std::vector<long>& chosen) {
  Features out{{}, features.width, {}, features.classes, {}};
  for (const long i : chosen) {
    check(i >= 0 && i < features.images(), "features: row ", i, " of ", features.images(), " was asked for");
    const auto row = features.rows.begin() + i * features.width;
    out.rows.insert(out.rows.end(), row, row + features.width);
    if (!features.labels.empty()) out.labels.push_back(features.labels[static_cast<std::size_t>(i)]);
    if (!features.places.empty()) out.places.push_back(features.places[static_cast<std::size_t>(i)]);
  }
  return out;
}

/// Throws Error, beginning with `whose`, where a number of `rows` [images, width] is infinite or no number. The message
/// names the image: the first row's is number `first`; `what` is the word for it.
inline void check_finite(std::span<const float> rows, int width, std::string_view whose, long first = 0,
                         std::string_view what = "image") {
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!std::isfinite(rows[i]))
      fail(whose, ": number ", i % static_cast<std::size_t>(width), " of the features of ", what, " ",
           first + static_cast<long>(i) / width, " is ", rows[i], "; has the training diverged?");
}

/// Throws Error, beginning with `whose`, where there are no rows, the last row is not whole, or a number is not finite.
inline void check_features(const Features& features, std::string_view whose) {
  check(features.images() > 0, whose, ": there are no features");
  check(features.rows.size() % static_cast<std::size_t>(features.width) == 0, whose, ": ", features.rows.size(),
        " numbers are no rows of width ", features.width);
  check_finite(features.rows, features.width, whose);
}

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
  Loader loader(select_images(data, places), views,
                {.batch = batch,
                 .seed = options.seed,
                 .workers = cpu::threads(),
                 .drop_last = false,
                 .shuffle = false,
                 .unreadable = count,
                 .replace = false});
  const int width = encoder.width();
  std::vector<Features> empty(layers.size());
  for (Features& layer : empty) {
    layer.width = width;
    layer.rows.reserve(static_cast<std::size_t>(count * width));
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
      }
    }
    if (options.done) options.done(part.index * batch + part.size());
  }
  if (out[0][0].rows.empty()) detail::fail_unreadable(loader.dataset());
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
