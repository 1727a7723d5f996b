// Multi-head softmax attention from packed queries, keys and values, without a stored [N, N] matrix of weights.
#pragma once

#include <vitral/autodiff/operation.hpp>
#include <vitral/tensor/heads.hpp>

namespace vitral::inline VITRAL_ABI {

/// qkv [B, N, 3 D] -> [B, N, D]: a token's channels are its query, key and value, each of `heads` equal parts (timm's
/// order).
template <class S>
struct attention_rule {
  static_assert(S::rank == 3, "vitral: attention: the packed input needs three extents, [batch, tokens, 3 * width]");
  using shape = replace_extent<S, 2, divided(S::static_extent(2), 3)>;
  static shape apply(const S& qkv, int heads) {
    check(heads >= 1 && qkv[2] % (3 * heads) == 0, "attention: ", qkv[2],
          " channels of packed q, k, v cannot be split into 3 x ", heads, " heads of equal width");
    auto extents = qkv.all();
    extents[2] /= 3;
    return shape(extents);
  }
};

namespace detail {

template <class T>
Heads<T> part_of(T* qkv, const AttentionSize& size, int part) {
  const long width = static_cast<long>(size.heads) * size.width;
  return {qkv + part * width, static_cast<long>(size.keys) * 3 * width, 3 * width, size.width};
}
template <class T>
Heads<T> joined_heads(T* x, const AttentionSize& size) {
  const long width = static_cast<long>(size.heads) * size.width;
  return {x, static_cast<long>(size.queries) * width, width, size.width};
}

template <class P, class B>
struct Attention {
  static constexpr bool keeps_inputs = true, keeps_result = true;
  int heads;
  AttentionSize size{};
  Tensor<P, Shape<dyn>, B> logsumexp;

  template <class X>
  auto forward(auto, const X& qkv) {
    using Rule = attention_rule<shape_of<X>>;
    auto y = Tensor<scalar_of<X>, typename Rule::shape, B>::uninitialized(Rule::apply(qkv.shape(), heads));
    const int tokens = qkv.extent(1), width = y.extent(2) / heads;
    size = {qkv.extent(0), heads, tokens, tokens, width, 1 / std::sqrt(static_cast<double>(width))};
    logsumexp = Tensor<P, Shape<dyn>, B>::uninitialized({size.batch * heads * tokens});
    const auto* in = static_cast<const scalar_of<X>*>(qkv.data());
    B::attention_forward(part_of(in, size, 0), part_of(in, size, 1), part_of(in, size, 2), joined_heads(y.data(), size),
                         logsumexp.data(), size);
    return y;
  }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y& y, const X& qkv) {
    if (!qkv.wants_gradient()) return;
    using T = scalar_of<DY>;
    const auto g = qkv.gradient();
    const T* in = qkv.value.data();
    T* out = g.tensor.data();
    B::attention_backward(part_of(in, size, 0), part_of(in, size, 1), part_of(in, size, 2),
                          joined_heads(static_cast<const T*>(y.data()), size), logsumexp.data(),
                          joined_heads(static_cast<const T*>(dy.data()), size), part_of(out, size, 0),
                          part_of(out, size, 1), part_of(out, size, 2), g.add, size);
  }
};

}  // namespace detail

/// softmax(q k^T / sqrt(width of a head)) v for each image and head.
template <Operand X>
[[nodiscard]] auto attention(const X& qkv, int heads) {
  return apply(detail::Attention<compute_t<scalar_of<X>>, backend_of<X>>{heads, {}, {}}, qkv);
}

}  // namespace vitral::inline VITRAL_ABI
