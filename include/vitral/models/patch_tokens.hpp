// Patch tokens of a layer, for images of any size in whole patches: the features of dense tasks.
#pragma once

#include <vitral/models/vit.hpp>
#include <vitral/nn/positions.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// images [batch, 3, height, width] -> their patches after block `layer` (1 to depth) and the final norm, row by row:
/// [batch, patches, width]. Where the grid of patches is not the network's own, its positions are interpolated.
template <class B, class T, ViTSize Size>
[[nodiscard]] auto patch_tokens(const ViT<B, T, Size>& encoder, const Operand auto& images, int layer) {
  check(layer >= 1 && layer <= encoder.depth(), "patch tokens: layer ", layer, " is not one of 1 to ", encoder.depth());
  const int grid = encoder.size.image / encoder.size.patch, rows = images.extent(2) / encoder.size.patch,
            columns = images.extent(3) / encoder.size.patch, width = encoder.width(),
            prefix = encoder.pos_embed.value.extent(1) - grid * grid;
  auto positions = encoder.pos_embed;
  if (rows != grid || columns != grid) {
    using scalar = typename ViT<B, T, Size>::scalar;
    const auto own = encoder.pos_embed.value.to_vector();
    std::vector<scalar> table(own.begin(), own.begin() + long{prefix} * width);
    const std::vector<double> patches(own.begin() + long{prefix} * width, own.end());
    for (const double value : resized_positions(patches, grid, rows, columns, width))
      table.push_back(static_cast<scalar>(value));
    using Positions = Shape<1, dyn, Size.width>;
    positions.value =
        Tensor<scalar, Positions, B>::from(table, Positions(std::array<int, 3>{1, prefix + rows * columns, width}));
  }
  auto x = encoder.tokens(images, positions);
  for (int i = 0; i < layer; ++i) x = encoder.blocks[static_cast<std::size_t>(i)](x);
  return encoder.norm(slice<1, dyn>(x, prefix, rows * columns));
}

}}  // namespace vitral
