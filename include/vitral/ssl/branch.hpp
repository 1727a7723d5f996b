// Branch: an encoder and its heads, which are on its last layer, and with self-distillation on lower ones, too.
#pragma once

#include <vitral/ssl/head.hpp>

#include <algorithm>

namespace vitral { inline namespace VITRAL_ABI {

/// How the heads of the lower layers differ from the final layer's. The defaults are the published method's.
struct LowerHeads {
  int hidden = 0;                 // units of the projectors; 0: half of the final layer's
  int depth = 3;                  // linear layers of the projectors
  bool shared_projector = false;  // one projector for all lower layers, instead of one each
  bool shared_predictor = false;  // the same of the predictors
};

/// Sizes of the heads.
struct HeadOptions {
  int hidden = 4096;  // units of the last projector and of every predictor
  int out = 256;      // width of every head's result
  LowerHeads lower = {};
};

/// The layers below the final one of so many: 1, 2, ..., depth - 1.
[[nodiscard]] inline std::vector<int> layers_below(int depth) {
  std::vector<int> out;
  for (int layer = 1; layer < depth; ++layer) out.push_back(layer);
  return out;
}

namespace detail {

/// Which of `count` heads or targets is for the i-th of `layers` layers: the last is the final layer's, the others are
/// the lower layers' one each or one for all, and one alone is for every layer.
inline std::size_t place_of_layer(std::size_t i, std::size_t layers, std::size_t count) {
  return i + 1 == layers || count == 1 ? count - 1 : std::min(i, count - 2);
}

}  // namespace detail

/// A student, or a teacher. `Encoder` offers depth(), width(), layers(images, mode) and (images, mode), as ViT does.
/// Projectors and predictors stand in the order of their layers, the final layer's last; what lower layers share stands
/// before it.
template <class Encoder>
struct Branch {
  using scalar = scalar_of_module<Encoder>;
  using backend = backend_of_module<Encoder>;

  Encoder encoder;
  std::vector<Head<scalar, backend>> projector, predictor;
  std::vector<int> lower;  ///< the layers below the final one that have heads, from 1

  /// `predictors`: whether projectors have predictors behind them. `lower_layers`: those with heads below the final
  /// one, from 1 and rising: none, layers_below(encoder.depth()), or some. Parameters of the encoder are shared with
  /// the caller's, not copied.
  Branch(const Encoder& shared, const HeadOptions& options, LastNorm last, bool predictors,
         std::vector<int> lower_layers, Initializer& init)
      : encoder(shared), lower(std::move(lower_layers)) {
    const LowerHeads& heads = options.lower;
    const auto count = [&](bool one) { return one ? std::min<std::size_t>(lower.size(), 1) : lower.size(); };
    for (std::size_t i = 0; i < count(heads.shared_projector); ++i)
      projector.emplace_back(heads.depth, encoder.width(), heads.hidden > 0 ? heads.hidden : options.hidden / 2,
                             options.out, last, init);
    projector.emplace_back(3, encoder.width(), options.hidden, options.out, last, init);
    for (std::size_t i = 0; i <= count(heads.shared_predictor) && predictors; ++i)
      predictor.emplace_back(2, options.out, options.hidden, options.out, last, init);
  }

  /// The number of layers with heads.
  [[nodiscard]] std::size_t headed() const { return lower.size() + 1; }
  /// The projector of the i-th layer with heads, and its predictor.
  [[nodiscard]] const auto& projector_of(std::size_t i) const {
    return projector[detail::place_of_layer(i, headed(), projector.size())];
  }
  [[nodiscard]] const auto& predictor_of(std::size_t i) const {
    return predictor[detail::place_of_layer(i, headed(), predictor.size())];
  }

  /// The tokens of each layer that has heads, [batch, width].
  template <class Mode>
  [[nodiscard]] auto features(const Operand auto& images, const Mode& mode) const {
    return features(encoder, images, mode);
  }
  /// The same by another form of the encoder, such as the one for smaller images.
  template <class Mode>
  [[nodiscard]] auto features(const Encoder& form, const Operand auto& images, const Mode& mode) const {
    std::vector<std::decay_t<decltype(form(images, mode))>> out;
    if (lower.empty()) {
      out.push_back(form(images, mode));
      return out;
    }
    auto all = form.layers(images, mode);
    for (const int layer : lower) out.push_back(std::move(all[static_cast<std::size_t>(layer - 1)]));
    out.push_back(std::move(all.back()));
    return out;
  }

  /// The features of each layer through its projector, [batch, out].
  template <class X, class Mode>
  [[nodiscard]] auto project(const std::vector<X>& features, const Mode& mode) const {
    std::vector<std::decay_t<decltype(projector[0](features[0], mode))>> out;
    const auto next = [&](std::size_t i) { out.push_back(projector_of(i)(features[i], mode)); };
    if (projector.size() == features.size()) {
      in_lanes<backend>(features.size(), next);
    } else {  // running statistics that layers share follow one after the other
      for (std::size_t i = 0; i < features.size(); ++i) next(i);
    }
    return out;
  }

  VITRAL_MEMBERS(encoder, projector, predictor)
};

}}  // namespace vitral
