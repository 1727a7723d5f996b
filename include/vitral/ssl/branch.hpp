// Branch: an encoder with heads, for its last layer or for every layer.
#pragma once

#include <vitral/ssl/head.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Sizes of the heads. Lower layers' projectors have half the hidden units, as in the published code.
struct HeadOptions {
  int hidden = 4096;  // of the last layer's projector and of every predictor
  int out = 256;      // of every head
};

/// Which layers have heads: the last one, or every one for self-distillation.
enum class HeadedLayers { last, every };

/// An encoder with the heads of its layers: a student or a teacher.
template <class Encoder>
struct Branch {
  using scalar = scalar_of_module<Encoder>;
  using backend = backend_of_module<Encoder>;

  Encoder encoder;
  std::vector<Head<scalar, backend>> projector, predictor;
  HeadedLayers layers;

  /// `predictors` adds a predictor to every projector. The encoder is shared with the caller, not copied.
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

  /// Class tokens [batch, width] that the projectors take: of every layer, or of the last one alone.
  template <class Mode>
  [[nodiscard]] auto features(const Operand auto& images, const Mode& mode) const {
    if (layers == HeadedLayers::every) return encoder.layers(images, mode);
    std::vector<std::decay_t<decltype(encoder(images, mode))>> one;
    one.push_back(encoder(images, mode));
    return one;
  }

  /// Each block through the projector of its layer.
  template <class X, class Mode>
  [[nodiscard]] auto project(const std::vector<X>& blocks, const Mode& mode) const {
    std::vector<std::decay_t<decltype(projector[0](blocks[0], mode))>> out;
    in_lanes<backend>(blocks.size(), [&](std::size_t i) { out.push_back(projector[i](blocks[i], mode)); });
    return out;
  }

  VITRAL_MEMBERS(encoder, projector, predictor)
};

}}  // namespace vitral
