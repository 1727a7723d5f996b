// LayerNorm over the last axis and BatchNorm over the rows. Statistics and scales are kept in the compute type.
#pragma once

#include <vitral/autodiff/softmax.hpp>
#include <vitral/backend/backend.hpp>
#include <vitral/tensor/layout.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The elements of an optional scale or bias, or null.
template <class P, class X>
const P* elements_or_null(const X& x) {
  if constexpr (std::is_same_v<X, None>) {
    return nullptr;
  } else {
    static_assert(std::is_same_v<scalar_of<X>, P>,
                  "vitral: a normalisation's scale and bias must have the compute type "
                  "of its input (float for float and bf16, double for double)");
    return x.data();
  }
}

/// Where the gradient of an optional scale or bias goes.
template <class P>
struct RawGradient {
  P* data = nullptr;
  bool add = false;
};
template <class P, class I>
RawGradient<P> raw_gradient(const I& input) {
  if constexpr (std::is_same_v<I, None>) {
    return {};
  } else {
    if (!input.wants_gradient()) return {};
    const auto g = input.gradient();
    return {g.tensor.data(), g.add};
  }
}

/// A scale or bias has one extent, that of X's last axis.
template <class X, class Scale>
struct vector_rule {
  static_assert(shape_of<Scale>::rank == 1, "vitral: a normalisation's scale and bias need exactly one extent");
  using type = extents_match<shape_of<X>::static_extent(row_operand<X>::axis), shape_of<Scale>::static_extent(0)>;
};
template <class X, class Scale>
using width_match = typename vector_rule<X, Scale>::type;

template <class X, class Scale>
void check_width(const char* what, const X& x, const Scale& scale) {
  if constexpr (!std::is_same_v<Scale, None>)
    width_match<X, Scale>::check(what, x.extent(shape_of<X>::rank - 1), scale.extent(0));
}

/// Calls a backend's backward kernel of either normalisation.
template <class P, class DY, class X, class Dx, class Scale, class Kernel>
void normalization_backward(const DY& dy, const X& x, const Dx& dx, const Scale& scale, const RawGradient<P>& dscale,
                            const RawGradient<P>& dbias, const P* mean, const P* rstd, Kernel&& kernel) {
  const auto [rows, cols] = row_extents(dy);
  const P* scales = nullptr;
  if constexpr (!std::is_same_v<Scale, None>) scales = scale.value.data();
  kernel(static_cast<const scalar_of<DY>*>(x.value.data()), scales, mean, rstd,
         static_cast<const scalar_of<DY>*>(dy.data()), dx.data, dx.add, dscale.data, dscale.add, dbias.data, dbias.add,
         rows, cols);
}

template <class P, class B>
struct LayerNorm {
  static constexpr int keeps_inputs = 2;
  static constexpr bool keeps_result = false, is_layer = true;
  double eps;
  Tensor<P, Shape<dyn>, B> mean{}, rstd{};

  template <class X, class Scale, class Bias>
  auto forward(auto, const X& x, const Scale& scale, const Bias& bias) {
    return normalize(x, scale, bias, [&](const auto&... arguments) { B::layer_norm_forward(x.data(), arguments...); });
  }
  /// y for x [..., D], by kernel(scale, bias, y, mean, rstd, rows, cols, eps).
  template <class X, class Scale, class Bias, class Kernel>
  X normalize(const X& x, const Scale& scale, const Bias& bias, Kernel&& kernel) {
    check_width("layer_norm", x, scale);
    check_width("layer_norm", x, bias);
    auto y = X::uninitialized(x.shape());
    const auto [rows, cols] = row_extents(x);
    mean = Tensor<P, Shape<dyn>, B>::uninitialized({rows});
    rstd = Tensor<P, Shape<dyn>, B>::uninitialized({rows});
    kernel(elements_or_null<P>(scale), elements_or_null<P>(bias), y.data(), mean.data(), rstd.data(), rows, cols, eps);
    return y;
  }
  template <class DY, class Y, class X, class Scale, class Bias>
  void backward(const DY& dy, const Y&, const X& x, const Scale& scale, const Bias& bias) {
    normalization_backward<P>(dy, x, raw_gradient<scalar_of<DY>>(x), scale, raw_gradient<P>(scale),
                              raw_gradient<P>(bias), mean.data(), rstd.data(),
                              [](const auto&... arguments) { B::layer_norm_backward(arguments...); });
  }
};

/// LayerNorm of an expression's value x: forward evaluates both in one pass over memory.
template <class P, class B, class E>
struct LayerNormOf : LayerNorm<P, B> {
  const E* expression;  // while forward runs

  template <class X, class Scale, class Bias>
  auto forward(auto, const X& x, const Scale& scale, const Bias& bias) {
    constexpr int R = axes_of<shape_of<X>>;
    auto plan = lower<R>(*expression);
    const auto space = make_space(x.shape(), plan);
    return this->normalize(
        x, scale, bias, [&](const auto&... arguments) { B::layer_norm_of_plan(space, plan, x.data(), arguments...); });
  }
};

/// Training mode: the statistics are the batch's own, those of each view apart. The activation is none or ReLU.
template <class P, class B, Activation Act>
struct BatchNorm {
  static_assert(Act == Activation::none || Act == Activation::relu, "vitral: batch_norm applies a ReLU or nothing");
  static constexpr int keeps_inputs = 2;
  static constexpr bool keeps_result = Act == Activation::relu, is_layer = true;
  Tensor<P, Shape<dyn>, B> running_mean, running_var;  // empty where nobody keeps them
  double momentum, eps;
  int views, passes;
  Tensor<P, Shape<dyn>, B> mean{}, rstd{};  // [views * channels]

