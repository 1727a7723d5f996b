// Dropout and DropPath. No mask is stored: the backward pass draws the same random numbers again.
#pragma once

#include <vitral/nn/mode.hpp>
#include <vitral/nn/module.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// 1 / (1 - p) with probability 1 - p, else 0, for each element of the shape.
template <class S>
auto keep_scale(const Random& random, const S& shape, double p) {
  return select(uniform(random, shape) < p, 0, 1 / (1 - p));
}

inline void check_probability(const char* what, double p) {
  check(p >= 0 && p < 1, what, ": the probability must be in [0, 1), not ", p);
}

}  // namespace detail

/// In training mode each element becomes 0 with probability p, and the others are scaled by 1 / (1 - p) (Srivastava et
/// al. 2014): `Dropout{0.1}`.
struct Dropout {
  double p = 0;

  template <class Mode = Evaluation>
  [[nodiscard]] auto operator()(const Operand auto& x, const Mode& mode = {}) const {
    if constexpr (std::is_same_v<Mode, Training>) {
      detail::check_probability("Dropout", p);
      return eval(x * detail::keep_scale(mode.draw(), x.shape(), p));
    } else {
      return eval(x);
    }
  }
  VITRAL_MEMBERS()
};

/// In training mode drops the whole branch of an image with probability p, and scales the others' by 1 / (1 - p)
/// (stochastic depth, Huang et al. 2016).
struct DropPath {
  double p = 0;

  /// The factor of each image's branch, [batch]; an empty tensor where nothing is dropped.
  template <class P, class B, class Mode>
  [[nodiscard]] Tensor<P, Shape<dyn>, B> keep(int batch, const Mode& mode) const {
    if constexpr (std::is_same_v<Mode, Training>) {
      detail::check_probability("DropPath", p);
      if (p > 0) {
        const Shape<dyn> images{batch};
        return eval(Tensor<P, Shape<dyn>, B>(images) + detail::keep_scale(mode.draw(), images, p));
      }
    }
    return {};
  }

  /// residual + branch, for branch [batch, ...].
  template <class Mode = Evaluation>
  [[nodiscard]] auto add(const Operand auto& residual, const Operand auto& branch, const Mode& mode = {}) const {
    return with_sum(residual, branch, mode, [](const auto& sum) { return eval(sum); });
  }
  /// f(residual + branch), where f is given the sum as an expression.
  template <class Mode, class F>
  [[nodiscard]] auto with_sum(const Operand auto& residual, const Operand auto& branch, const Mode& mode, F&& f) const {
    using S = shape_of<decltype(branch)>;
    if constexpr (std::is_same_v<Mode, Training>) {
      detail::check_probability("DropPath", p);
      if (p > 0) {
        using PerSample = decltype([]<int... I>(std::integer_sequence<int, I...>) {
          return Shape<(I == 0 ? S::static_extent(0) : 1)...>{};
        }(std::make_integer_sequence<int, S::rank>{}));
        std::array<int, S::rank> extents;
        extents.fill(1);
        extents[0] = branch.shape()[0];
        return f(residual + branch * detail::keep_scale(mode.draw(), PerSample(extents), p));
      }
    }
    return f(residual + branch);
  }
  VITRAL_MEMBERS()
};

}}  // namespace vitral
