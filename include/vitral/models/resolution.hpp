// A ViT for images of another size than it was trained on: its positions for another grid of patches.
#pragma once

#include <vitral/models/vit.hpp>
#include <vitral/nn/positions.hpp>

#include <cmath>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The positions as numbers, [prefix + grid * grid, width]; those of the first `prefix` tokens belong to no patch.
template <class Network>
struct PositionTable {
  int grid, width, prefix;
  PositionKind positions;
  std::vector<double> own;

  explicit PositionTable(const Network& encoder)
      : grid(encoder.size.image / encoder.size.patch),
        width(encoder.size.width),
        prefix(encoder.pos_embed.value.extent(1) - grid * grid),
        positions(encoder.positions) {
    const auto values = encoder.pos_embed.value.to_vector();
    own.assign(values.begin(), values.end());
  }

  /// Whether they are the fixed ones of sincos_positions.
  [[nodiscard]] bool fixed() const {
    if (positions != PositionKind::moco_v3) return false;
    const auto table = sincos_positions(grid, width, prefix);
    for (std::size_t i = 0; i < own.size(); ++i)
      if (std::abs(own[i] - table[i]) > 1e-6) return false;
    return true;
  }
  [[nodiscard]] std::vector<double> interpolated(int rows, int columns) const {
    const auto patches = own.begin() + long{prefix} * width;
    std::vector<double> out(own.begin(), patches);
    const std::vector<double> resized = resized_positions({patches, own.end()}, grid, rows, columns, width, positions);
    out.insert(out.end(), resized.begin(), resized.end());
    return out;
  }
  /// Such numbers as the network's tensor.
  template <class Table>
  [[nodiscard]] static auto tensor_of(const Table& table, int width) {
    using Positions = shape_of<decltype(std::declval<Network>().pos_embed.value)>;
    using scalar = typename Network::scalar;
    const Positions shape(std::array<int, 3>{1, static_cast<int>(std::ssize(table) / width), width});
    return Tensor<scalar, Positions, typename Network::backend>::from(HostVector<scalar>(table.begin(), table.end()),
                                                                      shape);
  }
};

}  // namespace detail

/// The positions of a network's tokens for rows x columns patches: its own, interpolated where the grid is another, as
/// encoder.positions says.
template <class B, class T, ViTSize Size>
[[nodiscard]] auto positions_for(const ViT<B, T, Size>& encoder, int rows, int columns) {
  auto positions = encoder.pos_embed;
  if (const int grid = encoder.size.image / encoder.size.patch; rows != grid || columns != grid) {
    const detail::PositionTable table(encoder);
    positions.value = table.tensor_of(table.interpolated(rows, columns), table.width);
  }
  return positions;
}

/// The same network for images of `side` pixels a side. It shares all parameters but the positions: fixed ones are
/// computed anew, as MoCo v3's network has them at that size; others are interpolated as encoder.positions says, and
/// trained on from there where they are trained. Error where patches do not divide the side.
///
///   const auto larger = at_resolution(load_vit<Cpu, float>("vit.safetensors"), 384);
template <class B, class T, ViTSize Size>
[[nodiscard]] ViT<B, T, Size> at_resolution(ViT<B, T, Size> encoder, int side) {
  static_assert(Size.image == dyn, "vitral: at_resolution: the type fixes the network's image size; leave it out");
  ViTSize size = encoder.size;
  size.image = side;
  check_size(size, "at_resolution");
  if (side == encoder.size.image) return encoder;
  const detail::PositionTable table(encoder);
  const int grid = side / size.patch;
  encoder.pos_embed.value = table.fixed()
                                ? table.tensor_of(sincos_positions(grid, table.width, table.prefix), table.width)
                                : table.tensor_of(table.interpolated(grid, grid), table.width);
  encoder.size = size;
  return encoder;
}

}}  // namespace vitral
