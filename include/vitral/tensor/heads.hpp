// How attention's kernels see queries, keys and values: strided windows, one vector for each image, token and head.
#pragma once

#include <vitral/core/config.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// The vector of (image, token, head) begins at data[image * batch_stride + token * token_stride + head * head_stride];
/// its channels are contiguous.
template <class T>
struct Heads {
  T* data = nullptr;
  long batch_stride = 0, token_stride = 0, head_stride = 0;
};

/// Where the vectors of an image and head begin.
template <class T>
VITRAL_HD long offset_of_head(const Heads<T>& heads, int image, int head) {
  return image * heads.batch_stride + head * heads.head_stride;
}

/// Extents of an attention and the factor of its products.
struct AttentionSize {
  int batch = 0, heads = 0, queries = 0, keys = 0, width = 0;  ///< width: channels of one head
  double scale = 1;                                            ///< of q k^T
};

}}  // namespace vitral
