// Tensor: a dense row-major array behind a reference-counted handle. View: a strided window onto one.
#pragma once

#include <vitral/core/buffer.hpp>
#include <vitral/tensor/operand.hpp>

#include <vector>

namespace vitral::inline VITRAL_ABI {

/// Copying a Tensor shares its elements, as in Python; `clone` copies them. Constness is that of the handle.
/// Backend::fill, copy_from_host and copy_to_host move the elements.
template <class T, class S, class B = Cpu>
class Tensor {
  static_assert(is_shape<S>, "vitral: Tensor<T, Shape<...>, Backend>: the second argument must be a Shape");

 public:
  using scalar = T;
  using shape_type = S;
  using backend = B;
  static constexpr bool weak = false, recorded = false;

  /// Zeros where the shape is static; otherwise an empty handle that waits for an assignment.
  Tensor() {
    if constexpr (S::is_static) *this = Tensor(S{});
  }
  /// Zeros.
  explicit Tensor(const S& shape) : Tensor(uninitialized(shape)) { B::fill(data(), size(), T{}); }
  explicit Tensor(std::initializer_list<int> extents) : Tensor(S(extents)) {}

  [[nodiscard]] static Tensor uninitialized(const S& shape) {
    return Tensor(Buffer::of<B>(static_cast<std::size_t>(shape.size()) * sizeof(T)), shape);
  }
  /// From numbers on the host, row by row.
  template <class A>
  [[nodiscard]] static Tensor from(const std::vector<T, A>& values, const S& shape) {
    check(static_cast<long>(values.size()) == shape.size(), "a tensor of shape ", shape, " was given ",
          values.size(), " values");
    Tensor out = uninitialized(shape);
    B::copy_from_host(values.data(), out.data(), shape.size());
    return out;
  }
  [[nodiscard]] static Tensor from(std::initializer_list<T> values, const S& shape) {
    return from(std::vector<T>(values), shape);
  }
  /// The same memory under another shape; the number of elements is the caller's duty.
  Tensor(Buffer buffer, const S& shape) : buffer_(std::move(buffer)), shape_(shape) {}

  [[nodiscard]] const S& shape() const { return shape_; }
  [[nodiscard]] int extent(int axis) const { return shape_[axis]; }
  [[nodiscard]] long size() const { return shape_.size(); }
  [[nodiscard]] T* data() const { return static_cast<T*>(buffer_.data()); }
  [[nodiscard]] const Buffer& buffer() const { return buffer_; }
  explicit operator bool() const { return static_cast<bool>(buffer_); }

  /// One element, for tensors in host memory.
  template <std::integral... I>
  [[nodiscard]] T& operator()(I... index) const {
    static_assert(sizeof...(I) == S::rank, "vitral: an element is named by as many indices as the tensor has extents");
    static_assert(B::on_host, "vitral: elements can be read one by one in host memory only; use to_vector");
    long offset = 0;
    int axis = 0;
    ((offset = offset * shape_[axis++] + static_cast<long>(index)), ...);
    return data()[offset];
  }
  /// The only element.
  [[nodiscard]] T item() const {
    check(size() == 1, "item: a tensor of shape ", shape_, " has ", size(), " elements, not one");
    return to_vector()[0];
  }
  [[nodiscard]] std::vector<T> to_vector() const {
    std::vector<T> out(static_cast<std::size_t>(size()));
    B::copy_to_host(data(), out.data(), size());
    return out;
  }

  /// The checked step from run-time to static extents (or to a looser type); throws where an extent differs.
  template <class To>
  [[nodiscard]] Tensor<T, To, B> realize() const {
    static_assert(To::rank == S::rank, "vitral: realize: the two shapes must have the same number of extents");
    return Tensor<T, To, B>(buffer_, To(shape_.all()));
  }

 private:
  Buffer buffer_;
  VITRAL_NO_UNIQUE_ADDRESS S shape_{};
};

/// A window onto a tensor's memory, which it keeps alive: element (i, j, ...) stands at sum of index * stride.
template <class T, class S, class B = Cpu>
class View {
 public:
  using scalar = T;
  using shape_type = S;
  using backend = B;
  static constexpr bool weak = false, recorded = false;
  using Strides = std::array<long, static_cast<std::size_t>(S::rank)>;

  View(Buffer buffer, T* data, const S& shape, const Strides& strides)
      : buffer_(std::move(buffer)), data_(data), shape_(shape), strides_(strides) {}
  View(const Tensor<T, S, B>& x) : View(x.buffer(), x.data(), x.shape(), dense_strides(x.shape())) {}

  [[nodiscard]] const S& shape() const { return shape_; }
  [[nodiscard]] int extent(int axis) const { return shape_[axis]; }
  [[nodiscard]] long size() const { return shape_.size(); }
  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] const Buffer& buffer() const { return buffer_; }
  [[nodiscard]] const Strides& strides() const { return strides_; }

  [[nodiscard]] static Strides dense_strides(const S& shape) {
    Strides strides{};
    long stride = 1;
    for (int i = S::rank - 1; i >= 0; --i) {
      strides[static_cast<std::size_t>(i)] = stride;
      stride *= shape[i];
    }
    return strides;
  }

 private:
  Buffer buffer_;
  T* data_;
  VITRAL_NO_UNIQUE_ADDRESS S shape_;
  Strides strides_;
};

template <class X>
inline constexpr bool is_tensor = false;
template <class T, class S, class B>
inline constexpr bool is_tensor<Tensor<T, S, B>> = true;
template <class X>
inline constexpr bool is_view = false;
template <class T, class S, class B>
inline constexpr bool is_view<View<T, S, B>> = true;

template <class T, class S, class B>
[[nodiscard]] View<T, S, B> view(const Tensor<T, S, B>& x) {
  return x;
}
template <class T, class S, class B>
[[nodiscard]] View<T, S, B> view(const View<T, S, B>& x) {
  return x;
}

/// A copy of its own.
template <class T, class S, class B>
[[nodiscard]] Tensor<T, S, B> clone(const Tensor<T, S, B>& x) {
  auto out = Tensor<T, S, B>::uninitialized(x.shape());
  B::copy(x.data(), out.data(), x.size());
  return out;
}

}  // namespace vitral::inline VITRAL_ABI