  template <class X, class Scale, class Bias>
  auto forward(auto, const X& x, const Scale& scale, const Bias& bias) {
    check_width("batch_norm", x, scale);
    check_width("batch_norm", x, bias);
    auto y = X::uninitialized(x.shape());
    const auto [rows, cols] = row_extents(x);
    check(rows % views == 0, "batch_norm: ", rows, " rows are not ", views, " views of equal size");
    mean = Tensor<P, Shape<dyn>, B>::uninitialized({views * cols});
    rstd = Tensor<P, Shape<dyn>, B>::uninitialized({views * cols});
    B::batch_norm_forward(x.data(), elements_or_null<P>(scale), elements_or_null<P>(bias), y.data(), mean.data(),
                          rstd.data(), running_mean.data(), running_var.data(), momentum, eps, rows, cols, views,
                          passes, Act == Activation::relu);
    return y;
  }
  template <class DY, class Y, class X, class Scale, class Bias>
  void backward(const DY& dy, const Y& y, const X& x, const Scale& scale, const Bias& bias) {
    const scalar_of<DY>* active = nullptr;
    if constexpr (Act == Activation::relu) active = y.data();
    normalization_backward<P>(dy, x, raw_gradient<scalar_of<DY>>(x), scale, raw_gradient<P>(scale),
                              raw_gradient<P>(bias), mean.data(), rstd.data(),
                              [&](const auto&... arguments) { B::batch_norm_backward(arguments..., views, active); });
  }
};

}  // namespace detail

/// (x - mean) / sqrt(var + eps) * scale + bias over the last axis of x [..., D]; scale and bias [D] or None.
template <Operand X, class Scale = None, class Bias = None>
[[nodiscard]] auto layer_norm(const X& x, const Scale& scale = {}, const Bias& bias = {}, double eps = 1e-6) {
  static_assert(sizeof(row_operand<X>) > 0);
  if constexpr (!std::is_same_v<Scale, None>) static_assert(sizeof(detail::width_match<X, Scale>) > 0);
  return apply(detail::LayerNorm<compute_t<scalar_of<X>>, backend_of<X>>{eps}, x, scale, bias);
}

/// An expression's value and its layer_norm.
template <class X, class Y>
struct Normalized {
  X value;
  Y normalized;

  Normalized(const X& value, const Y& normalized) : value(value), normalized(normalized) {}
};

/// eval(x) and layer_norm(eval(x), scale, bias, eps), in one pass over memory where x is an expression and the backend
/// has such a pass: a residual sum and the norm that follows it.
template <Operand X, class Scale, class Bias>
[[nodiscard]] auto eval_and_normalize(const X& x, const Scale& scale, const Bias& bias, double eps = 1e-6) {
  using T = scalar_of<X>;
  using B = backend_of<X>;
  constexpr int R = detail::axes_of<shape_of<X>>;
  if constexpr (is_expr<X> && !is_of_parameters<X> && OffersLayerNormOfPlan<B, T, decltype(lower<R>(x)), R>) {
    const auto value = detail::record_value(detail::tape_of(x), x, detail::tensor_of<X>::uninitialized(x.shape()));
    return Normalized(value, apply(detail::LayerNormOf<compute_t<T>, B, X>{{eps}, &x}, value, scale, bias));
  } else {
    const auto value = eval(x);
    return Normalized(value, layer_norm(value, scale, bias, eps));
  }
}

/// BatchNorm of x [N, D] in training mode: normalised by the batch's mean and biased variance. The running statistics
/// [D] move towards the batch's (the variance unbiased) by `momentum`, as torch.nn.BatchNorm1d does. The rows may be
/// those of several views, each normalised apart as if it came alone; the running statistics follow each view in turn,
/// all of them `passes` times. With Activation::relu, a ReLU of the result in the same pass.
template <Activation Act = Activation::none, Operand X, class Scale, class Bias, class P, class S, class B>
[[nodiscard]] auto batch_norm_train(const X& x, const Scale& scale, const Bias& bias,
                                    const Tensor<P, S, B>& running_mean, const Tensor<P, S, B>& running_var,
                                    double momentum = 0.1, double eps = 1e-5, int views = 1, int passes = 1) {
  static_assert(shape_of<X>::rank == 2, "vitral: batch_norm: the input needs two extents, [rows, channels]");
  const Shape<dyn> channels{running_mean.extent(0)};
  return apply(detail::BatchNorm<P, B, Act>{reshape_tensor(running_mean, channels),
                                            reshape_tensor(running_var, channels), momentum, eps, views, passes},
               x, scale, bias);
}

/// BatchNorm of x in evaluation mode: normalised by the running statistics.
template <Operand X, class Scale, class Bias, class P, class S, class B>
[[nodiscard]] auto batch_norm_eval(const X& x, const Scale& scale, const Bias& bias,
                                   const Tensor<P, S, B>& running_mean, const Tensor<P, S, B>& running_var,
                                   double eps = 1e-5) {
  const auto normalised = (x - running_mean) * rsqrt(running_var + eps);
  if constexpr (std::is_same_v<Scale, None>)
    return eval(cast<scalar_of<X>>(normalised));
  else
    return eval(cast<scalar_of<X>>(normalised * scale + bias));
}

}}  // namespace vitral
