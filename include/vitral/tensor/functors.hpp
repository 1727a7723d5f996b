// The element-wise operations: each a struct of a value and a pull-back. `pull(g, y, a, b)` gives, for the gradient g
// of the result y, the gradients of the arguments. Conventions at kinks are PyTorch's.
#pragma once

#include <vitral/core/bf16.hpp>
#include <vitral/core/math.hpp>
#include <vitral/core/pack.hpp>

#include <cmath>

namespace vitral::inline VITRAL_ABI::op {

struct Add {
  template <class T> VITRAL_HD static T value(T a, T b) { return a + b; }
  template <class T> VITRAL_HD static Pack<T, T> pull(T g, T, T, T) { return pack(g, g); }
};
struct Subtract {
  template <class T> VITRAL_HD static T value(T a, T b) { return a - b; }
  template <class T> VITRAL_HD static Pack<T, T> pull(T g, T, T, T) { return pack(g, -g); }
};
struct Multiply {
  template <class T> VITRAL_HD static T value(T a, T b) { return a * b; }
  template <class T> VITRAL_HD static Pack<T, T> pull(T g, T, T a, T b) { return pack(g * b, g * a); }
};
struct Divide {
  template <class T> VITRAL_HD static T value(T a, T b) { return a / b; }
  template <class T> VITRAL_HD static Pack<T, T> pull(T g, T y, T, T b) { return pack(g / b, -g * y / b); }
};
struct Minimum {
  template <class T> VITRAL_HD static T value(T a, T b) { return b < a ? b : a; }
  template <class T> VITRAL_HD static Pack<T, T> pull(T g, T, T a, T b) {
    const T half = a == b ? g / 2 : T(0);
    return pack(a < b ? g : half, b < a ? g : half);
  }
};
struct Maximum {
  template <class T> VITRAL_HD static T value(T a, T b) { return a < b ? b : a; }
  template <class T> VITRAL_HD static Pack<T, T> pull(T g, T, T a, T b) {
    const T half = a == b ? g / 2 : T(0);
    return pack(b < a ? g : half, a < b ? g : half);
  }
};
struct Power {
  template <class T> VITRAL_HD static T value(T a, T b) { return std::pow(a, b); }
  template <class T> VITRAL_HD static Pack<T, T> pull(T g, T y, T a, T b) {
    return pack(b == T(0) ? T(0) : g * b * std::pow(a, b - T(1)), a > T(0) ? g * y * std::log(a) : T(0));
  }
};

struct Negate {
  template <class T> VITRAL_HD static T value(T a) { return -a; }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T, T) { return pack(-g); }
};
struct Square {
  template <class T> VITRAL_HD static T value(T a) { return a * a; }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T, T a) { return pack(2 * g * a); }
};
struct Exp {
  template <class T> VITRAL_HD static T value(T a) { return math::exp(a); }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T y, T) { return pack(g * y); }
};
struct Log {
  template <class T> VITRAL_HD static T value(T a) { return math::log(a); }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T, T a) { return pack(g / a); }
};
struct Sqrt {
  template <class T> VITRAL_HD static T value(T a) { return std::sqrt(a); }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T y, T) { return pack(g / (2 * y)); }
};
struct Rsqrt {
  template <class T> VITRAL_HD static T value(T a) { return T(1) / std::sqrt(a); }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T y, T) { return pack(g * T(-0.5) * y * y * y); }
};
struct Tanh {
  template <class T> VITRAL_HD static T value(T a) { return math::tanh(a); }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T y, T) { return pack(g * (1 - y * y)); }
};
struct Erf {
  template <class T> VITRAL_HD static T value(T a) { return math::erf(a); }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(g * T(1.1283791670955126) * math::exp(-a * a));  // 2 / sqrt(pi)
  }
};
struct Gelu {  // x * Phi(x), Hendrycks & Gimpel 2016, not the tanh approximation
  template <class T> VITRAL_HD static T value(T a) { return math::gelu(a); }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T, T a) { return pack(g * math::gelu_grad(a)); }
};
struct Sigmoid {
  template <class T> VITRAL_HD static T value(T a) { return math::sigmoid(a); }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T y, T) { return pack(g * y * (1 - y)); }
};
struct Relu {
  template <class T> VITRAL_HD static T value(T a) { return a > T(0) ? a : T(0); }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T, T a) { return pack(a > T(0) ? g : T(0)); }
};
struct Abs {
  template <class T> VITRAL_HD static T value(T a) { return a < T(0) ? -a : a; }
  template <class T> VITRAL_HD static Pack<T> pull(T g, T, T a) { return pack(a > T(0) ? g : a < T(0) ? -g : T(0)); }
};

struct Clamp {
  template <class T> VITRAL_HD static T value(T a, T low, T high) { return a < low ? low : high < a ? high : a; }
  template <class T> VITRAL_HD static Pack<T, T, T> pull(T g, T, T a, T low, T high) {
    return pack(a < low || high < a ? T(0) : g, a < low ? g : T(0), high < a ? g : T(0));
  }
};
struct Select {
  template <class T> VITRAL_HD static T value(T c, T a, T b) { return c != T(0) ? a : b; }
  template <class T> VITRAL_HD static Pack<T, T, T> pull(T g, T, T c, T, T) {
    return pack(T(0), c != T(0) ? g : T(0), c != T(0) ? T(0) : g);
  }
};

/// A comparison is 1 or 0 and has no gradient.
struct Less {
  template <class T> VITRAL_HD static T value(T a, T b) { return a < b ? T(1) : T(0); }
  template <class T> VITRAL_HD static Pack<T, T> pull(T, T, T, T) { return pack(T(0), T(0)); }
};
struct LessEqual {
  template <class T> VITRAL_HD static T value(T a, T b) { return a <= b ? T(1) : T(0); }
  template <class T> VITRAL_HD static Pack<T, T> pull(T, T, T, T) { return pack(T(0), T(0)); }
};
struct Equal {
  template <class T> VITRAL_HD static T value(T a, T b) { return a == b ? T(1) : T(0); }
  template <class T> VITRAL_HD static Pack<T, T> pull(T, T, T, T) { return pack(T(0), T(0)); }
};
struct NotEqual {
  template <class T> VITRAL_HD static T value(T a, T b) { return a != b ? T(1) : T(0); }
  template <class T> VITRAL_HD static Pack<T, T> pull(T, T, T, T) { return pack(T(0), T(0)); }
};

/// Conversion to To's compute type; the gradient comes back in the argument's.
template <class To>
struct Cast {
  using result = To;
  template <class T> VITRAL_HD static compute_t<To> value(T a) { return static_cast<compute_t<To>>(a); }
  template <class T>
  VITRAL_HD static Pack<T> pull(compute_t<To> g, compute_t<To>, T) {
    return pack(static_cast<T>(g));
  }
};

}  // namespace vitral::inline VITRAL_ABI::op
