// Windows onto tensors: slices, permuted axes, other shapes. They share the memory; no element is moved.
#pragma once

#include <vitral/tensor/tensor.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

template <class X>
concept Stored = is_tensor<X> || is_view<X>;

template <class S, int... Axes>
struct permuted {
  static_assert(sizeof...(Axes) == S::rank, "vitral: transpose: name every axis once");
  static_assert(
      [] {
        bool seen[S::rank + 1] = {};
        ((seen[axis_of<S, Axes>] = true), ...);
        for (int i = 0; i < S::rank; ++i)
          if (!seen[i]) return false;
        return true;
      }(),
      "vitral: transpose: name every axis once");
  using type = Shape<S::static_extent(axis_of<S, Axes>)...>;
};

/// The extents of a tensor seen as a matrix: its last axis are the columns, all others together the rows.
struct RowExtents {
  long rows, cols;
};
template <class X>
RowExtents row_extents(const X& x) {
  constexpr int last = shape_of<X>::rank - 1;
  long rows = 1;
  for (int i = 0; i < last; ++i) rows *= x.shape()[i];
  return {rows, x.shape()[last]};
}

/// Whether the elements lie row by row without gaps, so that they can take another shape without a copy.
template <class X>
bool is_dense(const X& x) {
  if constexpr (is_tensor<X>) {
    return true;
  } else {
    long expected = 1;
    for (int i = shape_of<X>::rank - 1; i >= 0; --i) {
      if (x.extent(i) != 1 && x.strides()[static_cast<std::size_t>(i)] != expected) return false;
      expected *= x.extent(i);
    }
    return true;
  }
}

}  // namespace detail

/// The places begin to begin + count - 1 along Axis; `Count` fixes the extent at compile time. Throws Error where they
/// are outside the axis. slice_view<0>(x, 2, 3) are rows 2, 3 and 4; slice_view<1, 3>(x, 0) the first three columns.
template <int Axis, int Count = dyn, detail::Stored X>
[[nodiscard]] auto slice_view(const X& x, int begin, int count = Count) {
  constexpr int axis = axis_of<shape_of<X>, Axis>;
  using S = replace_extent<shape_of<X>, axis, Count>;
  check(begin >= 0 && count >= 0 && begin <= x.extent(axis) - count, "slice: [", begin, ", ", long{begin} + count,
        ") is outside axis ", axis, " of ", x.shape());
  auto extents = x.shape().all();
  extents[axis] = count;
  const auto whole = view(x);
  return View<scalar_of<X>, S, backend_of<X>>(x.buffer(), x.data() + begin * whole.strides()[axis], S(extents),
                                              whole.strides());
}

/// The place `index` along Axis, which the result loses: select_view<0>(x, 2) is row 2. Throws Error outside the axis.
template <int Axis, detail::Stored X>
[[nodiscard]] auto select_view(const X& x, int index) {
  constexpr int axis = axis_of<shape_of<X>, Axis>;
  using S = remove_extent<shape_of<X>, axis>;
  check(index >= 0 && index < x.extent(axis), "select: ", index, " is outside axis ", axis, " of ", x.shape());
  const auto whole = view(x);
  std::array<int, S::rank> extents{};
  typename View<scalar_of<X>, S, backend_of<X>>::Strides strides{};
  for (std::size_t i = 0, j = 0; i < shape_of<X>::rank; ++i) {
    if (i == axis) continue;
    extents[j] = whole.extent(static_cast<int>(i));
    strides[j++] = whole.strides()[i];
  }
  return View<scalar_of<X>, S, backend_of<X>>(x.buffer(), x.data() + index * whole.strides()[axis], S(extents),
                                              strides);
}

/// The axes in the order given: transpose_view<1, 0>(x) swaps the axes of a matrix.
template <int... Axes, detail::Stored X>
[[nodiscard]] auto transpose_view(const X& x) {
  using S = typename detail::permuted<shape_of<X>, Axes...>::type;
  const auto whole = view(x);
  const std::array<int, sizeof...(Axes)> extents{whole.extent(axis_of<shape_of<X>, Axes>)...};
  const std::array<long, sizeof...(Axes)> strides{whole.strides()[axis_of<shape_of<X>, Axes>]...};
  return View<scalar_of<X>, S, backend_of<X>>(x.buffer(), x.data(), S(extents), strides);
}

/// The same elements in row-major order under another shape; the tensor's memory is shared.
template <class To, class T, class S, class B>
[[nodiscard]] Tensor<T, To, B> reshape_tensor(const Tensor<T, S, B>& x, const To& to) {
  reshape_rule<S, To>::check(x.shape(), to);
  return Tensor<T, To, B>(x.buffer(), to);
}

/// All elements in one row; the tensor's memory is shared. Throws Error where they are 2^31 or more.
template <class T, class S, class B>
[[nodiscard]] Tensor<T, Shape<dyn>, B> flat(const Tensor<T, S, B>& x) {
  check(x.size() <= std::numeric_limits<int>::max(), "flat: a tensor of shape ", x.shape(), " has ", x.size(),
        " elements, more than an extent can say; keep two extents");
  return {x.buffer(), Shape<dyn>{x.size()}};
}

}}  // namespace vitral
