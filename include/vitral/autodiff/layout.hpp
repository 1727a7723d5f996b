// Operations that move elements, for tensors and for variables: reshape, slice, select, transpose, concat, gather.
#pragma once

#include <vitral/autodiff/operation.hpp>
#include <vitral/tensor/layout.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// To be called before only a part of a gradient is added to: sets it to zero where it holds nothing yet.
template <class T, class S, class B>
void prepare_partial(const Gradient<T, S, B>& g) {
  if (!g.add) B::fill(g.tensor.data(), g.tensor.size(), T{});
}

/// Writes an expression into a window; it may read the window itself, element by element.
template <class T, class S, class B, class E>
void assign_view(const View<T, S, B>& to, const E& expression) {
  constexpr int R = axes_of<S>;
  auto window = lower<R>(to);
  auto plan = lower<R>(expression);
  const auto space = make_space(to.shape(), window, plan);
  B::evaluate_window(space, plan, window, to.data());
}

template <class To>
struct Reshape {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  To to;
  auto forward(auto, const auto& x) { return reshape_tensor(x, to); }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y&, const X& x) {
    if (x.wants_gradient()) put(x.gradient(), reshape_tensor(dy, x.value.shape()));
  }
};

template <class Window>
struct Slice {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  Window window;
  auto forward(auto, const auto& x) { return eval(window(x)); }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y&, const X& x) {
    if (!x.wants_gradient()) return;
    const auto g = x.gradient();
    prepare_partial(g);
    const auto part = window(g.tensor);
    assign_view(part, part + dy);
  }
};

template <int Axis, int Count>
struct SliceWindow {
  int begin, count;
  auto operator()(const auto& x) const { return slice_view<Axis, Count>(x, begin, count); }
};
template <int Axis>
struct SelectWindow {
  int index;
  auto operator()(const auto& x) const { return select_view<Axis>(x, index); }
};

template <int... Axes>
struct Transpose {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  auto forward(auto, const auto& x) { return eval(transpose_view<Axes...>(x)); }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y&, const X& x) {
    if (x.wants_gradient()) put(x.gradient(), inverse(dy, std::make_integer_sequence<int, sizeof...(Axes)>{}));
  }

 private:
  static constexpr int place_of(int axis) {
    constexpr int rank = sizeof...(Axes);
    const int axes[] = {(Axes < 0 ? Axes + rank : Axes)...};
    for (int i = 0; i < rank; ++i)
      if (axes[i] == axis) return i;
    return -1;
  }
  template <int... I>
  static auto inverse(const auto& dy, std::integer_sequence<int, I...>) {
    return transpose_view<place_of(I)...>(dy);
  }
};

/// Shapes that are equal but along Axis, whose extents add up.
template <int Axis, class... S>
struct concat_rule;
template <int Axis, class S>
struct concat_rule<Axis, S> {
  using shape = S;
  static S apply(const S& s) { return s; }
};
template <int Axis, class A, class B, class... Rest>
struct concat_rule<Axis, A, B, Rest...> {
  static_assert(A::rank == B::rank, "vitral: concat: the operands need the same number of extents");
  static constexpr int axis = axis_of<A, Axis>;
  template <int I>
  static constexpr int joined() {
    if constexpr (I == axis)
      return plus(A::static_extent(I), B::static_extent(I));
    else
      return extents_match<A::static_extent(I), B::static_extent(I)>::extent;
  }
  template <int... I>
  static Shape<joined<I>()...> make(std::integer_sequence<int, I...>);
  using two = decltype(make(std::make_integer_sequence<int, A::rank>{}));
  using shape = typename concat_rule<Axis, two, Rest...>::shape;

  static shape apply(const A& a, const B& b, const Rest&... rest) {
    auto extents = a.all();
    for (int i = 0; i < A::rank; ++i)
      check(i == axis || a[i] == b[i], "concat along axis ", axis, ": ", a, " and ", b, " differ along axis ", i);
    extents[axis] = plus(extents[axis], b[axis]);
    return concat_rule<Axis, two, Rest...>::apply(two(extents), rest...);
  }
};

