// A network that ends early: by self-distillation each layer's class token is a feature of its own (Jang et al. 2023).
#pragma once

#include <vitral/models/vit.hpp>

#include <algorithm>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// The network that ends after block `layers`, 1 to depth, with the same final norm. Its features are those of
/// `encoder.layers(images)[layers - 1]` up to rounding, as its last block works for the class token alone. It shares
/// the parameters of `encoder`, so it costs no memory. Where the type fixes the depth, `depth()` says the new one.
/// Where these features are a distillation token, it becomes the class token of the shorter network, and that the
/// other: attention knows no order of tokens.
template <class B, class T, ViTSize Size>
[[nodiscard]] ViT<B, T, Size> first_layers(ViT<B, T, Size> encoder, int layers) {
  check(layers >= 1 && layers <= encoder.depth(), "first_layers: ", layers, " is not one of 1 to ", encoder.depth());
  if (encoder.lower_token == 1 && layers < encoder.depth()) {
    std::swap(encoder.cls_token, encoder.dist_token[0]);
    auto& positions = encoder.pos_embed.value;
    auto rows = positions.to_vector();
    std::swap_ranges(rows.begin(), rows.begin() + encoder.size.width, rows.begin() + encoder.size.width);
    positions = std::remove_reference_t<decltype(positions)>::from(rows, positions.shape());
    encoder.lower_token = 0;
  }
  encoder.blocks.erase(encoder.blocks.begin() + layers, encoder.blocks.end());
  encoder.size.depth = layers;
  return encoder;
}

}}  // namespace vitral
