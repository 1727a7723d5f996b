// A ViT for patches of another size than it was trained on, as timm resamples its patch embedding: by the
// pseudo-inverse of what resizing does to patches (Beyer et al. 2023, FlexiViT).
#pragma once

#include <vitral/models/resolution.hpp>

#include <cmath>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// X = (M M^T)^-1 M of M [n, m], whose rows are independent: the transposed pseudo-inverse of M.
inline std::vector<double> pseudo_inverse(const std::vector<double>& matrix, int n, int m) {
  const auto at = [](auto& a, long columns, long i, long j) -> auto& {
    return a[static_cast<std::size_t>(i * columns + j)];
  };
  std::vector<double> gram(static_cast<std::size_t>(n * n)), out = matrix;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      for (int k = 0; k < m; ++k) at(gram, n, i, j) += at(matrix, m, i, k) * at(matrix, m, j, k);
  // Gauss and Jordan's elimination; a positive definite matrix needs no exchange of rows.
  for (int pivot = 0; pivot < n; ++pivot) {
    const double scale = 1 / at(gram, n, pivot, pivot);
    for (int k = 0; k < n; ++k) at(gram, n, pivot, k) *= scale;
    for (int k = 0; k < m; ++k) at(out, m, pivot, k) *= scale;
    for (int i = 0; i < n; ++i) {
      if (i == pivot) continue;
      const double factor = at(gram, n, i, pivot);
      for (int k = 0; k < n; ++k) at(gram, n, i, k) -= factor * at(gram, n, pivot, k);
      for (int k = 0; k < m; ++k) at(out, m, i, k) -= factor * at(out, m, pivot, k);
    }
  }
  return out;
}

/// The pseudo-inverse [from, to] of the matrix [to, from] that resizes a row of pixels, bicubically with antialiasing.
inline std::vector<double> inverse_of_resizing(int from, int to) {
  const int n = std::min(from, to), m = std::max(from, to);
  const auto shares = bicubic_shares(from, to, PositionKind::timm);
  std::vector<double> matrix(static_cast<std::size_t>(n * m));  // of the fewer rows
  for (int i = 0; i < to; ++i)
    for (const Share& share : shares[static_cast<std::size_t>(i)])
      matrix[static_cast<std::size_t>(to <= from ? i * from + share.place : share.place * to + i)] = share.weight;
  std::vector<double> solved = pseudo_inverse(matrix, n, m);
  if (to > from) return solved;
  std::vector<double> out(solved.size());
  for (int i = 0; i < to; ++i)
    for (int j = 0; j < from; ++j)
      out[static_cast<std::size_t>(j * to + i)] = solved[static_cast<std::size_t>(i * from + j)];
  return out;
}

}  // namespace detail

/// The weights [count, from, from] of patches of `from` pixels a side, for patches of `to`: to a patch that was resized
/// they give, as nearly as can be, what the given ones give to the patch itself.
[[nodiscard]] inline std::vector<double> resampled_patches(const std::vector<double>& weights, int from, int to) {
  check(from >= 1 && to >= 1 && std::ssize(weights) % (long{from} * from) == 0, "resampled_patches: ", weights.size(),
        " numbers are no patches of ", from, " x ", from, " to be made ", to, " x ", to);
  if (from == to) return weights;
  const std::vector<double> inverse = detail::inverse_of_resizing(from, to);
  const auto share = [&](int i, int u) { return inverse[static_cast<std::size_t>(i * to + u)]; };
  const long count = std::ssize(weights) / (long{from} * from);
  std::vector<double> out(static_cast<std::size_t>(count * to * to)), wide(static_cast<std::size_t>(from * to));
  for (long patch = 0; patch < count; ++patch) {
    const double* const w = weights.data() + patch * from * from;
    double* const result = out.data() + patch * to * to;
    std::fill(wide.begin(), wide.end(), 0.0);
    for (int i = 0; i < from; ++i)
      for (int j = 0; j < from; ++j)
        for (int v = 0; v < to; ++v) wide[static_cast<std::size_t>(i * to + v)] += w[i * from + j] * share(j, v);
    for (int i = 0; i < from; ++i)
      for (int u = 0; u < to; ++u)
        for (int v = 0; v < to; ++v) result[u * to + v] += share(i, u) * wide[static_cast<std::size_t>(i * to + v)];
  }
  return out;
}

/// The same network for images of `side` pixels a side in patches of `patch`: the patch embedding is resampled, the
/// positions become those of the grid (see at_resolution), all else is shared. Error where patches do not divide the
/// side.
///
///   const auto faster = at_patch_size(encoder, 32, encoder.size.image);  // a quarter of the patches of 16 pixels
template <class B, class T, ViTSize Size>
[[nodiscard]] ViT<B, T, Size> at_patch_size(const ViT<B, T, Size>& encoder, int patch, int side) {
  static_assert(Size.image == dyn && Size.patch == dyn,
                "vitral: at_patch_size: the type fixes the network's image and patch size; leave them out");
  ViTSize size = encoder.size;
  size.image = side;
  size.patch = patch;
  check_size(size, "at_patch_size");
  // With its own patches it would have this grid at another side.
  ViT<B, T, Size> out = at_resolution(encoder, side / patch * encoder.size.patch);
  out.size = size;
  out.patch_embed.patch = patch;
  auto& weight = out.patch_embed.proj.weight.value;
  const auto values = weight.to_vector();
  const auto resampled = resampled_patches({values.begin(), values.end()}, encoder.size.patch, patch);
  auto extents = weight.shape().all();
  extents[2] = extents[3] = patch;
  using Weight = std::remove_reference_t<decltype(weight)>;
  using scalar = typename ViT<B, T, Size>::scalar;
  weight = Weight::from(HostVector<scalar>(resampled.begin(), resampled.end()), shape_of<Weight>(extents));
  return out;
}

}}  // namespace vitral
