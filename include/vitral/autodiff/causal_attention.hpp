// Attention in which a token sees itself and earlier tokens alone, as language models need it, made of single
// operations: it stores the weights, [tokens, tokens] for each head, which attention.hpp does not.
#pragma once

#include <vitral/autodiff/attention.hpp>
#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/matmul.hpp>
#include <vitral/autodiff/softmax.hpp>

#include <limits>

namespace vitral { inline namespace VITRAL_ABI {

/// softmax(q k^T / sqrt(width of a head), without later keys) v for packed qkv [batch, tokens, 3 D] -> [batch, tokens,
/// D]; channels as in attention(qkv, heads).
template <Operand X>
[[nodiscard]] auto causal_attention(const X& qkv, int heads) {
  const auto shape = attention_rule<shape_of<X>>::apply(qkv.shape(), heads);
  const int batch = shape[0], tokens = shape[1], width = shape[2] / heads, groups = batch * heads;
  const auto by_part = transpose<2, 0, 3, 1, 4>(
      reshape(qkv, Shape<dyn, dyn, 3, dyn, dyn>(std::array<int, 5>{batch, tokens, 3, heads, width})));
  const auto rows = [&](int part) {
    return reshape(select<0>(by_part, part), Shape<dyn, dyn>{groups * tokens, width});
  };
  const Shape<dyn, dyn, dyn> squares{groups, tokens, tokens}, values{groups, tokens, width};

  const auto scores = reshape(grouped_linear(rows(0), rows(1), groups), squares);
  const auto is_later = positions(Shape<dyn, 1>{tokens}) < positions(Shape<dyn>{tokens});
  const auto weights = softmax(
      select(is_later, -std::numeric_limits<double>::infinity(), scores * (1 / std::sqrt(static_cast<double>(width)))));
  const auto mixed = batched_matmul(weights, reshape(rows(2), values));
  return reshape(transpose<0, 2, 1, 3>(reshape(mixed, Shape<dyn, dyn, dyn, dyn>{batch, heads, tokens, width})), shape);
}

}}  // namespace vitral
