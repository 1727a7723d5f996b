// Losses of a prediction and a target of the same shape: means over all elements, as PyTorch defines them. The one for
// class numbers is cross_entropy in autodiff/softmax.hpp. All are function objects: Supervised(net, mse) takes one.
#pragma once

#include <vitral/autodiff/reduce.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace op {

/// d^2 / 2 where |d| <= delta, and beyond it the tangent at delta.
struct Huber {
  template <class T>
  VITRAL_HD static T value(T d, T delta) {
    const T size = Abs::value(d);
    return size <= delta ? T(0.5) * d * d : delta * (size - T(0.5) * delta);
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T g, T, T d, T delta) {
    const T size = Abs::value(d);
    return pack(g * Clamp::value(d, -delta, delta), size <= delta ? T(0) : g * (size - delta));
  }
};

/// -z log(sigmoid(x)) - (1 - z) log(1 - sigmoid(x)), in a form without overflow or cancellation.
struct BceWithLogits {
  template <class T>
  VITRAL_SIMD static T value(T x, T z) {
    return (x < T(0) ? T(0) : x) - x * z + math::softplus_excess(x);
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T g, T, T x, T z) {
    return pack(g * (math::sigmoid(x) - z), -g * x);
  }
};

}  // namespace op

namespace detail {

/// A loss is computed in float where its operands are bf16.
template <class X>
auto unrounded(const X& x) {
  if constexpr (std::is_same_v<scalar_of<X>, compute_t<scalar_of<X>>>)
    return x;
  else
    return cast<compute_t<scalar_of<X>>>(x);
}

template <class X, class Y>
void check_loss(const char* what, const X& x, const Y& target) {
  static_assert(!std::is_integral_v<scalar_of<X>>,
                "vitral: a loss needs a prediction of floating numbers; convert integers with cast<float>(x)");
  equal_shapes<shape_of<X>, shape_of<Y>>::check(what, x.shape(), target.shape());
}

template <class X, class Y>
auto difference(const char* what, const X& x, const Y& target) {
  check_loss(what, x, target);
  return unrounded(x) - unrounded(target);
}

struct MseLoss {
  [[nodiscard]] auto operator()(const Operand auto& x, const Operand auto& target) const {
    return mean(square(difference("mse", x, target)));
  }
};

struct L1Loss {
  [[nodiscard]] auto operator()(const Operand auto& x, const Operand auto& target) const {
    return mean(abs(difference("l1", x, target)));
  }
};

struct HuberLoss {
  [[nodiscard]] auto operator()(const Operand auto& x, const Operand auto& target, double delta = 1) const {
    check(delta > 0, "huber: delta must be above 0, not ", delta);
    return mean(express<op::Huber>(difference("huber", x, target), delta));
  }
};

struct BceWithLogitsLoss {
  [[nodiscard]] auto operator()(const Operand auto& logits, const Operand auto& target) const {
    check_loss("bce_with_logits", logits, target);
    return mean(express<op::BceWithLogits>(unrounded(logits), unrounded(target)));
  }
};

}  // namespace detail

/// mse(x, target): the mean of (x - target)^2, torch.nn.functional.mse_loss. Throws Error, as all losses here do, where
/// the two shapes differ: [n, 1] beside [n] is almost always a mistake.
inline constexpr detail::MseLoss mse{};

/// l1(x, target): the mean of |x - target|, torch.nn.functional.l1_loss. Its gradient at x = target is 0.
inline constexpr detail::L1Loss l1{};

/// huber(x, target, delta): the mean of d^2 / 2 where d = |x - target| is at most delta, and of delta (d - delta / 2)
/// elsewhere (Huber, 1964), torch.nn.functional.huber_loss. Without a third argument delta is 1.
inline constexpr detail::HuberLoss huber{};

/// bce_with_logits(logits, target): the mean cross entropy between the probabilities sigmoid(logits) and targets in
/// [0, 1], such as 0 and 1 for no and yes, torch.nn.functional.binary_cross_entropy_with_logits. Targets may be
/// integers.
inline constexpr detail::BceWithLogitsLoss bce_with_logits{};

}}  // namespace vitral
