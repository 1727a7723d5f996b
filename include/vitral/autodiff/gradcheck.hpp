// gradcheck: holds the gradients that a tape gives against central differences, in double.
#pragma once

#include <vitral/autodiff/record.hpp>
#include <vitral/core/philox.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitral { inline namespace VITRAL_ABI {

/// How far gradients may be from differences, and the step of these.
struct GradcheckOptions {
  double step = 1e-5;  // of a difference, times max(1, |x|): truncation and rounding are then of like size, about 1e-10
  bool allow_zero = false;  // accepts an input whose gradient is zero everywhere
  Seed seed{0};             // of the upstream gradient
};

namespace detail {

/// What f makes of the inputs, on the host. `inputs` are read where they are, so their memory may be changed between
/// calls.
template <class F, class... X>
std::vector<double> values_of(F& f, const X&... inputs) {
  return eval(f(inputs...)).to_vector();
}

/// |a - b| / max(1, |a|, |b|), and infinity where one is no number.
inline double difference_of(double a, double b) {
  const double error = std::abs(a - b) / std::max({1.0, std::abs(a), std::abs(b)});
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

}  // namespace detail

/// The largest error |a - n| / max(1, |a|, |n|) between the analytic gradient a and the numeric one n over every
/// element of every input, for a random upstream gradient. f takes as many operands as there are inputs and gives an
/// operand of any shape; it is called with variables and with tensors, so it is a generic lambda. A module's parameter
/// is checked by naming its tensor among the inputs: each element is changed in place, and restored. Throws Error where
/// f gives other values on the tape than off it, and where an input's gradient is zero everywhere, unless
/// options.allow_zero: zeros that are compared with zeros prove nothing.
///
///   const auto a = Tensor<double, Shape<2>>::from({1, 2}, {}), b = Tensor<double, Shape<2>>::from({3, 4}, {});
///   const bool right = gradcheck([](const auto& x, const auto& y) { return gelu(x * y); }, a, b) < 1e-7;
template <class F, class B, class... S>
[[nodiscard]] double gradcheck(const GradcheckOptions& options, F&& f, const Tensor<double, S, B>&... inputs) {
  Tape tape;
  const auto y = eval(f(tape.watch(inputs)...));
  static_assert(std::is_same_v<scalar_of<decltype(y)>, double>, "vitral: gradcheck: the function must give doubles");
  const auto on_tape = y.value().to_vector(), off_tape = detail::values_of(f, inputs...);
  check(on_tape.size() == off_tape.size(), "gradcheck: the function gives ", on_tape.size(), " values on the tape, ",
        off_tape.size(), " off it");
  const Random random{options.seed.value, 0, 0};
  std::vector<double> upstream(on_tape.size());
  for (std::size_t i = 0; i < upstream.size(); ++i) {
    upstream[i] = random.normal(i);
    check(detail::difference_of(on_tape[i], off_tape[i]) < 1e-12, "gradcheck: element ", i, " is ", on_tape[i],
          " on the tape, ", off_tape[i], " off it");
  }
  tape.backward(y, Tensor<double, shape_of<decltype(y)>, B>::from(upstream, y.shape()));

  double worst = 0;
  int number = 0;
  const auto compare = [&](const auto& x) {
    const auto analytic = tape.grad(x).to_vector(), original = x.to_vector();
    check(options.allow_zero || std::any_of(analytic.begin(), analytic.end(), [](double a) { return a != 0; }),
          "gradcheck: the gradient of input ", number,
          " is zero everywhere, which checks nothing; choose another function, or "
          "set allow_zero");
    auto values = original;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double h = options.step * std::max(1.0, std::abs(original[i]));
      const auto set = [&](double value) {
        values[i] = value;
        B::copy_from_host(values.data(), x.data(), x.size());
      };
      set(original[i] + h);
      const auto above = detail::values_of(f, inputs...);
      set(original[i] - h);
      const auto below = detail::values_of(f, inputs...);
      set(original[i]);
      double numeric = 0;
      for (std::size_t k = 0; k < upstream.size(); ++k) numeric += upstream[k] * (above[k] - below[k]);
      numeric /= (original[i] + h) - (original[i] - h);
      worst = std::max(worst, detail::difference_of(analytic[i], numeric));
    }
    ++number;
  };
  (compare(inputs), ...);
  return worst;
}

/// The same with the usual options.
template <class F, class B, class... S>
[[nodiscard]] double gradcheck(F&& f, const Tensor<double, S, B>&... inputs) {
  return gradcheck(GradcheckOptions{}, f, inputs...);
}

}}  // namespace vitral
