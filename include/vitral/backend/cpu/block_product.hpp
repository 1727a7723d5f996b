// Small matrix products inside parallel work, on the calling thread alone: blocks of the result stay in vector
// registers.
#pragma once

#include <vitral/tensor/matrix.hpp>

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

template <class P>
struct VectorOf {
  typedef P type __attribute__((vector_size(vector_bytes)));
};
template <class P>
inline constexpr long lanes_of = vector_bytes / static_cast<long>(sizeof(P));

template <class P>
typename VectorOf<P>::type load_vector(const P* from) {
  typename VectorOf<P>::type vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

/// c[Rows, Vectors * lanes] = a b (+ c). The sums stay in Rows * Vectors registers.
template <int Rows, int Vectors, class P>
void product_block(const P* a, long a_row, long a_col, const P* b, long b_row, long depth, P* c, long c_row,
                   bool accumulate) {
  using V = typename VectorOf<P>::type;
  constexpr long lanes = lanes_of<P>;
  V sum[Rows][Vectors];
  for (int i = 0; i < Rows; ++i)
    for (int j = 0; j < Vectors; ++j) sum[i][j] = accumulate ? load_vector(c + i * c_row + j * lanes) : V{};
  for (long k = 0; k < depth; ++k) {
    V right[Vectors];
    for (int j = 0; j < Vectors; ++j) right[j] = load_vector(b + k * b_row + j * lanes);
    for (int i = 0; i < Rows; ++i) {
      const V left = V{} + a[i * a_row + k * a_col];
      for (int j = 0; j < Vectors; ++j) sum[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < Rows; ++i)
    for (int j = 0; j < Vectors; ++j) {
      const V result = sum[i][j];
      std::memcpy(c + i * c_row + j * lanes, &result, sizeof result);
    }
}

template <int Vectors, class P>
void product_columns(Matrix<const P> a, const P* b, long b_row, P* c, long c_row, bool accumulate) {
  const auto block = [&]<int Rows>(std::integral_constant<int, Rows>, long i) {
    product_block<Rows, Vectors>(a.data + i * a.row_stride, a.row_stride, a.col_stride, b, b_row, a.cols, c + i * c_row,
                                 c_row, accumulate);
  };
  long i = 0;
  for (; i + 6 <= a.rows; i += 6) block(std::integral_constant<int, 6>{}, i);
  switch (a.rows - i) {
    case 5: return block(std::integral_constant<int, 5>{}, i);
    case 4: return block(std::integral_constant<int, 4>{}, i);
    case 3: return block(std::integral_constant<int, 3>{}, i);
    case 2: return block(std::integral_constant<int, 2>{}, i);
    case 1: return block(std::integral_constant<int, 1>{}, i);
    default: return;
  }
}

}  // namespace detail

/// The columns of a row that block_product may read and write: whole vectors.
template <class P>
[[nodiscard]] constexpr long padded(long cols) {
  return (cols + detail::lanes_of<P> - 1) / detail::lanes_of<P> * detail::lanes_of<P>;
}

/// c = a b (+ c). a has any strides; b and c have dense rows with room for `padded` columns, of which those beyond the
/// last are read and written as they are.
template <class P>
void block_product(Matrix<const P> a, Matrix<const P> b, Matrix<P> c, bool accumulate) {
  constexpr long lanes = detail::lanes_of<P>;
  for (long j = 0; j < b.cols;) {
    const long vectors = std::min(4l, (b.cols - j + lanes - 1) / lanes);
    const P* const from = b.data + j;
    P* const to = c.data + j;
    switch (vectors) {
      case 4: detail::product_columns<4>(a, from, b.row_stride, to, c.row_stride, accumulate); break;
      case 3: detail::product_columns<3>(a, from, b.row_stride, to, c.row_stride, accumulate); break;
      case 2: detail::product_columns<2>(a, from, b.row_stride, to, c.row_stride, accumulate); break;
      default: detail::product_columns<1>(a, from, b.row_stride, to, c.row_stride, accumulate);
    }
    j += vectors * lanes;
  }
}

}}}  // namespace vitral::cpu
