// Tensor: a dense row-major array behind a reference-counted handle. View: a strided window onto one.
#pragma once

#include <vitral/core/buffer.hpp>
#include <vitral/tensor/operand.hpp>

#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Memory for a tensor. Throws Error, with the shape, where the backend has no such memory.
template <class T, class B, class S>
Buffer memory_for(const S& shape) {
  const auto count = static_cast<std::size_t>(shape.size());
  constexpr std::size_t most = ~std::size_t{0};
  try {
    return Buffer::of<B>(count <= most / sizeof(T) ? count * sizeof(T) : most);
  } catch (const Error& e) {
    throw Error(join(e.what(), "; they are for a tensor of shape ", shape));
  }
}

/// Throws Error where a tensor has no memory, although its shape has elements: it was moved from.
template <class S>
void check_held(const Buffer& buffer, const S& shape) {
  if (!buffer) [[unlikely]]
    check(shape.size() == 0, "a tensor of shape ", shape, " has no elements: it was moved from");
}

}  // namespace detail

/// Copying a Tensor shares its elements, as in Python; `clone` copies them. Constness is that of the handle. A tensor
/// that was moved from keeps its shape and has no elements: asking for them throws Error.
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
  explicit Tensor(std::initializer_list<long> extents) : Tensor(S(extents)) {}

  [[nodiscard]] static Tensor uninitialized(const S& shape) { return Tensor(detail::memory_for<T, B>(shape), shape); }
  /// From numbers on the host, row by row.
  template <class A>
  [[nodiscard]] static Tensor from(const std::vector<T, A>& values, const S& shape) {
    check(static_cast<long>(values.size()) == shape.size(), "a tensor of shape ", shape, " was given ", values.size(),
          " values");
    Tensor out = uninitialized(shape);
    B::copy_from_host(values.data(), out.data(), shape.size());
    return out;
  }
  [[nodiscard]] static Tensor from(std::initializer_list<T> values, const S& shape) {
    return from(std::vector<T>(values), shape);
  }
  /// A tensor in memory that exists; the caller sees to it that the shape's elements fit.
  Tensor(Buffer buffer, const S& shape) : buffer_(std::move(buffer)), shape_(shape) {}

  [[nodiscard]] const S& shape() const { return shape_; }
  [[nodiscard]] int extent(int axis) const { return shape_[axis]; }
  [[nodiscard]] long size() const { return shape_.size(); }
  /// Null for an empty tensor that was never given memory. Throws Error where the tensor was moved from.
  [[nodiscard]] T* data() const {
    detail::check_held(buffer_, shape_);
    return static_cast<T*>(buffer_.data());
  }
  [[nodiscard]] const Buffer& buffer() const { return buffer_; }
  explicit operator bool() const { return static_cast<bool>(buffer_); }

  /// One element, for tensors in host memory. Checked as `at` is where NDEBUG is not defined (VITRAL_CHECKED).
  template <std::integral... I>
  [[nodiscard]] T& operator()(I... index) const {
    if constexpr (VITRAL_CHECKED)
      return at(index...);
    else
      return element(index...);
  }
  /// One element. Throws Error where an index is outside its axis.
  template <std::integral... I>
  [[nodiscard]] T& at(I... index) const {
    if constexpr (sizeof...(I) == S::rank) {  // else `element` says so
      [[maybe_unused]] int axis = 0;
      (check_index(static_cast<long>(index), axis++), ...);
    }
    return element(index...);
  }
  /// The only element.
  [[nodiscard]] T item() const {
    check(size() == 1, "item: a tensor of shape ", shape_, " has ", size(), " elements, not one");
    T value;
    B::copy_to_host(data(), &value, 1);
    return value;
  }
  [[nodiscard]] std::vector<T> to_vector() const {
    std::vector<T> out(static_cast<std::size_t>(size()));
    B::copy_to_host(data(), out.data(), size());
    return out;
  }

  /// The same tensor under a type that knows more, or fewer, extents at compile time: x.realize<Shape<dyn, 192>>().
  /// Throws Error where an extent differs.
  template <class To>
  [[nodiscard]] Tensor<T, To, B> realize() const {
    static_assert(To::rank == S::rank, "vitral: realize: the two shapes must have the same number of extents");
    return Tensor<T, To, B>(buffer_, To(shape_.all()));
  }

 private:
  template <class... I>
  T& element(I... index) const {
    static_assert(sizeof...(I) == S::rank, "vitral: an element is named by as many indices as the tensor has extents");
    static_assert(B::on_host, "vitral: elements can be read one by one in host memory only; use to_vector");
    long offset = 0;
    [[maybe_unused]] int axis = 0;
    ((offset = offset * shape_[axis++] + static_cast<long>(index)), ...);
    return data()[offset];
  }
  void check_index(long index, int axis) const {
    check(index >= 0 && index < shape_[axis], "index ", index, " is outside axis ", axis, " of a tensor of shape ",
          shape_);
  }

  Buffer buffer_;
  VITRAL_NO_UNIQUE_ADDRESS S shape_{};
};

/// A strided window onto a tensor's memory, which it keeps alive: element (i, j) is data()[i * strides()[0] + j *
/// strides()[1]].
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
  [[nodiscard]] T* data() const {
    detail::check_held(buffer_, shape_);
    return data_;
  }
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

/// A window on all of a tensor.
template <class T, class S, class B>
[[nodiscard]] View<T, S, B> view(const Tensor<T, S, B>& x) {
  return x;
}
/// The window itself.
template <class T, class S, class B>
[[nodiscard]] View<T, S, B> view(const View<T, S, B>& x) {
  return x;
}

/// A copy of the elements in memory of its own.
template <class T, class S, class B>
[[nodiscard]] Tensor<T, S, B> clone(const Tensor<T, S, B>& x) {
  auto out = Tensor<T, S, B>::uninitialized(x.shape());
  B::copy(x.data(), out.data(), x.size());
  return out;
}

}}  // namespace vitral
