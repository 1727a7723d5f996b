// How the kernels of a whole transformer block see its parameters, its extents and what the backward pass needs.
#pragma once

#include <vitral/core/bf16.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// The parameters of a block, or their gradients, in timm's order. Weights are [out, in], row by row.
template <class P>
struct BlockParameters {
  static constexpr int count = 12;
  P* norm1_weight = nullptr;  ///< [D]
  P* norm1_bias = nullptr;    ///< [D]
  P* qkv_weight = nullptr;    ///< [3 D, D]
  P* qkv_bias = nullptr;      ///< [3 D]
  P* proj_weight = nullptr;   ///< [D, D]
  P* proj_bias = nullptr;     ///< [D]
  P* norm2_weight = nullptr;  ///< [D]
  P* norm2_bias = nullptr;    ///< [D]
  P* fc1_weight = nullptr;    ///< [H, D]
  P* fc1_bias = nullptr;      ///< [H]
  P* fc2_weight = nullptr;    ///< [D, H]
  P* fc2_bias = nullptr;      ///< [D]
};

/// Extents of a block's input and of its hidden layer, and the epsilons of its norms.
struct BlockSize {
  int images = 0, tokens = 0, width = 0, hidden = 0, heads = 0;  ///< D = width, H = hidden
  double eps1 = 1e-6, eps2 = 1e-6;                               ///< of the two LayerNorms

  /// Elements of each of BlockParameters' members.
  VITRAL_HD long extent(int parameter) const {
    const long d = width, h = hidden;
    const long extents[] = {d, d, 3 * d * d, 3 * d, d * d, d, d, d, h * d, h, d * h, d};
    return extents[parameter];
  }
};

/// What a block keeps of its forward pass for each token; n1 and n2, the normalised inputs, and gelu(hidden) are made
/// again from it.
template <class T>
struct BlockTrace {
  T* qkv = nullptr;       ///< [images, tokens, 3 D]
  T* attended = nullptr;  ///< [images, tokens, D], before the projection
  T* middle = nullptr;    ///< [images, tokens, D], after the first residual
  T* hidden = nullptr;    ///< [images, tokens, H], before the GELU
  compute_t<T>*mean1 = nullptr, *rstd1 = nullptr, *mean2 = nullptr, *rstd2 = nullptr;  ///< [images, tokens]
  compute_t<T>* logsumexp = nullptr;                                                   ///< [images, heads, tokens]
};

}}  // namespace vitral
