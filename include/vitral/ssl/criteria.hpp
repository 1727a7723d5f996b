// The contrastive criteria C(queries, keys): a list of query blocks, one per layer, against one block of keys.
// Each is a mean over all rows of all blocks, computed in the parameters' precision whatever the activations' type.
#pragma once

#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/matmul.hpp>
#include <vitral/autodiff/softmax.hpp>

#include <limits>

namespace vitral::inline VITRAL_ABI {

namespace detail {

template <class X>
auto in_full_precision(const X& x) {
  if constexpr (std::is_same_v<scalar_of<X>, compute_t<scalar_of<X>>>)
    return x;
  else
    return eval(cast<compute_t<scalar_of<X>>>(x));
}

/// Row i of every block belongs to class (i + shift) mod rows.
template <class B>
Tensor<int, Shape<dyn>, B> shifted_targets(int rows, int shift) {
  auto targets = Tensor<int, Shape<dyn>, B>::uninitialized({rows});
  const auto row = positions(targets.shape());
  assign(targets, select(row + shift < rows, row + shift, row + (shift - rows)));
  return targets;
}

/// The mean of the blocks' losses, which all have the same number of rows.
template <class Q, class F>
auto mean_over_blocks(const std::vector<Q>& queries, F&& loss_of) {
  check(!queries.empty(), "a criterion needs at least one block of queries");
  auto total = loss_of(queries[0]);
  for (std::size_t i = 1; i < queries.size(); ++i) total = eval(total + loss_of(queries[i]));
  return eval(total * (1.0 / static_cast<double>(queries.size())));
}

}  // namespace detail

/// MoCo v3's loss (Chen, Xie and He 2021, eq. 1 and its factor 2 tau): cross entropy of cosine similarities over tau;
/// row i's positive is key i, the other keys of the batch are its negatives. queries: blocks [N, P]; keys [N, P].
struct InfoNce {
  double temperature = 0.2;

  template <class Q, Operand K>
  [[nodiscard]] auto operator()(const std::vector<Q>& queries, const K& keys) const {
    const auto k = l2_normalize(detail::in_full_precision(keys));
    const auto targets = detail::shifted_targets<backend_of<K>>(k.extent(0), 0);
    return detail::mean_over_blocks(queries, [&](const Q& q) {
      const auto similarity = linear(l2_normalize(detail::in_full_precision(q)), k);
      return eval(mean(cross_entropy(eval(similarity * (1 / temperature)), targets)) * (2 * temperature));
    });
  }
};

/// BYOL's loss (Grill et al. 2020, eq. 2): 2 - 2 cos(query, key).
struct CosineDistance {
  template <class Q, Operand K>
  [[nodiscard]] auto operator()(const std::vector<Q>& queries, const K& keys) const {
    const auto k = l2_normalize(detail::in_full_precision(keys));
    return detail::mean_over_blocks(queries, [&](const Q& q) {
      return eval(2 - 2 * mean(sum<1>(l2_normalize(detail::in_full_precision(q)) * k)));
    });
  }
};

/// SimCLR's loss (Chen et al. 2020, eq. 1): blocks and anchors are [2N, P], two views stacked. Row i's positive is the
/// other view of its image; the anchor of the very same view is left out.
struct NtXent {
  double temperature = 0.2;

  template <class Q, Operand A>
  [[nodiscard]] auto operator()(const std::vector<Q>& queries, const A& anchors) const {
    using B = backend_of<A>;
    const auto a = l2_normalize(detail::in_full_precision(anchors));
    const int rows = a.extent(0);
    check(rows % 2 == 0, "NtXent: two stacked views have an even number of rows, not ", rows);
    const auto itself = equal(positions(Shape<dyn, 1>{rows, 1}), positions(Shape<dyn>{rows}));
    const auto targets = detail::shifted_targets<B>(rows, rows / 2);
    return detail::mean_over_blocks(queries, [&](const Q& q) {
      const auto similarity = linear(l2_normalize(detail::in_full_precision(q)), a);
      const auto logits =
          eval(select(itself, -std::numeric_limits<double>::infinity(), similarity * (1 / temperature)));
      return mean(cross_entropy(logits, targets));
    });
  }
};

}  // namespace vitral::inline VITRAL_ABI
