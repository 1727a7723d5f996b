// Memory, the device's or a block's, read and written in words of up to 16 bytes. A struct is not enough: nvcc takes it
// apart and reads its members one by one.
#pragma once

#include <cuda_runtime.h>

#include <cstring>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

/// The widest word that X consists of, where X is aligned to it.
template <class X>
using WordOf =
    std::conditional_t<sizeof(X) % 16 == 0 && alignof(X) >= 16, uint4,
                       std::conditional_t<sizeof(X) % 8 == 0 && alignof(X) >= 8, uint2,
                                          std::conditional_t<sizeof(X) % 4 == 0 && alignof(X) >= 4, unsigned, void>>>;

}  // namespace detail

/// *from.
template <class X>
__device__ X read_words(const X* from) {
  using Word = detail::WordOf<X>;
  if constexpr (std::is_void_v<Word>) {
    return *from;
  } else {
    X out;
    for (std::size_t i = 0; i < sizeof(X) / sizeof(Word); ++i) {
      const Word word = reinterpret_cast<const Word*>(from)[i];
      std::memcpy(reinterpret_cast<char*>(&out) + i * sizeof(Word), &word, sizeof(Word));
    }
    return out;
  }
}

/// *to = x.
template <class X>
__device__ void write_words(X* to, const X& x) {
  using Word = detail::WordOf<X>;
  if constexpr (std::is_void_v<Word>) {
    *to = x;
  } else {
    for (std::size_t i = 0; i < sizeof(X) / sizeof(Word); ++i) {
      Word word;
      std::memcpy(&word, reinterpret_cast<const char*>(&x) + i * sizeof(Word), sizeof(Word));
      reinterpret_cast<Word*>(to)[i] = word;
    }
  }
}

}}}  // namespace vitral::cuda
