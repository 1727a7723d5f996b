// Matrix products with bias and activation: float and bf16 by oneDNN, double by Eigen.
// The output is cut into tiles by its shape alone; a tile is one single-thread product, so results do not
// depend on the number of threads.
#pragma once

#include <vitral/backend/cpu/eigen.hpp>
#include <vitral/backend/cpu/onednn.hpp>
#include <vitral/backend/cpu/threads.hpp>
#include <vitral/backend/cpu/work_memory.hpp>
#include <vitral/core/bf16.hpp>
#include <vitral/core/error.hpp>
#include <vitral/core/math.hpp>
#include <vitral/tensor/matrix.hpp>

#include <algorithm>
#include <concepts>
#include <type_traits>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

/// The types that matmul multiplies: f32, bf16 (stored or accumulated as bf16 or f32) and f64.
template <class A, class B, class C>
concept Multipliable = std::same_as<A, B> &&(std::same_as<A, C> || (std::same_as<A, bf16> && std::same_as<C, float>)) &&
                       (std::same_as<A, float> || std::same_as<A, bf16> || std::same_as<A, double>);

template <class T>
bool is_row_major(Matrix<T> m) {
  return m.col_stride == 1 && m.row_stride >= m.cols;
}
template <class T>
bool is_col_major(Matrix<T> m) {
  return m.row_stride == 1 && m.col_stride >= m.rows;
}

/// The stride of a single row or column reaches no element and may be anything: makes it what the libraries expect.
template <class T>
Matrix<T> normalized(Matrix<T> m) {
  if (m.cols == 1) m.col_stride = m.row_stride == 1 ? std::max(m.rows, 1l) : 1;
  if (m.rows == 1) m.row_stride = m.col_stride == 1 ? m.cols : 1;
  return m;
}

/// One product on this thread; c has dense rows. A template, so that Eigen is compiled where double is used alone.
template <class T, class C>
void multiply(Matrix<const T> a, Matrix<const T> b, Matrix<C> c, bool accumulate) {
  if constexpr (std::same_as<T, double>)
    serial_product<double>(a, b, c, accumulate);
  else
    onednn::multiply({a.rows, b.cols, a.cols, a.row_stride, a.col_stride, b.row_stride, b.col_stride, c.row_stride,
                      onednn::DataType<T>::value, onednn::DataType<C>::value, accumulate},
                     a.data, b.data, c.data);
}

template <Activation activation, class P>
VITRAL_SIMD P activate(P value) {
  if constexpr (activation == Activation::none) {
    return value;
  } else if constexpr (activation == Activation::relu) {
    return value < P(0) ? P(0) : value;
  } else {
    static_assert(activation == Activation::gelu, "vitral: the CPU's epilogues do not know this activation");
    return math::gelu(value);
  }
}

/// to[j] = f(j) for all j below n; in turn where P is double, as std::erf does not vectorise.
template <class P, class To, class F>
VITRAL_SIMD void assign_each(To* to, long n, F f) {
  if constexpr (std::same_as<P, double>) {
    for (long j = 0; j < n; ++j) to[j] = f(j);
  } else {
#pragma omp simd
    for (long j = 0; j < n; ++j) to[j] = f(j);
  }
}

/// One row of the epilogue; `sum` is the product's row and may be c itself.
template <Activation activation, class S, class C>
void finish_row(const S* sum, C* c, C* pre, const compute_t<C>* bias, bool add_c, long cols) {
  using P = compute_t<C>;
  const auto product = [=](long j) { return static_cast<P>(sum[j]); };
  if (bias && !add_c && !pre)
    return assign_each<P>(c, cols, [=](long j) { return activate<activation>(product(j) + bias[j]); });
  // Otherwise each part has loops of its own, over values on the stack: in one loop with `if`s g++ 12 gives up SIMD.
  constexpr long most = 256;
  P values[most];
  P* const value = values;
  for (long from = 0; from < cols; from += most) {
    const long n = std::min(most, cols - from);
    assign_each<P>(value, n, [=](long j) { return product(from + j); });
    if (add_c) assign_each<P>(value, n, [=](long j) { return value[j] + static_cast<P>(c[from + j]); });
    if (bias) assign_each<P>(value, n, [=](long j) { return value[j] + bias[from + j]; });
    if (pre) assign_each<P>(pre + from, n, [=](long j) { return value[j]; });
    assign_each<P>(c + from, n, [=](long j) { return activate<activation>(value[j]); });
  }
}