/// `Addend`: None, or a tensor that is added to the whole.
template <int Axis, class Addend = None>
struct Concat {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  Addend addend{};

  template <class... X>
  auto forward(auto, const X&... x) {
    using Rule = concat_rule<Axis, shape_of<X>...>;
    using Kind = promoted<X...>;
    auto y = Tensor<typename Kind::scalar, typename Rule::shape, typename common_backend_of<X...>::type>::uninitialized(
        Rule::apply(x.shape()...));
    int begin = 0;
    const auto place = [&](const auto& part) {
      const int count = part.extent(axis_of<shape_of<decltype(part)>, Axis>);
      const auto window = slice_view<Axis>(y, begin, count);
      if constexpr (std::is_same_v<Addend, None>)
        assign_view(window, part);
      else
        assign_view(window, part + slice_view<Axis>(addend, begin, count));
      begin += count;
    };
    (place(x), ...);
    return y;
  }
  template <class DY, class Y, class... X>
  void backward(const DY& dy, const Y&, const X&... x) {
    int begin = 0;
    const auto collect = [&](const auto& part) {
      const int count = part.value.shape()[axis_of<shape_of<decltype(part.value)>, Axis>];
      if (part.wants_gradient()) put(part.gradient(), slice_view<Axis>(dy, begin, count));
      begin += count;
    };
    (collect(x), ...);
  }
};

}  // namespace detail

namespace detail {

struct ScaleGradient {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  double factor;
  auto forward(auto, const auto& x) { return x; }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y&, const X& x) {
    if (x.wants_gradient()) put(x.gradient(), dy * factor);
  }
};

}  // namespace detail

/// The same values; the gradient that flows back is multiplied by `factor`.
template <Operand X>
[[nodiscard]] auto scale_gradient(const X& x, double factor) {
  return apply(detail::ScaleGradient{factor}, x);
}

/// The same elements in row-major order under another shape.
template <class To, Operand X>
[[nodiscard]] auto reshape(const X& x, const To& to) {
  static_assert(sizeof(reshape_rule<shape_of<X>, To>) > 0);
  return apply(detail::Reshape<To>{to}, x);
}
/// The same for a shape that is known at compile time: reshape<Shape<2, 6>>(x).
template <class To, Operand X>
[[nodiscard]] auto reshape(const X& x) {
  static_assert(To::is_static,
                "vitral: reshape<Shape>(x) needs a static shape; give the run-time extents as reshape(x, shape)");
  return reshape(x, To{});
}

/// The places begin to begin + count - 1 along Axis; `Count` fixes the extent at compile time. Throws Error where they
/// are outside the axis. slice<0>(x, 2, 3) are rows 2, 3 and 4; slice<1, 3>(x, 0) the first three columns.
template <int Axis, int Count = dyn, Operand X>
[[nodiscard]] auto slice(const X& x, int begin, int count = Count) {
  return apply(detail::Slice<detail::SliceWindow<Axis, Count>>{{begin, count}}, x);
}

/// All from `begin` on along Axis; where `Begin` and the operand's extent are known at compile time, so is the
/// result's. slice_from<1, 1>(tokens) leaves out the class token of tokens [images, tokens, width].
template <int Axis, int Begin = dyn, Operand X>
[[nodiscard]] auto slice_from(const X& x, int begin = Begin) {
  constexpr int axis = axis_of<shape_of<X>, Axis>, extent = shape_of<X>::static_extent(axis);
  static_assert(extent == dyn || Begin <= extent, "vitral: slice_from begins after the end of the axis");
  const auto shape = x.shape();
  check(begin >= 0 && begin <= shape[axis], "slice_from: ", begin, " is outside axis ", axis, " of ", shape);
  return slice < Axis, Begin == dyn || extent == dyn ? dyn : extent - Begin > (x, begin, shape[axis] - begin);
}

