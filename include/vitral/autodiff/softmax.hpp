// Row operations over the last axis: softmax, log-softmax, cross entropy, l2 normalisation.
#pragma once

#include <vitral/autodiff/operation.hpp>
#include <vitral/autodiff/reduce.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The shape without its last axis, for a number per row.
template <class S>
auto row_shape(const S& shape) {
  return reduced<S, -1, Axes::drop>::apply(shape);
}
template <class S>
using row_shape_of = typename reduced<S, -1, Axes::drop>::type;

template <bool Log>
struct Softmax {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = true;
  template <class X>
  auto forward(auto, const X& x) {
    auto y = X::uninitialized(x.shape());
    const auto [rows, cols] = row_extents(x);
    if constexpr (Log)
      backend_of<X>::log_softmax_forward(x.data(), y.data(), rows, cols);
    else
      backend_of<X>::softmax_forward(x.data(), y.data(), rows, cols);
    return y;
  }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y& y, const X& x) {
    if (!x.wants_gradient()) return;
    const auto g = x.gradient();
    const auto [rows, cols] = row_extents(dy);
    if constexpr (Log)
      backend_of<DY>::log_softmax_backward(y.data(), dy.data(), g.tensor.data(), g.add, rows, cols);
    else
      backend_of<DY>::softmax_backward(y.data(), dy.data(), g.tensor.data(), g.add, rows, cols);
  }
};

template <class P, class S, class B>
struct CrossEntropy {
  static constexpr int keeps_inputs = 1;
  static constexpr bool keeps_result = false;
  Tensor<int, row_shape_of<S>, B> target;
  Tensor<P, row_shape_of<S>, B> logsumexp;

  [[nodiscard]] unsigned kept_versions() const { return versions_of(target); }
  template <class X>
  auto forward(auto, const X& logits) {
    check(target.size() == row_extents(logits).rows, "cross_entropy: ", target.size(), " targets for logits of shape ",
          logits.shape());
    auto losses = Tensor<P, row_shape_of<S>, B>::uninitialized(row_shape(logits.shape()));
    logsumexp = Tensor<P, row_shape_of<S>, B>::uninitialized(losses.shape());
    const auto [rows, cols] = row_extents(logits);
    B::cross_entropy_forward(logits.data(), target.data(), losses.data(), logsumexp.data(), rows, cols);
    return losses;
  }
  template <class DY, class Y, class X>
  void backward(const DY& dlosses, const Y&, const X& logits) {
    if (!logits.wants_gradient()) return;
    const auto g = logits.gradient();
    const auto [rows, cols] = row_extents(logits.value);
    B::cross_entropy_backward(logits.value.data(), target.data(), logsumexp.data(), dlosses.data(), g.tensor.data(),
                              g.add, rows, cols);
  }
};

template <class P, class S, class B>
struct L2Normalize {
  static constexpr int keeps_inputs = 1;
  static constexpr bool keeps_result = false;
  double eps;
  Tensor<P, row_shape_of<S>, B> norm;

  template <class X>
  auto forward(auto, const X& x) {
    auto y = X::uninitialized(x.shape());
    norm = Tensor<P, row_shape_of<S>, B>::uninitialized(row_shape(x.shape()));
    const auto [rows, cols] = row_extents(x);
    B::l2_normalize_forward(x.data(), y.data(), norm.data(), rows, cols, eps);
    return y;
  }
  template <class DY, class Y, class X>
  void backward(const DY& dy, const Y&, const X& x) {
    if (!x.wants_gradient()) return;
    const auto g = x.gradient();
    const auto [rows, cols] = row_extents(dy);
    B::l2_normalize_backward(x.value.data(), norm.data(), dy.data(), g.tensor.data(), g.add, rows, cols, eps);
  }
};

}  // namespace detail

/// exp(x) / sum(exp(x)) over the last axis of x [..., D], and its logarithm, neither of which overflows.
template <Operand X>
[[nodiscard]] auto softmax(const X& x) {
  static_assert(sizeof(row_operand<X>) > 0);
  return apply(detail::Softmax<false>{}, x);
}
/// log(softmax(x)) over the last axis, without its underflow.
template <Operand X>
[[nodiscard]] auto log_softmax(const X& x) {
  static_assert(sizeof(row_operand<X>) > 0);
  return apply(detail::Softmax<true>{}, x);
}

namespace detail {

struct CrossEntropyLoss {
  template <Operand X, class S, class B>
  [[nodiscard]] auto operator()(const X& logits, const Tensor<int, S, B>& target) const {
    using L = shape_of<X>;
    static_assert(sizeof(row_operand<X>) > 0);
    return apply(CrossEntropy<compute_t<scalar_of<X>>, L, B>{target.template realize<row_shape_of<L>>(), {}}, logits);
  }
  template <Operand X, class S, class B>
  [[nodiscard]] auto operator()(const X& logits, const Tensor<int, S, B>& target, double smoothing) const {
    check(smoothing >= 0 && smoothing < 1, "cross_entropy: the smoothing must be in [0, 1), not ", smoothing);
    const auto uniform = mean<row_operand<X>::axis>(log_softmax(cast<compute_t<scalar_of<X>>>(logits)));
    return eval((1 - smoothing) * (*this)(logits, target) - smoothing * uniform);
  }
  template <Operand X, class P, class S, class B>
    requires(!std::is_integral_v<P>)
  [[nodiscard]] auto operator()(const X& logits, const Tensor<P, S, B>& probabilities) const {
    equal_shapes<shape_of<X>, S>::check("cross_entropy", logits.shape(), probabilities.shape());
    return eval(-sum<row_operand<X>::axis>(probabilities * log_softmax(cast<compute_t<scalar_of<X>>>(logits))));
  }
};

}  // namespace detail

/// cross_entropy(logits, target): -log softmax(logits)[target] for each row of logits [..., classes], target [...]
/// being class numbers; the loss of a batch is the mean of these. Throws Error where a target is no class.
/// cross_entropy(logits, target, smoothing): against smoothed targets (Szegedy et al. 2016, section 7), PyTorch's
/// label_smoothing: the target class has the probability 1 - smoothing + smoothing / classes, every other one
/// smoothing / classes.
/// cross_entropy(logits, probabilities): against targets [..., classes] that share out each row among the classes, as
/// mixed images have them (data/mixup.hpp): -sum(probabilities * log softmax(logits)), timm's SoftTargetCrossEntropy.
inline constexpr detail::CrossEntropyLoss cross_entropy{};

/// The share of the rows of logits [..., classes] whose largest logit is that of their class [...]: a tensor of one
/// number, which item() reads.
///
///   const float right = accuracy(net(x), y).item();
template <Operand X, class S, class B>
[[nodiscard]] auto accuracy(const X& logits, const Tensor<int, S, B>& classes) {
  equal_shapes<detail::row_shape_of<shape_of<X>>, S>::check("accuracy", detail::row_shape(logits.shape()),
                                                            classes.shape());
  return mean(cast<compute_t<scalar_of<X>>>(equal(argmax<-1>(value_of(logits)), classes)));
}

/// x / max(|x|, eps) for each row of the last axis.
template <Operand X>
[[nodiscard]] auto l2_normalize(const X& x, double eps = 1e-12) {
  static_assert(sizeof(row_operand<X>) > 0);
  return apply(detail::L2Normalize<compute_t<scalar_of<X>>, shape_of<X>, backend_of<X>>{eps, {}}, x);
}

}}  // namespace vitral
