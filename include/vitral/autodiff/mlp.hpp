// Two linear layers with a GELU between them as one node of the tape: backward turns the gradient of the GELU's value
// into that of its argument in place, and sums up the gradient of the first bias in the same pass.
#pragma once

#include <vitral/autodiff/matmul.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

template <class First, class Second>
struct LinearGeluLinear;
template <class T, class Hidden, class S, class B, class W1, class W2>
struct LinearGeluLinear<MatMul<T, Hidden, B, W1, true, Activation::gelu>, MatMul<T, S, B, W2, true, Activation::none>> {
  static constexpr int keeps_inputs = 1;
  static constexpr bool keeps_result = false, is_layer = true;

  MatMul<T, Hidden, B, W1, true, Activation::gelu> first{};
  MatMul<T, S, B, W2, true, Activation::none> second{};
  Tensor<T, Shape<dyn, dyn>, B> hidden{};

  [[nodiscard]] unsigned kept_versions() const { return first.kept_versions() + second.kept_versions(); }
  template <bool Recorded, class X, class Weight1, class Bias1, class Weight2, class Bias2>
  auto forward(std::bool_constant<Recorded> recorded, const X& x, const Weight1& w1, const Bias1& b1, const Weight2& w2,
               const Bias2& b2) {
    const auto h = first.forward(recorded, x, w1, b1);
    if constexpr (Recorded) hidden = as_rows(h);
    return second.forward(recorded, h, w2, b2);
  }

  template <class DY, class Y, class X, class Weight1, class Bias1, class Weight2, class Bias2>
  void backward(const DY& dy, const Y&, const X& x, const Weight1& w1, const Bias1& b1, const Weight2& w2,
                const Bias2& b2) {
    second.pass_to_parameters(dy, hidden, w2, b2);
    const auto shape = hidden.shape();
    hidden = {};  // its memory may serve its gradient
    const auto g = Tensor<T, Shape<dyn, dyn>, B>::uninitialized(shape);
    B::matmul(rows_of(dy), rows_of(second.weight), rows_of(g), false);
    put_gelu_gradient(g, as_rows(first.preactivation), g, b1);
    first.pass_on(g, x, w1, None{});
  }
};

}  // namespace detail

/// gelu(x w1^T + b1) w2^T + b2 for x [..., K], w1 [H, K], b1 [H], w2 [N, H], b2 [N]; a bias may be None.
template <Operand X, class W1, class Bias1, class W2, class Bias2>
[[nodiscard]] auto mlp(const X& x, const W1& w1, const Bias1& b1, const W2& w2, const Bias2& b2) {
  using T = scalar_of<X>;
  using B = backend_of<X>;
  using Hidden = typename matmul_rule<shape_of<X>, shape_of<W1>, true>::shape;
  using S = typename matmul_rule<Hidden, shape_of<W2>, true>::shape;
  detail::LinearGeluLinear<detail::MatMul<T, Hidden, B, shape_of<W1>, true, Activation::gelu>,
                           detail::MatMul<T, S, B, shape_of<W2>, true, Activation::none>>
      op;
  op.first.find_rounded(w1, b1);
  op.second.find_rounded(w2, b2);
  return apply(std::move(op), x, w1, b1, w2, b2);
}

}}  // namespace vitral
