// L-BFGS: minimises a smooth function of many variables by its values and gradients (Liu and Nocedal 1989; Nocedal and
// Wright, Numerical Optimization, algorithms 7.4 and 7.5).
#pragma once

#include <vitral/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// When L-BFGS ends.
struct LbfgsOptions {
  int max_iterations = 1000;
  double tolerance = 1e-4;  ///< it ends where no component of the gradient is larger
  int memory = 10;          ///< how many past steps the curvature is estimated from
};

/// How L-BFGS ended.
struct LbfgsResult {
  double value;
  int iterations;
  bool converged;
};

namespace detail {

inline double inner(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
inline void add_scaled(std::vector<double>& to, double factor, const std::vector<double>& x) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * x[i];
}

/// A step and how the gradient changed along it.
struct CurvaturePair {
  std::vector<double> step, change;
  double product;
};

/// The direction of the next step: -H g, where H is the inverse curvature estimated from the pairs.
inline std::vector<double> lbfgs_direction(const std::deque<CurvaturePair>& pairs,
                                           const std::vector<double>& gradient) {
  std::vector<double> d(gradient.size()), weight(pairs.size());
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = -gradient[i];
  for (std::size_t k = pairs.size(); k-- > 0;) {
    weight[k] = inner(pairs[k].step, d) / pairs[k].product;
    add_scaled(d, -weight[k], pairs[k].change);
  }
  if (!pairs.empty()) {
    const double scale = pairs.back().product / inner(pairs.back().change, pairs.back().change);
    for (double& x : d) x *= scale;
  }
  for (std::size_t k = 0; k < pairs.size(); ++k)
    add_scaled(d, weight[k] - inner(pairs[k].change, d) / pairs[k].product, pairs[k].step);
  return d;
}

}  // namespace detail

/// Moves x to a minimum of f. `f(x, gradient)` returns the value at x and fills `gradient`, a vector of x's size. Each
/// step is halved until the value falls far enough (Armijo's condition), which suffices for convex functions.
template <class F>
LbfgsResult lbfgs(std::vector<double>& x, F&& f, const LbfgsOptions& options = {}) {
  std::vector<double> gradient(x.size()), next(x.size()), next_gradient(x.size());
  double value = f(x, gradient);
  check(std::isfinite(value), "lbfgs: the function is ", value, " where it starts");
  std::deque<detail::CurvaturePair> pairs;
  const auto largest = [](const std::vector<double>& g) {
    double most = 0;
    for (const double component : g) most = std::max(most, std::abs(component));
    return most;
  };
  for (int i = 0; i < options.max_iterations; ++i) {
    if (largest(gradient) <= options.tolerance) return {value, i, true};
    std::vector<double> direction = detail::lbfgs_direction(pairs, gradient);
    const double slope = detail::inner(direction, gradient);
    double length = pairs.empty() ? 1 / std::sqrt(detail::inner(gradient, gradient)) : 1, reached = value;
    bool falls = false;
    for (int halvings = 0; halvings < 40 && !falls; ++halvings, length *= falls ? 1 : 0.5) {
      next = x;
      detail::add_scaled(next, length, direction);
      reached = f(next, next_gradient);
      falls = reached < value && reached <= value + 1e-4 * length * slope;
    }
    if (!falls) return {value, i, false};  // as low as rounding lets it get
    detail::CurvaturePair pair{std::vector<double>(x.size()), std::vector<double>(x.size()), 0};
    for (std::size_t k = 0; k < x.size(); ++k) {
      pair.step[k] = next[k] - x[k];
      pair.change[k] = next_gradient[k] - gradient[k];
    }
    pair.product = detail::inner(pair.step, pair.change);
    if (pair.product > 0) pairs.push_back(std::move(pair));
    if (pairs.size() > static_cast<std::size_t>(options.memory)) pairs.pop_front();
    x.swap(next);
    gradient.swap(next_gradient);
    value = reached;
  }
  return {value, options.max_iterations, largest(gradient) <= options.tolerance};
}

}}  // namespace vitral
