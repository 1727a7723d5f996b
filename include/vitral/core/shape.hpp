// Shape: extents known at compile time or at run time, as in std::mdspan, and the rules by which shapes combine.
// Each rule stands once: it gives the result type, the run-time check and the message.
#pragma once

#include <vitral/core/error.hpp>

#include <array>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// An extent that is known only at run time.
inline constexpr int dyn = -1;

/// A number as an extent. Throws Error where an int does not hold it.
constexpr int extent_of(long n) {
  constexpr long most = std::numeric_limits<int>::max();
  if (n < 0 || n > most) fail("an extent of ", n, " is not one of 0 to ", most);
  return static_cast<int>(n);
}

/// Arithmetic on extents: unknown stays unknown.
constexpr int times(int a, int b) { return a == dyn || b == dyn ? dyn : extent_of(long{a} * b); }
/// The sum of two extents; dyn where one is.
constexpr int plus(int a, int b) { return a == dyn || b == dyn ? dyn : extent_of(long{a} + b); }
/// An extent divided by another; dyn where one is.
constexpr int divided(int a, int b) { return a == dyn || b == dyn ? dyn : a / b; }

namespace detail {

/// Whether the product of all extents but those that are 0 or dyn is below 2^62: then sizes and strides fit a long.
constexpr bool product_fits(const int* extents, int count) {
  double product = 1;
  for (int i = 0; i < count; ++i) product *= extents[i] > 0 ? extents[i] : 1;
  return product < 0x1p62;
}

/// The run-time extents of a static shape: no storage, where std::array<int, 0> is not an empty class.
struct NoExtents {};

}  // namespace detail

/// `Shape<4, dyn, 192>`: a static extent costs no storage and is checked at compile time, a `dyn` one at run time. The
/// product of all extents but those that are 0 is below 2^62.
template <int... E>
struct Shape {
  static constexpr int rank = sizeof...(E);
  static constexpr int dynamic_count = ((E == dyn ? 1 : 0) + ... + 0);
  static constexpr bool is_static = dynamic_count == 0;
  static constexpr std::array<int, sizeof...(E)> extents_or_dyn{E...};
  static_assert(((E >= 0 || E == dyn) && ...), "vitral: an extent is 0 or more, or dyn");
  static_assert(detail::product_fits(extents_or_dyn.data(), rank), "vitral: a shape has less than 2^62 elements");

  constexpr Shape() = default;

  /// From the run-time extents alone, or from all of them (then the static ones are checked). Throws Error where an
  /// extent or the product of all does not fit.
  constexpr Shape(std::initializer_list<long> extents) : Shape(extents.begin(), static_cast<int>(extents.size())) {}
  constexpr explicit Shape(const std::array<int, sizeof...(E)>& all) : Shape(all.data(), rank) {}

  static constexpr int static_extent(int axis) { return extents_or_dyn[static_cast<std::size_t>(axis)]; }

  constexpr int operator[](int axis) const {
#if VITRAL_CHECKED
    if (axis < 0 || axis >= rank) fail("a shape of ", rank, " extents has no extent ", axis);
#endif
    const int fixed = static_extent(axis);
    if constexpr (is_static)
      return fixed;
    else
      return fixed != dyn ? fixed : dynamic_[dynamic_index(axis)];
  }

  [[nodiscard]] constexpr long size() const {
    long n = 1;
    for (int i = 0; i < rank; ++i) n *= (*this)[i];
    return n;
  }

  [[nodiscard]] constexpr std::array<int, sizeof...(E)> all() const {
    std::array<int, sizeof...(E)> out{};
    for (int i = 0; i < rank; ++i) out[static_cast<std::size_t>(i)] = (*this)[i];
    return out;
  }

 private:
  template <class I>
  constexpr Shape(const I* extents, int count);

  static constexpr std::size_t dynamic_index(int axis) {
    std::size_t n = 0;
    for (int i = 0; i < axis; ++i) n += static_extent(i) == dyn ? 1 : 0;
    return n;
  }