template <class S, class C>
void finish(Matrix<S> sum, Matrix<C> c, const Epilogue<C>& epilogue, bool add_c) {
  with_activation(epilogue.activation, [&](auto activation) {
    for (long i = 0; i < c.rows; ++i) {
      C* const pre = epilogue.pre ? epilogue.pre + i * c.row_stride : nullptr;
      finish_row<decltype(activation)::value>(sum.data + i * sum.row_stride, c.data + i * c.row_stride, pre,
                                              epilogue.bias, add_c, c.cols);
    }
  });
}

/// Product and epilogue of one tile while it is in the cache. A bf16 tile with an epilogue is summed in float.
template <class T, class C>
void multiply_tile(Matrix<const T> a, Matrix<const T> b, Matrix<C> c, bool accumulate, const Epilogue<C>& epilogue) {
  if (epilogue.empty()) {
    multiply(a, b, c, accumulate);
  } else if constexpr (std::same_as<C, bf16>) {
    static thread_local WorkMemory buffer;
    const Matrix<float> sum = row_major(buffer.reserve<float>(c.rows * c.cols), c.rows, c.cols);
    multiply(a, b, sum, false);
    finish(sum, c, epilogue, accumulate);
  } else {
    multiply(a, b, c, accumulate);
    finish(c, c, epilogue, false);
  }
}

struct Tiling {
  long rows, cols;
};

/// How an m x n output with inner extent k is cut. Wide tiles of about 128 rows are fastest; where there are few
/// rows the columns are cut as well. Even counts share out well; a tile is at least some 2 million multiplications.
inline Tiling tile(long m, long n, long k) {
  const auto even = [](long count) { return count <= 1 ? 1 : count / 2 * 2; };
  const auto extent = [](long whole, long parts, long multiple) {
    return std::min(whole, ((whole + parts - 1) / parts + multiple - 1) / multiple * multiple);
  };
  const long most = std::max(1l, m * n / 1024 * k / 2048);
  const long row_tiles = even(std::clamp(m / (m < 1024 ? 256 : 128), 1l, most));
  const long wanted = std::min(8 / row_tiles, most / row_tiles);
  const long possible = std::max(n / 192, n >= 128 ? 2l : 1l);
  const long col_tiles = std::max(even(std::clamp(wanted, 1l, possible)), (n + 1023) / 1024);
  return {extent(m, row_tiles, 8), extent(n, col_tiles, 16)};
}

/// A matrix that the libraries can read as it is, or a packed copy of it.
template <class T>
class ReadableMatrix {
 public:
  explicit ReadableMatrix(Matrix<const T> m) : matrix_(normalized(m)) {
    if (is_row_major(matrix_) || is_col_major(matrix_)) return;
    const Matrix<T> packed = row_major(buffer_.template reserve<T>(m.rows * m.cols), m.rows, m.cols);
    parallel_for(m.rows, [&](long i) {
      for (long j = 0; j < m.cols; ++j) packed(i, j) = m(i, j);
    });
    matrix_ = packed;
  }
  Matrix<const T> operator*() const { return matrix_; }

 private:
  WorkMemory buffer_;
  Matrix<const T> matrix_;
};

template <class C>
void multiply_by_nothing(Matrix<C> c, bool accumulate, const Epilogue<C>& epilogue) {
  if (!accumulate)
    for (long i = 0; i < c.rows; ++i)
      for (long j = 0; j < c.cols; ++j) c(i, j) = compute_t<C>(0);
  if (!epilogue.empty()) finish(c, c, epilogue, false);
}

}  // namespace detail

