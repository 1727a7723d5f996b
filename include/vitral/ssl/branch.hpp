// Branch: an encoder and its heads, which are on its last layer or on every layer.
#pragma once

#include <vitral/ssl/head.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Sizes of the heads.
struct HeadOptions {
  int hidden = 4096;  // units of the last projector and of every predictor; earlier projectors have half, as published
  int out = 256;      // width of every head's result
};

/// Which layers of the encoder have heads: every one with self-distillation.
enum class HeadedLayers { last, every };

/// A student, or a teacher. `Encoder` offers depth(), width(), layers(images, mode) and (images, mode), as ViT does.
template <class Encoder>
struct Branch {
  using scalar = scalar_of_module<Encoder>;
  using backend = backend_of_module<Encoder>;

  Encoder encoder;
  std::vector<Head<scalar, backend>> projector, predictor;
  HeadedLayers layers;

  /// `predictors`: whether each projector has a predictor behind it. Parameters of the encoder are shared with the
  /// caller's, not copied.
  Branch(const Encoder& shared, const HeadOptions& options, LastNorm last, bool predictors, HeadedLayers which,
         Initializer& init)
      : encoder(shared), layers(which) {
    const int heads = which == HeadedLayers::every ? encoder.depth() : 1;
    for (int i = 0; i < heads; ++i) {
      const int hidden = i == heads - 1 ? options.hidden : options.hidden / 2;
      projector.emplace_back(3, encoder.width(), hidden, options.out, last, init);
    }
    for (int i = 0; i < heads && predictors; ++i)
      predictor.emplace_back(2, options.out, options.hidden, options.out, last, init);
  }

  /// The class tokens of each layer that has a projector, [batch, width].
  template <class Mode>
  [[nodiscard]] auto features(const Operand auto& images, const Mode& mode) const {
    if (layers == HeadedLayers::every) return encoder.layers(images, mode);
    std::vector<std::decay_t<decltype(encoder(images, mode))>> one;
    one.push_back(encoder(images, mode));
    return one;
  }

  /// The features of each layer through its projector, [batch, out].
  template <class X, class Mode>
  [[nodiscard]] auto project(const std::vector<X>& features, const Mode& mode) const {
    std::vector<std::decay_t<decltype(projector[0](features[0], mode))>> out;
    in_lanes<backend>(features.size(), [&](std::size_t i) { out.push_back(projector[i](features[i], mode)); });
    return out;
  }

  VITRAL_MEMBERS(encoder, projector, predictor)
};

}}  // namespace vitral
