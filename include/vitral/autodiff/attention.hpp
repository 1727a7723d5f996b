// Multi-head softmax attention from packed queries, keys and values, without a stored [N, N] matrix of weights.
#pragma once

#include <vitral/autodiff/operation.hpp>
#include <vitral/tensor/heads.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// qkv [B, N, 3 D] -> [B, N, D]: a token's channels are its query, key and value, each of `heads` equal parts (timm's
/// order).
template <class S>
struct attention_rule {
  static_assert(S::rank == 3, "vitral: attention: the packed input needs three extents, [batch, tokens, 3 * width]");
  using shape = replace_extent<S, 2, divided(S::static_extent(2), 3)>;
  static shape apply(const S& qkv, int heads) {
    check(heads >= 1 && qkv[2] % 3 == 0 && qkv[2] / 3 % heads == 0, "attention: ", qkv[2],
          " channels of packed q, k, v cannot be split into 3 x ", heads, " heads of equal width");
    auto extents = qkv.all();
    extents[2] /= 3;
    return shape(extents);
  }
};

namespace detail {

/// The part-th of `parts` vectors that each token holds, split into heads.
template <class T>
Heads<T> part_of(T* x, int tokens, int parts, int part, const AttentionSize& size) {
  const long width = static_cast<long>(size.heads) * size.width;
  return {x + part * width, long{tokens} * parts * width, parts * width, size.width};
}
template <class T>
Heads<const T> read_only(const Heads<T>& heads) {
  return {heads.data, heads.batch_stride, heads.token_stride, heads.head_stride};
}

/// softmax(scale q k^T) v and its backward, for queries, keys and values in any windows.
template <class P, class B>
struct AttentionCore {
  AttentionSize size{};
  Tensor<P, Shape<dyn>, B> logsumexp;

  template <class T>
  void forward(const Heads<T>& q, const Heads<T>& k, const Heads<T>& v, const Heads<T>& y) {
    logsumexp = Tensor<P, Shape<dyn>, B>::uninitialized({long{size.batch} * size.heads * size.queries});
    B::attention_forward(read_only(q), read_only(k), read_only(v), y, logsumexp.data(), size);
  }
  template <class T>
  void backward(const Heads<T>& q, const Heads<T>& k, const Heads<T>& v, const Heads<T>& y, const Heads<T>& dy,
                const Heads<T>& dq, const Heads<T>& dk, const Heads<T>& dv, bool add) {
    const P* const kept = logsumexp.data();
    B::attention_backward(read_only(q), read_only(k), read_only(v), read_only(y), kept, read_only(dy), dq, dk, dv, add,
                          size);
  }
};

template <class P, class B>
struct Attention {
  static constexpr int keeps_inputs = every_input;
  static constexpr bool keeps_result = true;
  int heads;
  AttentionCore<P, B> core{};

  template <class X>
  auto forward(auto, const X& qkv) {
    using Rule = attention_rule<shape_of<X>>;
    auto y = Tensor<scalar_of<X>, typename Rule::shape, B>::uninitialized(Rule::apply(qkv.shape(), heads));
    const int tokens = qkv.extent(1), width = y.extent(2) / heads;
    core.size = {qkv.extent(0), heads, tokens, tokens, width, 1 / std::sqrt(static_cast<double>(width))};
    core.forward(part(qkv, 3, 0), part(qkv, 3, 1), part(qkv, 3, 2), part(y, 1, 0));
    return y;
  }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y& y, const X& qkv) {
    if (!qkv.wants_gradient()) return;
    const auto g = qkv.gradient();
    const auto& x = qkv.value;
    core.backward(part(x, 3, 0), part(x, 3, 1), part(x, 3, 2), part(y, 1, 0), part(dy, 1, 0), part(g.tensor, 3, 0),
                  part(g.tensor, 3, 1), part(g.tensor, 3, 2), g.add);
  }

 private:
  auto part(const auto& x, int parts, int number) const {
    return part_of(x.data(), core.size.keys, parts, number, core.size);
  }
};

template <class P, class B>
struct CrossAttention {
  static constexpr int keeps_inputs = every_input;
  static constexpr bool keeps_result = true;
  int heads;
  AttentionCore<P, B> core{};

  template <class Q, class KV>
  auto forward(auto, const Q& q, const KV& kv) {
    const int width = q.extent(2);
    check(q.extent(0) == kv.extent(0) && kv.extent(2) == 2 * width && heads >= 1 && width % heads == 0,
          "attention: queries ", q.shape(), " with keys and values ", kv.shape(), " and ", heads,
          " heads; [batch, M, D] goes with [batch, N, 2 D], and the heads must divide D");
    auto y = Q::uninitialized(q.shape());
    core.size = {q.extent(0),  heads,         q.extent(1),
                 kv.extent(1), width / heads, 1 / std::sqrt(static_cast<double>(width / heads))};
    core.forward(rows(q), memory(kv, 0), memory(kv, 1), rows(y));
    return y;
  }
  template <class DY, class Y, class Q, class KV>
  void backward(const DY& dy, const Y& y, const Q& q, const KV& kv) {
    if (!q.wants_gradient() && !kv.wants_gradient()) return;
    const auto dq = DY::uninitialized(dy.shape());
    const auto dkv = Tensor<scalar_of<DY>, shape_of<decltype(kv.value)>, B>::uninitialized(kv.value.shape());
    core.backward(rows(q.value), memory(kv.value, 0), memory(kv.value, 1), rows(y), rows(dy), rows(dq), memory(dkv, 0),
                  memory(dkv, 1), false);
    if (q.wants_gradient()) put(q.gradient(), dq);
    if (kv.wants_gradient()) put(kv.gradient(), dkv);
  }

 private:
  auto rows(const auto& x) const { return part_of(x.data(), core.size.queries, 1, 0, core.size); }
  auto memory(const auto& kv, int number) const { return part_of(kv.data(), core.size.keys, 2, number, core.size); }
};

}  // namespace detail

/// softmax(q k^T / sqrt(width of a head)) v for each image and head.
template <Operand X>
[[nodiscard]] auto attention(const X& qkv, int heads) {
  return apply(detail::Attention<compute_t<scalar_of<X>>, backend_of<X>>{heads}, qkv);
}

/// The same for queries q [B, M, D] of their own and packed keys and values kv [B, N, 2 D] -> [B, M, D].
template <Operand Q, Operand KV>
[[nodiscard]] auto attention(const Q& q, const KV& kv, int heads) {
  static_assert(shape_of<Q>::rank == 3 && shape_of<KV>::rank == 3,
                "vitral: attention: queries need three extents [batch, M, D], keys and values [batch, N, 2 D]");
  return apply(detail::CrossAttention<compute_t<scalar_of<Q>>, backend_of<Q>>{heads}, q, kv);
}

}}  // namespace vitral
