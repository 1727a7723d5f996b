// Eigenvalues and eigenvectors of symmetric matrices, by Eigen on the calling thread alone.
#pragma once

#include <vitral/backend/cpu/eigen.hpp>

// See eigen.hpp.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <Eigen/Eigenvalues>

namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

/// The eigenvalues of `matrix` [n, n], largest first, into `values`; their eigenvectors of unit length, with any sign,
/// replace the matrix's rows.
inline void symmetric_eigensystem(Matrix<double> matrix, double* values) {
  using Square = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic>;
  const long n = matrix.rows;
  Square copy(n, n);
  for (long i = 0; i < n; ++i)
    for (long j = 0; j < n; ++j) copy(i, j) = matrix(i, j);
  const OneThread one;
  const Eigen::SelfAdjointEigenSolver<Square> solver(copy);
  check(solver.info() == Eigen::Success, "the eigenvalues of a matrix [", n, ", ", n, "] do not converge");
  for (long i = 0; i < n; ++i) {
    values[i] = solver.eigenvalues()(n - 1 - i);
    for (long j = 0; j < n; ++j) matrix(i, j) = solver.eigenvectors()(j, n - 1 - i);
  }
}

}}}  // namespace vitral::cpu

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