/// The place `index` along Axis, which the result loses: select<1>(tokens, 0) is the class token of tokens [images,
/// tokens, width]. Throws Error outside the axis.
template <int Axis, Operand X>
[[nodiscard]] auto select(const X& x, int index) {
  return apply(detail::Slice<detail::SelectWindow<Axis>>{{index}}, x);
}

/// The axes in the order given: transpose<1, 0>(x) exchanges those of a matrix.
template <int... Axes, Operand X>
[[nodiscard]] auto transpose(const X& x) {
  return apply(detail::Transpose<Axes...>{}, x);
}

/// The operands one after the other along Axis; their other extents must be equal.
template <int Axis, Operand... X>
[[nodiscard]] auto concat(const X&... x) {
  return apply(detail::Concat<Axis>{}, x...);
}

/// concat<Axis>(x...) + addend, where the addend's shape broadcasts to the whole. One pass over memory where the addend
/// is not trainable.
template <int Axis, class P, class S, class B, Operand... X>
[[nodiscard]] auto concat_plus(const Parameter<P, S, B>& addend, const X&... x) {
  if constexpr ((is_recorded<X> || ...) || (is_of_parameters<X> && ...))
    if (addend.trainable) return eval(concat<Axis>(x...) + addend);
  const auto shape = detail::concat_rule<Axis, shape_of<X>...>::apply(x.shape()...);
  check(broadcast_rule<decltype(shape), S>::apply(shape, addend.shape()) == shape &&
            addend.shape()[axis_of<S, Axis>] == shape[axis_of<decltype(shape), Axis>],
        "concat_plus: ", addend.shape(), " cannot be added to ", shape);
  return apply(detail::Concat<Axis, Tensor<P, S, B>>{addend.value}, x...);
}

namespace detail {

template <class S, class I, class B>
struct Gather {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false, picks_rows = true;
  Tensor<int, I, B> index;

  [[nodiscard]] unsigned kept_versions() const { return versions_of(index); }
  template <class X>
  auto forward(auto, const X& table) {
    auto extents = table.shape().all();
    extents[0] = index.extent(0);
    auto y = Tensor<scalar_of<X>, S, B>::uninitialized(S(extents));
    const long cols = table.extent(0) ? table.size() / table.extent(0) : 0;
    B::gather_rows(table.data(), index.data(), y.data(), index.size(), cols, static_cast<long>(table.extent(0)));
    return y;
  }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y&, const X& table) {
    if (!table.wants_gradient()) return;
    const auto g = table.gradient();
    prepare_partial(g);
    const long rows = g.tensor.extent(0);
    B::scatter_add_rows(dy.data(), index.data(), g.tensor.data(), index.size(), rows ? g.tensor.size() / rows : 0,
                        rows);
  }
};

}  // namespace detail

/// The rows index[0], index[1], ... of a table [rows, ...]; an index may occur several times. Throws Error where one is
/// outside the table.
template <Operand X, class I, class B>
[[nodiscard]] auto gather(const X& table, const Tensor<int, I, B>& index) {
  static_assert(I::rank == 1, "vitral: gather: the index needs one extent");
  static_assert(shape_of<X>::rank >= 1, "vitral: gather: the table needs at least one extent");
  using S = replace_extent<shape_of<X>, 0, I::static_extent(0)>;
  return apply(detail::Gather<S, I, B>{index}, table);
}
/// The same for an index on a tape, gather(table, tape.constant(ids)): the tape watches the table, as an embedding
/// needs.
template <class P, class S, class I, class B>
[[nodiscard]] auto gather(const Parameter<P, S, B>& table, const Variable<int, I, B>& index) {
  return gather(index.tape().watch(table), index.value());
}

}}  // namespace vitral
