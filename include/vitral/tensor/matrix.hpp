// Matrices as kernels take them: windows on memory that somebody else owns, and what a product's epilogue does.
#pragma once

#include <vitral/core/bf16.hpp>
#include <vitral/core/error.hpp>

#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI {

/// Element (i, j) is data[i * row_stride + j * col_stride]; strides count elements.
template <class T>
struct Matrix {
  T* data = nullptr;
  long rows = 0, cols = 0;
  long row_stride = 0, col_stride = 1;

  VITRAL_HD constexpr T& operator()(long i, long j) const { return data[i * row_stride + j * col_stride]; }

  template <class U>
    requires(!std::is_const_v<T> && std::is_same_v<U, const T>)
  VITRAL_HD constexpr operator Matrix<U>() const { return {data, rows, cols, row_stride, col_stride}; }
};

/// The row-major matrix [rows, cols] without gaps.
template <class T>
[[nodiscard]] VITRAL_HD constexpr Matrix<T> row_major(T* data, long rows, long cols) {
  return {data, rows, cols, cols, 1};
}

/// The same elements with rows and columns exchanged; nothing is copied.
template <class T>
[[nodiscard]] VITRAL_HD constexpr Matrix<T> transposed(Matrix<T> m) {
  return {m.data, m.cols, m.rows, m.col_stride, m.row_stride};
}

/// The window of `rows` x `cols` elements that begins at (row0, col0).
template <class T>
[[nodiscard]] VITRAL_HD constexpr Matrix<T> block(Matrix<T> m, long row0, long col0, long rows, long cols) {
  return {m.data + row0 * m.row_stride + col0 * m.col_stride, rows, cols, m.row_stride, m.col_stride};
}

/// `count` matrices of one shape, `stride` elements apart; stride 0 repeats the same one (as an input).
template <class T>
struct MatrixBatch {
  Matrix<T> first;
  long count = 0;
  long stride = 0;

  VITRAL_HD constexpr Matrix<T> operator[](long i) const {
    return {first.data + i * stride, first.rows, first.cols, first.row_stride, first.col_stride};
  }

  template <class U>
    requires(!std::is_const_v<T> && std::is_same_v<U, const T>)
  VITRAL_HD constexpr operator MatrixBatch<U>() const { return {first, count, stride}; }
};

/// What a product's epilogue applies to each value. Every backend knows them all: code for one activation at a time
/// ends in a static_assert on the last, code for any of them goes through with_activation.
enum class Activation { none, relu, gelu };

/// Does not compile for any other value.
template <Activation activation>
struct known_activation {
  static_assert(activation == Activation::none || activation == Activation::relu || activation == Activation::gelu,
                "vitral: a product's epilogue applies none, relu or gelu; apply other functions to its result");
};

/// Calls f(std::integral_constant of the activation). Throws Error where it is none of them.
template <class F>
void with_activation(Activation activation, F&& f) {
  switch (activation) {
    case Activation::none: return f(std::integral_constant<Activation, Activation::none>{});
    case Activation::relu: return f(std::integral_constant<Activation, Activation::relu>{});
    case Activation::gelu: return f(std::integral_constant<Activation, Activation::gelu>{});
  }
  fail("matmul: an epilogue with activation ", static_cast<int>(activation), "; expected none, relu or gelu");
}

/// What happens to each value of C = A B (+ C) before it is stored: pre = C + bias[column], then C = activation(pre).
template <class C>
struct Epilogue {
  const compute_t<C>* bias = nullptr;  ///< [columns] or null
  Activation activation = Activation::none;
  C* pre = nullptr;                 ///< where to keep `pre`, laid out as C; or null
  const C* rounded_bias = nullptr;  ///< the bias rounded to C, which spares some backends a kernel; or null

  [[nodiscard]] bool empty() const { return !bias && activation == Activation::none && !pre; }
};

}}  // namespace vitral
