// Batches of features, as linear classifiers learn from them: a source for a trainer. Relies on data/batches.hpp.
#pragma once

#include <vitral/backend/cpu/threads.hpp>
#include <vitral/data/batches.hpp>
#include <vitral/eval/feature_rows.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Writes rows of features as classifiers take them, [places, width + 1]: times sqrt(width), so that their elements are
/// about as large as a LayerNorm leaves them and rates mean what they do in publications; then a 1 for the bias.
inline void gather_inputs(const Features& from, std::span<const long> places, Tensor<float, Shape<dyn, dyn>, Cpu>& x) {
  const long width = from.width;
  const float scale = std::sqrt(static_cast<float>(width));
  make_room(x, Shape<dyn, dyn>{std::ssize(places), width + 1});
  cpu::parallel_for(std::ssize(places), [&](long i) {
    float* const to = x.data() + i * (width + 1);
    copy_rows(from, places[static_cast<std::size_t>(i)], 1, to);
    for (long j = 0; j < width; ++j) to[j] *= scale;
    to[width] = 1;
  });
}

}  // namespace detail

/// Features of some images after each layer, each row with a 1 for the bias behind it, and the images' labels.
template <class B>
struct FeatureBatch {
  std::vector<Tensor<float, Shape<dyn, dyn>, B>> x;  ///< of each layer, [images, width + 1]
  Tensor<int, Shape<dyn>, B> labels;                 ///< [images]
};
/// The batch on another backend; what is copied is queued, as for a tensor.
template <class To, class B>
[[nodiscard]] FeatureBatch<To> to_backend(const FeatureBatch<B>& batch) {
  FeatureBatch<To> out{{}, to_backend<To>(batch.labels)};
  for (const auto& x : batch.x) out.x.push_back(to_backend<To>(x));
  return out;
}

/// A source of batches of the images in `rows` of every layer's features, which have to outlive it; they may lie in a
/// file. Each epoch has an order of its own; its last batch may be smaller.
///
///   FeatureBatches source(known, {0, 1, 5}, {.batch = 2, .drop_last = false});
class FeatureBatches {
 public:
  using batch_type = FeatureBatch<Cpu>;

  FeatureBatches(const std::vector<Features>& layers, const std::vector<long>& rows, const BatchesOptions& options)
      : layers_(layers), order_(tensor_of(rows), options) {}

  [[nodiscard]] long batches() const { return order_.batches(); }
  void start(long epoch, long first_batch = 0) { order_.start(epoch, first_batch); }
  bool next(batch_type& batch) {
    if (!order_.next(chosen_)) return false;
    const std::span<const long> rows(chosen_.x.data(), chosen_.places.size());
    batch.x.resize(layers_.size());
    for (std::size_t layer = 0; layer < layers_.size(); ++layer)
      detail::gather_inputs(layers_[layer], rows, batch.x[layer]);
    detail::make_room(batch.labels, Shape<dyn>{std::ssize(rows)});
    std::transform(rows.begin(), rows.end(), batch.labels.data(),
                   [&](long row) { return layers_[0].labels[static_cast<std::size_t>(row)]; });
    return true;
  }
  void stop() { order_.stop(); }

 private:
  using Rows = Tensor<long, Shape<dyn>, Cpu>;

  static Rows tensor_of(const std::vector<long>& rows) {
    Rows out;
    detail::make_room(out, Shape<dyn>{std::ssize(rows)});
    std::copy(rows.begin(), rows.end(), out.data());
    return out;
  }

  const std::vector<Features>& layers_;
  Batches<Rows> order_;
  Batches<Rows>::batch_type chosen_;
};

}}  // namespace vitral
