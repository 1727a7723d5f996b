// The right operand of many products, converted and packed once; each product then runs on the calling thread alone.
#pragma once

#include <vitral/backend/cpu/amx.hpp>
#include <vitral/backend/cpu/matmul.hpp>
#include <vitral/backend/cpu/work_memory.hpp>

#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

/// Whether products of T run on AMX tiles by code of our own: those of float do, where there are tiles. For bf16 oneDNN
/// uses them.
template <class T>
bool on_tiles() {
  return std::is_same_v<T, float> && amx::available();
}

}  // namespace detail

/// B [k, n] in the form in which products with T are fastest: oneDNN's, or tiles for AMX. double, which is for checks,
/// is read where it stands, so B must outlive this.
template <class T>
class PackedMatrix {
 public:
  using P = compute_t<T>;

  /// b has dense rows or dense columns.
  void pack(Matrix<const P> b) {
    matrix_ = b;
    if constexpr (std::is_same_v<T, float>)
      if (detail::on_tiles<T>()) return amx::pack(b, packed_.reserve<std::uint16_t>(amx::packed_words(b.rows, b.cols)));
    if constexpr (!std::is_same_v<T, double>) {
      constexpr auto from = onednn::DataType<P>::value, to = onednn::DataType<T>::value;
      if (b.rows != rows_ || b.cols != cols_) {
        bytes_ = onednn::packed_bytes(b.rows, b.cols, to);
        rows_ = b.rows;
        cols_ = b.cols;
      }
      onednn::pack({b.rows, b.cols, b.row_stride, b.col_stride, from, to}, b.data, packed_.reserve_bytes(bytes_));
    }
  }

  /// c = a B (+ c when `accumulate`) (+ bias [n] in each row). a has dense rows or columns, c dense rows.
  template <class C>
  void multiply(Matrix<const T> a, Matrix<C> c, bool accumulate = false, const P* bias = nullptr) const {
    if constexpr (std::is_same_v<T, float>)
      if (detail::on_tiles<T>())
        return amx::multiply(a, static_cast<const std::uint16_t*>(packed_.data()), c, accumulate, bias);
    if constexpr (std::is_same_v<T, double>) {
      serial_product<double>(a, matrix_, c, accumulate);
      for (long i = 0; bias && i < c.rows; ++i)
        for (long j = 0; j < c.cols; ++j) c(i, j) += bias[j];
    } else {
      onednn::multiply({a.rows, matrix_.cols, matrix_.rows, a.row_stride, a.col_stride, 0, 0, c.row_stride,
                        onednn::DataType<T>::value, onednn::DataType<C>::value, accumulate, true, bias != nullptr},
                       a.data, packed_.data(), c.data, bias);
    }
  }

  [[nodiscard]] long cols() const { return matrix_.cols; }

 private:
  Matrix<const P> matrix_;
  WorkMemory packed_;
  std::size_t bytes_ = 0;
  long rows_ = 0, cols_ = 0;
};

/// c = a b, or c += a b, for operands that meet once, on the calling thread alone. Sums are kept in compute_t<T>.
template <class T>
void multiply_once(Matrix<const T> a, Matrix<const T> b, Matrix<compute_t<T>> c, bool accumulate) {
  if constexpr (std::is_same_v<T, float>)
    if (detail::on_tiles<T>()) {
      static thread_local PackedMatrix<T> packed;
      packed.pack(b);
      return packed.multiply(a, c, accumulate);
    }
  detail::multiply(a, b, c, accumulate);
}

}}}  // namespace vitral::cpu
