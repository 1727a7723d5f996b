// Tokens of a layer for images of any size in whole patches; those of the patches are the features of dense tasks.
#pragma once

#include <vitral/models/resolution.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// All tokens after block `layer`, before the final norm, [batch, tokens, width]; the patches are the last of them.
template <class B, class T, ViTSize Size>
[[nodiscard]] auto tokens_after(const ViT<B, T, Size>& encoder, const Operand auto& images, int layer) {
  const int rows = images.extent(2) / encoder.size.patch, columns = images.extent(3) / encoder.size.patch;
  auto x = encoder.tokens(images, positions_for(encoder, rows, columns));
  for (int i = 0; i < layer; ++i) x = encoder.blocks[static_cast<std::size_t>(i)](x);
  return x;
}

}  // namespace detail

/// images [batch, 3, height, width] in whole patches -> all their tokens after the last block and the final norm,
/// [batch, tokens, width]: the class token, others that are no patches, and the patches, row by row. Where the grid of
/// patches is not the network's own, its positions are interpolated.
template <class B, class T, ViTSize Size>
[[nodiscard]] auto all_tokens(const ViT<B, T, Size>& encoder, const Operand auto& images) {
  return encoder.normalized(detail::tokens_after(encoder, images, encoder.depth()));
}

/// images [batch, 3, height, width] -> their patches after block `layer` (1 to depth) and the final norm, row by row:
/// [batch, patches, width]. Where the grid of patches is not the network's own, its positions are interpolated.
template <class B, class T, ViTSize Size>
[[nodiscard]] auto patch_tokens(const ViT<B, T, Size>& encoder, const Operand auto& images, int layer) {
  check(layer >= 1 && layer <= encoder.depth(), "patch tokens: layer ", layer, " is not one of 1 to ", encoder.depth());
  const int patches = images.extent(2) / encoder.size.patch * (images.extent(3) / encoder.size.patch);
  const auto tokens = detail::tokens_after(encoder, images, layer);
  return encoder.normalized(slice<1, dyn>(tokens, tokens.extent(1) - patches, patches));
}

}}  // namespace vitral
