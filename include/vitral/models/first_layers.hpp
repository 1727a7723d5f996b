// A network that ends early: by self-distillation each layer's class token is a feature of its own (Jang et al. 2023).
#pragma once

#include <vitral/models/vit.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// The network that ends after block `layers`, 1 to depth, with the same final norm. Its features are those of
/// `encoder.layers(images)[layers - 1]` up to rounding, as its last block works for the class token alone. It shares
/// the parameters of `encoder`, so it costs no memory. Where the type fixes the depth, `depth()` says the new one.
template <class B, class T, ViTSize Size>
[[nodiscard]] ViT<B, T, Size> first_layers(ViT<B, T, Size> encoder, int layers) {
  check(layers >= 1 && layers <= encoder.depth(), "first_layers: ", layers, " is not one of 1 to ", encoder.depth());
  encoder.blocks.erase(encoder.blocks.begin() + layers, encoder.blocks.end());
  encoder.size.depth = layers;
  return encoder;
}

}}  // namespace vitral
