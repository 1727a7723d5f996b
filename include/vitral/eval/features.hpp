// Features of images after every layer of a network, computed in one pass over a data set.
// Whatever backend computes them, they come to lie in host memory or in a file, and the rest of eval/ works on the CPU.
#pragma once

#include <vitral/autodiff/softmax.hpp>
#include <vitral/backend/cpu/threads.hpp>
#include <vitral/data/subset.hpp>
#include <vitral/eval/encoder.hpp>
#include <vitral/io/scalar_type.hpp>
#include <vitral/io/scratch_file.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Rows that lie in a file, which is mapped into memory.
struct StoredRows {
  std::shared_ptr<const std::byte> numbers{};  ///< [images, width]; null where there is no file
  ScalarType type = ScalarType::f32;           ///< or f16 or bf16
  int images = 0;
};

/// What a layer makes of images, one row for each, in memory or in a file.
struct Features {
  std::vector<float> rows;  ///< [images, width]; from extract_features each row has unit length
  int width = 0;
  std::vector<int> labels;     ///< of the images, 0 to classes - 1
  int classes = 0;             ///< 0 where images have no labels
  std::vector<long> places{};  ///< the images' numbers in their data set
  StoredRows stored{};         ///< the rows, where they are not in memory

  [[nodiscard]] int images() const {
    if (stored.numbers) return stored.images;
    return width > 0 ? static_cast<int>(rows.size() / static_cast<std::size_t>(width)) : 0;
  }
};

/// Writes `count` rows from row `first` on to `out` [count, width], from memory or from a file.
inline void copy_rows(const Features& features, long first, long count, float* out) {
  const long begin = first * features.width, size = count * features.width;
  const auto convert = [&](const auto* numbers, auto to_float) {
    for (long i = 0; i < size; ++i) out[i] = to_float(numbers[begin + i]);
  };
  const void* const numbers = features.stored.numbers.get();
  if (!numbers)
    std::copy_n(features.rows.data() + begin, size, out);
  else if (features.stored.type == ScalarType::f16)
    convert(static_cast<const std::uint16_t*>(numbers), detail::float_from_f16);
  else if (features.stored.type == ScalarType::bf16)
    convert(static_cast<const bf16*>(numbers), [](bf16 x) { return static_cast<float>(x); });
  else
    std::copy_n(static_cast<const float*>(numbers) + begin, size, out);
}

/// All rows as floats [images, width]: where they are, or where a file has others than floats in `copy`.
[[nodiscard]] inline std::span<const float> all_rows(const Features& features, std::vector<float>& copy) {
  if (!features.stored.numbers) return features.rows;
  const auto size = static_cast<std::size_t>(features.images()) * static_cast<std::size_t>(features.width);
  const void* const numbers = features.stored.numbers.get();
  if (features.stored.type == ScalarType::f32) return {static_cast<const float*>(numbers), size};
  copy.resize(size);
  copy_rows(features, 0, features.images(), copy.data());
  return copy;
}

/// The features of the images in `chosen` rows, in that order, in memory.
[[nodiscard]] inline Features select_rows(const Features& features, const std::vector<long>& chosen) {
  Features out{{}, features.width, {}, features.classes, {}};
  out.rows.resize(chosen.size() * static_cast<std::size_t>(features.width));
  float* to = out.rows.data();
  for (const long i : chosen) {
    check(i >= 0 && i < features.images(), "features: row ", i, " of ", features.images(), " was asked for");
    copy_rows(features, i, 1, to);
    to += features.width;
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
/// Rows in a file were checked when they were written.
inline void check_rows(const Features& features, std::string_view whose) {
  check(features.images() > 0, whose, ": there are no features");
  if (features.stored.numbers) return;
  check(features.rows.size() % static_cast<std::size_t>(features.width) == 0, whose, ": ", features.rows.size(),
        " numbers are no rows of width ", features.width);
  check_finite(features.rows, features.width, whose);
}

/// The same, and where the rows are not in memory.
inline void check_features(const Features& features, std::string_view whose) {
  check(!features.stored.numbers, whose, ": the features lie in a file; select_rows brings them into memory");
  check_rows(features, whose);
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

/// Where features lie: in memory, or where a folder is named in a temporary file there, so that they need no more
/// memory than a layer at a time.
struct FeatureStorage {
  std::filesystem::path folder{};
  ScalarType type = ScalarType::f32;  ///< of the numbers in the file: f32, f16 or bf16
};

/// Which features are computed, and how.
struct FeatureOptions {
  std::vector<int> layers{};         ///< numbers of the layers that are kept, from 1 on; none: all
  std::uint64_t seed = 0;            ///< decides what random views look like
  int batch = 128;                   ///< images that pass through the network at a time
  std::function<void(long)> done{};  ///< called after each batch with the number of images so far
  FeatureStorage storage{};
};

namespace detail {

/// The file of the features of so many layers (of all views), `count` images each.
class FeatureWriter {
 public:
  FeatureWriter(const FeatureStorage& storage, long layers, long count, int width)
      : type_(storage.type),
        row_(width * scalar_type_size(type_)),
        layer_(count * row_),
        file_(storage.folder, layers * layer_) {
    check(type_ == ScalarType::f32 || type_ == ScalarType::f16 || type_ == ScalarType::bf16,
          "features: FeatureStorage::type is ", scalar_type_name(type_), "; expected F32, F16 or BF16");
  }

  /// Writes `rows` as those from row `first` on of layer number `layer`, from 0 on.
  void write(long layer, long first, std::span<const float> rows) {
    const auto put = [&](const auto& numbers) {
      file_.write(layer * layer_ + first * row_, std::as_bytes(std::span(numbers)));
    };
    if (type_ == ScalarType::f32) return put(rows);
    if (type_ == ScalarType::bf16) return put(std::vector<bf16>(rows.begin(), rows.end()));
    std::vector<std::uint16_t> halves(rows.size());
    std::transform(rows.begin(), rows.end(), halves.begin(), f16_from_float);
    put(halves);
  }

  /// The rows of the layers, of so many images each.
  [[nodiscard]] std::vector<StoredRows> stored(long layers, int images) const {
    const std::shared_ptr<const std::byte> all = file_.map();
    std::vector<StoredRows> out;
    for (long i = 0; i < layers; ++i) out.push_back({{all, all.get() + i * layer_}, type_, images});
    return out;
  }

 private:
  ScalarType type_;
  long row_, layer_;  // bytes
  ScratchFile file_;
};

}  // namespace detail

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
