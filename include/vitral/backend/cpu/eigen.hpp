// Matrix products on the calling thread alone, by Eigen: for double, and for small products inside parallel work.
#pragma once

#include <vitral/backend/cpu/threads.hpp>
#include <vitral/tensor/matrix.hpp>

// g++ 12 takes the deliberately undefined registers of its own AVX-512 header for a mistake of Eigen's callers.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <Eigen/Core>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

template <class P, class Function>
void with_eigen_map(Matrix<const P> m, Function function) {
  using Eigen::Dynamic;
  using Stride = Eigen::OuterStride<>;
  using RowMajor = Eigen::Map<const Eigen::Matrix<P, Dynamic, Dynamic, Eigen::RowMajor>, 0, Stride>;
  using ColMajor = Eigen::Map<const Eigen::Matrix<P, Dynamic, Dynamic, Eigen::ColMajor>, 0, Stride>;
  if (m.col_stride == 1)
    function(RowMajor(m.data, m.rows, m.cols, Stride(m.row_stride)));
  else
    function(ColMajor(m.data, m.rows, m.cols, Stride(m.col_stride)));
}

/// Plain loops for small products: there Eigen's order of summation depends on the operands' addresses.
template <class P>
void small_product(Matrix<const P> a, Matrix<const P> b, Matrix<P> c, bool accumulate) {
  for (long i = 0; i < c.rows; ++i) {
    for (long j = 0; j < c.cols; ++j) {
      P sum = 0;
#pragma omp simd reduction(+ : sum)
      for (long k = 0; k < a.cols; ++k) sum += a(i, k) * b(k, j);
      c(i, j) = accumulate ? c(i, j) + sum : sum;
    }
  }
}

}  // namespace detail

/// C = A B, or C += A B. A and B have dense rows or dense columns, C dense rows; no extent is zero.
template <class P>
void serial_product(Matrix<const P> a, Matrix<const P> b, Matrix<P> c, bool accumulate) {
  if (c.rows + c.cols + a.cols < 20 || (c.rows == 1 && c.cols == 1)) return detail::small_product(a, b, c, accumulate);
  using Eigen::Dynamic;
  using Out = Eigen::Map<Eigen::Matrix<P, Dynamic, Dynamic, Eigen::RowMajor>, 0, Eigen::OuterStride<>>;
  const OneThread one;
  Out out(c.data, c.rows, c.cols, Eigen::OuterStride<>(c.row_stride));
  detail::with_eigen_map<P>(a, [&](const auto& left) {
    detail::with_eigen_map<P>(b, [&](const auto& right) {
      if (accumulate)
        out.noalias() += left * right;
      else
        out.noalias() = left * right;
    });
  });
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