  VITRAL_NO_UNIQUE_ADDRESS std::conditional_t<is_static, detail::NoExtents, std::array<int, dynamic_count>> dynamic_{};
};

/// Lets `check` and `fail` take shapes, written only when there is an error: "[64, 192]".
template <int... E>
void append(std::string& out, const Shape<E...>& shape) {
  out += "[";
  for (int i = 0; i < shape.rank; ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  out += "]";
}
/// "[2, 3]".
template <int... E>
[[nodiscard]] std::string to_string(const Shape<E...>& shape) {
  return join(shape);
}

template <int... E>
template <class I>
constexpr Shape<E...>::Shape(const I* extents, int count) {
  if (count != rank && count != dynamic_count)
    fail("a shape of ", rank, " extents, ", dynamic_count, " of them dynamic, was given ", count,
         " numbers; give all or the dynamic ones");
  const bool complete = count == rank;
  [[maybe_unused]] std::size_t next = 0;
  for (int i = 0; i < rank; ++i) {
    const bool is_dynamic = static_extent(i) == dyn;
    if (!complete && !is_dynamic) continue;
    const long number = *extents++;
    if (number < 0 || number > std::numeric_limits<int>::max())
      fail("extent ", i, " of a shape is ", number, "; it must be 0 or more, and less than 2^31");
    const int given = static_cast<int>(number);
    if constexpr (!is_static)
      if (is_dynamic) dynamic_[next++] = given;
    if (!is_dynamic && given != static_extent(i))
      fail("extent ", i, " is ", given, " but the type of the shape says ", static_extent(i));
  }
  if constexpr (!is_static && rank > 1)  // one extent fits
    if (const auto product = all(); !detail::product_fits(product.data(), rank))
      fail("a shape of ", *this, " has 2^62 elements or more; use smaller extents");
}

template <class S>
inline constexpr bool is_shape = false;
template <int... E>
inline constexpr bool is_shape<Shape<E...>> = true;

/// Whether all extents are equal, known at compile time or not.
template <int... A, int... B>
constexpr bool operator==(const Shape<A...>& a, const Shape<B...>& b) {
  if constexpr (sizeof...(A) != sizeof...(B)) {
    return false;
  } else {
    for (int i = 0; i < a.rank; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }
}

// ---- shapes made from shapes ------------------------------------------------------------------------------------

namespace detail {

template <class S, int Axis, int E, class = std::make_integer_sequence<int, S::rank>>
struct replaced;
template <class S, int Axis, int E, int... I>
struct replaced<S, Axis, E, std::integer_sequence<int, I...>> {
  using type = Shape<(I == Axis ? E : S::static_extent(I))...>;
};

template <class S, int Axis, class = std::make_integer_sequence<int, S::rank - 1>>
struct removed;
template <class S, int Axis, int... I>
struct removed<S, Axis, std::integer_sequence<int, I...>> {
  using type = Shape<S::static_extent(I < Axis ? I : I + 1)...>;
};

}  // namespace detail

/// S with extent E at `Axis`, and S without `Axis`.
template <class S, int Axis, int E>
using replace_extent = typename detail::replaced<S, Axis, E>::type;
/// The shape without one of its axes.
template <class S, int Axis>
using remove_extent = typename detail::removed<S, Axis>::type;

/// Negative axes count from the back.
template <class S, int Axis>
inline constexpr int axis_of = [] {
  constexpr int axis = Axis < 0 ? Axis + S::rank : Axis;
  static_assert(axis >= 0 && axis < S::rank, "vitral: the axis does not exist in this shape");
  return axis;
}();

// ---- rules ------------------------------------------------------------------------------------------------------

/// Broadcasting: shapes are aligned at the right; a missing extent counts as 1; a pair must be equal or hold a 1.
template <class L, class R>
struct broadcast_rule {
  static constexpr int rank = L::rank > R::rank ? L::rank : R::rank;

  template <class S>
  static constexpr int padded(int axis) {
    return axis < rank - S::rank ? 1 : S::static_extent(axis - (rank - S::rank));
  }
  static constexpr int joined(int l, int r) { return l == 1 ? r : r == 1 ? l : l == dyn ? r : l; }

  static constexpr bool holds = [] {
    for (int i = 0; i < rank; ++i) {
      const int l = padded<L>(i), r = padded<R>(i);
      if (l != r && l != 1 && r != 1 && l != dyn && r != dyn) return false;
    }
    return true;
  }();
  static_assert(holds, "vitral: cannot broadcast the two shapes named in broadcast_rule<L, R>: aligned at the right, "
                       "two extents must be equal or one of them 1");

  template <class I>
  struct result;
  template <int... I>
  struct result<std::integer_sequence<int, I...>> {
    using type = Shape<joined(padded<L>(I), padded<R>(I))...>;
  };
  using shape = typename result<std::make_integer_sequence<int, rank>>::type;

  static constexpr shape apply(const L& l, const R& r) {
    std::array<int, rank> out{};
    for (int i = 0; i < rank; ++i) {
      const int a = i < rank - L::rank ? 1 : l[i - (rank - L::rank)];
      const int b = i < rank - R::rank ? 1 : r[i - (rank - R::rank)];
      if (a != b && a != 1 && b != 1) fail("cannot broadcast ", l, " with ", r);
      out[static_cast<std::size_t>(i)] = a == 1 ? b : a;
    }
    return shape(out);
  }
};

/// The contracted extents of a product: `K` columns on the left meet `R` rows on the right.
template <int K, int R>
struct inner_extents_match {
  static_assert(K == R || K == dyn || R == dyn,
                "vitral: matmul: the left operand's last extent must equal the right operand's inner extent");
  static void check(int k, int r, const auto& left, const auto& right, std::string_view note = "") {
    vitral::check(k == r, "matmul: cannot multiply ", left, " by ", right, note, ": inner extents ", k, " and ", r,
                  " differ");
  }
};

/// Two extents that an operation needs to be equal (a LayerNorm's width and its scale, a concatenation's other axes).
template <int A, int B>
struct extents_match {
  static_assert(A == B || A == dyn || B == dyn, "vitral: the two extents named in extents_match<A, B> must be equal");
  static constexpr int extent = A == dyn ? B : A;
  static void check(std::string_view what, int a, int b) {
    vitral::check(a == b, what, ": extents ", a, " and ", b, " must be equal");
  }
};

/// Two operands that must have one shape, such as a loss' prediction and target: nothing is broadcast.
template <class A, class B>
struct equal_shapes {
  static constexpr bool hold = [] {
    if constexpr (A::rank != B::rank) {
      return false;
    } else {
      for (int i = 0; i < A::rank; ++i) {
        const int a = A::static_extent(i), b = B::static_extent(i);
        if (a != b && a != dyn && b != dyn) return false;
      }
      return true;
    }
  }();
  static_assert(hold, "vitral: the two shapes named in equal_shapes<A, B> must be equal; reshape one of them");
  static void check(std::string_view what, const A& a, const B& b) {
    vitral::check(a == b, what, ": the shapes ", a, " and ", b, " must be equal; reshape one of them");
  }
};

/// A reshape keeps the number of elements.
template <class From, class To>
struct reshape_rule {
  static constexpr bool holds = [] {
    if constexpr (From::is_static && To::is_static) return From{}.size() == To{}.size();
    return true;
  }();
  static_assert(holds,
                "vitral: reshape: the two shapes named in reshape_rule<From, To> differ in the number of elements");
  static void check(const From& from, const To& to) {
    vitral::check(from.size() == to.size(), "reshape: ", from, " has ", from.size(), " elements, ", to, " has ",
                  to.size());
  }
};

}}  // namespace vitral