/// For each i: C[i] = A[i] B[i], or C[i] += A[i] B[i], then the epilogue on each (whose `pre` has C's batch stride).
/// A [m, k] and B [k, n] have any strides (dense rows or columns are fastest); C [m, n] has dense rows, or dense
/// columns when there is no epilogue. C must not overlap A or B. Throws Error on shapes that do not fit.
template <class A, class B, class C>
  requires detail::Multipliable<A, B, C>
void batched_matmul(MatrixBatch<const A> a, MatrixBatch<const B> b, MatrixBatch<C> c, bool accumulate,
                    const Epilogue<C>& epilogue = {}) {
  const long m = c.first.rows, n = c.first.cols, k = a.first.cols;
  check(a.first.rows == m && b.first.cols == n && b.first.rows == k && a.count == c.count && b.count == c.count,
        "matmul: cannot multiply ", a.count, " x [", a.first.rows, ", ", a.first.cols, "] by ", b.count, " x [",
        b.first.rows, ", ", b.first.cols, "] into ", c.count, " x [", m, ", ", n, "]");
  if (m == 0 || n == 0 || c.count == 0) return;
  c.first = detail::normalized(c.first);
  if (!detail::is_row_major(c.first)) {
    check(detail::is_col_major(c.first) && epilogue.empty(), "matmul: the output's strides (", c.first.row_stride, ", ",
          c.first.col_stride, ") must be those of dense rows, or of dense columns without an epilogue");
    return batched_matmul<B, A, C>({transposed(b.first), b.count, b.stride}, {transposed(a.first), a.count, a.stride},
                                   {transposed(c.first), c.count, c.stride}, accumulate);
  }
  if (k == 0) {
    for (long i = 0; i < c.count; ++i) {
      Epilogue<C> part = epilogue;
      if (part.pre) part.pre += i * c.stride;
      detail::multiply_by_nothing(c[i], accumulate, part);
    }
    return;
  }
  const auto readable = [](const auto& batch) {
    const auto m = detail::normalized(batch.first);
    return detail::is_row_major(m) || detail::is_col_major(m);
  };
  if (!readable(a) || !readable(b)) {
    for (long i = 0; i < c.count; ++i) {
      const detail::ReadableMatrix<A> left(a[i]);
      const detail::ReadableMatrix<B> right(b[i]);
      Epilogue<C> part = epilogue;
      if (part.pre) part.pre += i * c.stride;
      batched_matmul<A, B, C>({*left, 1, 0}, {*right, 1, 0}, {c[i], 1, 0}, accumulate, part);
    }
    return;
  }
  a.first = detail::normalized(a.first);
  b.first = detail::normalized(b.first);
  const detail::Tiling tile = detail::tile(m, n, k);
  const long across = (n + tile.cols - 1) / tile.cols, down = (m + tile.rows - 1) / tile.rows;
  parallel_for(c.count * across * down, [&](long task) {
    const long i = task / (across * down), place = task % (across * down);
    const long row = place / across * tile.rows, col = place % across * tile.cols;
    const long rows = std::min(tile.rows, m - row), cols = std::min(tile.cols, n - col);
    Epilogue<C> part = epilogue;
    if (part.bias) part.bias += col;
    if (part.pre) part.pre += i * c.stride + row * c.first.row_stride + col;
    detail::multiply_tile(block(a[i], row, 0, rows, k), block(b[i], 0, col, k, cols), block(c[i], row, col, rows, cols),
                          accumulate, part);
  });
}

/// C = A B, or C += A B when `accumulate`, then the epilogue: batched_matmul with one matrix.
template <class A, class B, class C>
  requires detail::Multipliable<A, B, C>
void matmul(Matrix<const A> a, Matrix<const B> b, Matrix<C> c, bool accumulate, const Epilogue<C>& epilogue = {}) {
  batched_matmul<A, B, C>({a, 1, 0}, {b, 1, 0}, {c, 1, 0}, accumulate, epilogue);
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
