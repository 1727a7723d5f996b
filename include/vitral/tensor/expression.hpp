// Lazy element-wise expressions. An expression holds its leaves by value (handles), so it never dangles; nothing is
// computed before `eval` or `assign` lowers the whole tree to one pass over memory.
#pragma once

#include <vitral/core/philox.hpp>
#include <vitral/tensor/functors.hpp>
#include <vitral/tensor/tensor.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// A number in an expression; it takes the scalar type of what it meets.
template <class T>
struct Constant {
  using scalar = T;
  using shape_type = Shape<>;
  using backend = void;
  static constexpr bool weak = true, recorded = false;
  T value;
  [[nodiscard]] Shape<> shape() const { return {}; }
};

/// Uniform numbers in [0, 1), for Drawn.
struct UniformDraw {
  VITRAL_HD static float at(const Random& random, long i) {
    return random.uniform_float(static_cast<std::uint64_t>(i));
  }
};
/// Standard normal numbers, for Drawn.
struct NormalDraw {
  VITRAL_HD static float at(const Random& random, long i) {
    return static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
  }
};

/// Random numbers, one for each element of the shape: element i is a function of (random, i) alone, so the backward
/// pass draws the same numbers again instead of storing them.
template <class Distribution, class S>
struct Drawn {
  using scalar = float;
  using shape_type = S;
  using backend = void;
  static constexpr bool weak = true, recorded = false;
  Random random;
  S extents;
  [[nodiscard]] const S& shape() const { return extents; }
};
/// Uniform random numbers in [0, 1) as an operand of this shape; see Drawn. eval makes a tensor of them:
///
///   const auto x = eval(2 * uniform(Random{1}, Shape<dyn, 32>{128}) - 1);  // float, from -1 to 1
template <class S>
[[nodiscard]] Drawn<UniformDraw, S> uniform(Random random, const S& shape) {
  return {random, shape};
}
/// Standard normal random numbers as an operand of this shape; see Drawn.
///
///   const auto noisy = eval(x + 0.1 * normal(mode.draw(), x.shape()));
template <class S>
[[nodiscard]] Drawn<NormalDraw, S> normal(Random random, const S& shape) {
  return {random, shape};
}

/// 0, 1, 2, ...: the place of each element of the shape in row-major order; exact up to 2^24.
template <class S>
struct Positions {
  using scalar = float;
  using shape_type = S;
  using backend = void;
  static constexpr bool weak = true, recorded = false;
  S extents;
  [[nodiscard]] const S& shape() const { return extents; }
};
/// The operand 0, 1, 2, ... of a shape; see Positions.
template <class S>
[[nodiscard]] Positions<S> positions(const S& shape) {
  return {shape};
}

namespace detail {

template <class Op, class Promoted>
struct result_scalar {
  using type = typename Promoted::scalar;
};
template <class To, class Promoted>
struct result_scalar<op::Cast<To>, Promoted> {
  using type = To;
};

}  // namespace detail

/// Operation Op on the arguments, element by element, broadcast against each other.
template <class Op, class... A>
struct Expr {
  using kind = detail::promoted<A...>;
  using scalar = typename detail::result_scalar<Op, kind>::type;
  using shape_type = typename detail::joint_shape<shape_of<A>...>::type;
  using backend = typename detail::common_backend_of<A...>::type;
  static constexpr bool weak = kind::weak;
  static constexpr bool recorded = (is_recorded<A> || ...);

  Pack<A...> args;

  [[nodiscard]] shape_type shape() const {
    return [&]<int... I>(std::integer_sequence<int, I...>) {
      return detail::joint_shape<shape_of<A>...>::apply(get<I>(args).shape()...);
    }
    (std::make_integer_sequence<int, sizeof...(A)>{});
  }
};

template <class Op, class... A>
inline constexpr bool is_of_parameters<Expr<Op, A...>> = (is_of_parameters<A> || ...) &&
                                                         ((is_of_parameters<A> || std::is_void_v<backend_of<A>>)&&...);

template <class X>
inline constexpr bool is_expr = false;
template <class Op, class... A>
inline constexpr bool is_expr<Expr<Op, A...>> = true;

namespace detail {

template <class Number, class... X>
struct constant_type {
  using met = compute_t<typename promoted<X...>::scalar>;
  using type = std::conditional_t<std::is_integral_v<met> && std::is_floating_point_v<Number>, float, met>;
};

/// Numbers become constants of the type of the operands they stand with.
template <class... Others, class X>
auto leaf(const X& x) {
  if constexpr (Operand<X>)
    return x;
  else
    return Constant<typename constant_type<X, Others...>::type>{
        static_cast<typename constant_type<X, Others...>::type>(x)};
}

template <class... T>
struct Types {};
template <class... A, class... B>
Types<A..., B...> operator+(Types<A...>, Types<B...>);
template <class X>
using operand_or_none = std::conditional_t<Operand<X>, Types<X>, Types<>>;

template <class Op, class... Operands, class... X>
auto express_with(Types<Operands...>, const X&... x) {
  return Expr<Op, decltype(leaf<Operands...>(x))...>{pack_handles(leaf<Operands...>(x)...)};
}

template <class... X>
concept Expressible = (OperandOrNumber<X> && ...) && (Operand<X> || ...);

}  // namespace detail

/// The expression `Op(x...)`; the shapes must broadcast.
template <class Op, class... X>
  requires detail::Expressible<X...>
[[nodiscard]] auto express(const X&... x) {
  return detail::express_with<Op>(decltype((detail::Types<>{} + ... + detail::operand_or_none<X>{})){}, x...);
}

}}  // namespace vitral
