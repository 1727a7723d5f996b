// A computation that the tape does not keep: one node stands for it, and backward records it when it gets there
// (Chen et al., arXiv 1604.06174).
#pragma once

#include <vitral/autodiff/operation.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

template <class F, class T, class S, class B>
struct RecomputedNode {
  using backend = B;
  F again;
  S shape;

  void run(Tape& tape, Slot result) {
    const Variable<T, S, B> y = again();
    check(tape_of(y) == &tape, "recomputed: the variable was computed on another tape");
    if (!y.slot() || tape.lend(result, y.slot())) return;
    const auto g = tape.gradient<T, B>(y.slot(), shape);  // `again` gave a variable that was there before
    put(g, tape.gradient_of_result<T, B>(result, shape));
  }
};

}  // namespace detail

/// `value` as a variable of which the tape keeps no more than `again` holds. Backward calls again() once: it computes
/// the same value anew, as a variable of this tape, and backward goes on with what that has recorded. What the
/// computation changes besides, such as running statistics, is therefore changed twice.
///
///   const auto v = tape.constant(x);
///   const auto logits = recomputed(tape, net(value_of(v)), [=] { return net(v); });  // keeps v alone
template <class T, class S, class B, class F>
[[nodiscard]] Variable<T, S, B> recomputed(Tape& tape, const Tensor<T, S, B>& value, F again) {
  return {value, tape, tape.record(detail::RecomputedNode<F, T, S, B>{std::move(again), value.shape()})};
}

}}  // namespace vitral
