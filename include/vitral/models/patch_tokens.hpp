// Patch tokens of a layer, for images of any size in whole patches: the features of dense tasks.
#pragma once

#include <vitral/models/resolution.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// images [batch, 3, height, width] -> their patches after block `layer` (1 to depth) and the final norm, row by row:
/// [batch, patches, width]. Where the grid of patches is not the network's own, its positions are interpolated.
template <class B, class T, ViTSize Size>
[[nodiscard]] auto patch_tokens(const ViT<B, T, Size>& encoder, const Operand auto& images, int layer) {
  check(layer >= 1 && layer <= encoder.depth(), "patch tokens: layer ", layer, " is not one of 1 to ", encoder.depth());
  const int rows = images.extent(2) / encoder.size.patch, columns = images.extent(3) / encoder.size.patch;
  const auto positions = positions_for(encoder, rows, columns);
  const int prefix = positions.value.extent(1) - rows * columns;
  auto x = encoder.tokens(images, positions);
  for (int i = 0; i < layer; ++i) x = encoder.blocks[static_cast<std::size_t>(i)](x);
  return encoder.norm(slice<1, dyn>(x, prefix, rows * columns));
}

}}  // namespace vitral
