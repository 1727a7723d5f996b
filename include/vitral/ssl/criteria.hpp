// The contrastive criteria C(queries, keys): a list of query blocks, one per layer, against one block of keys.
// Each is a mean over all rows of all blocks, computed in the parameters' precision whatever the activations' type.
// `against(keys)` prepares the keys once and gives the loss of a block as a function, whose value is an expression.
#pragma once

#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/losses.hpp>
#include <vitral/autodiff/matmul.hpp>
#include <vitral/autodiff/softmax.hpp>
#include <vitral/ssl/sum_over_layers.hpp>

#include <limits>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The mean of the blocks' losses, which all have the same number of rows.
template <class Q, class F>
auto mean_over_blocks(const std::vector<Q>& queries, F&& loss_of) {
  check(!queries.empty(), "a criterion needs at least one block of queries");
  const auto total = sum_over_layers(queries.size(), [&](std::size_t i) { return loss_of(queries[i]); });
  return eval(total * (1.0 / static_cast<double>(queries.size())));
}

}  // namespace detail

/// MoCo v3's loss (Chen, Xie and He 2021, eq. 1 and its factor 2 tau): cross entropy of cosine similarities over tau;
/// row i's positive is key i, the other keys of the batch are its negatives. queries: blocks [N, P]; keys [N, P].
///
///   const auto loss_of = InfoNce{.temperature = 0.2}.against(encoder(images));
///   tape.backward(loss_of(encoder(tape.constant(images), mode)));
struct InfoNce {
  double temperature = 0.2;

  template <class Q, Operand K>
  [[nodiscard]] auto operator()(const std::vector<Q>& queries, const K& keys) const {
    return detail::mean_over_blocks(queries, against(keys));
  }
  /// Keys, and then queries, of several views one after the other: the rows of a view have its keys alone.
  template <Operand K>
  [[nodiscard]] auto against(const K& keys, int views = 1) const {
    const auto k = eval(l2_normalize(detail::unrounded(keys)) * (1 / temperature));
    const int rows = k.extent(0) / views;
    const auto targets = Tensor<int, Shape<dyn, dyn>, backend_of<K>>::uninitialized({views, rows});
    assign(targets, cast<int>(positions(Shape<dyn>{rows})));
    return [k, targets = flat(targets), views, scale = 2 * temperature](const auto& q) {
      const auto logits = grouped_linear(l2_normalize(detail::unrounded(q)), k, views);
      return mean(cross_entropy(logits, targets)) * scale;
    };
  }
};

/// BYOL's loss (Grill et al. 2020, eq. 2): 2 - 2 cos(query, key).
struct CosineDistance {
  template <class Q, Operand K>
  [[nodiscard]] auto operator()(const std::vector<Q>& queries, const K& keys) const {
    return detail::mean_over_blocks(queries, against(keys));
  }
  /// A row has one key, whatever its view.
  template <Operand K>
  [[nodiscard]] auto against(const K& keys, int = 1) const {
    return [k = l2_normalize(detail::unrounded(keys))](const auto& q) {
      return 2 - 2 * mean(sum<1>(l2_normalize(detail::unrounded(q)) * k));
    };
  }
};

/// SimCLR's loss (Chen et al. 2020, eq. 1): blocks and anchors are [2N, P], two views stacked. Row i's positive is the
/// other view of its image; the anchor of the very same view is left out.
struct NtXent {
  double temperature = 0.2;

  template <class Q, Operand A>
  [[nodiscard]] auto operator()(const std::vector<Q>& queries, const A& anchors) const {
    return detail::mean_over_blocks(queries, against(anchors));
  }
  template <Operand A>
  [[nodiscard]] auto against(const A& anchors) const {
    const auto a = eval(l2_normalize(detail::unrounded(anchors)) * (1 / temperature));
    const int rows = a.extent(0), half = rows / 2;
    check(rows % 2 == 0, "NtXent: two stacked views have an even number of rows, not ", rows);
    const auto targets = Tensor<int, Shape<dyn>, backend_of<A>>::uninitialized({rows});
    const auto row = positions(targets.shape());
    assign(targets, cast<int>(select(row < half, row + half, row - half)));
    return [a, targets, rows](const auto& q) {
      const auto itself = equal(positions(Shape<dyn, 1>{rows, 1}), positions(Shape<dyn>{rows}));
      const auto similarity = linear(l2_normalize(detail::unrounded(q)), a);
      const auto logits = eval(select(itself, -std::numeric_limits<double>::infinity(), similarity));
      return mean(cross_entropy(logits, targets));
    };
  }
};

}}  // namespace vitral
