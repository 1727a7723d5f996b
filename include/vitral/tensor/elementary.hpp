// The elementary functions as element-wise operations: exponentials, logarithms, roots, sines, smooth activations.
// functors.hpp says what `value` and `pull` are; float versions that vectorise are in core/math.hpp.
#pragma once

#include <vitral/core/math.hpp>
#include <vitral/core/pack.hpp>

#include <cmath>

namespace vitral { inline namespace VITRAL_ABI { namespace op {

struct Exp {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::exp(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T y, T) {
    return pack(g * y);
  }
};
struct Log {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::log(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(g / a);
  }
};
/// log(1 + a), accurate near 0.
struct Log1p {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::log1p(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(g / (1 + a));
  }
};
struct Sqrt {
  template <class T>
  VITRAL_HD static T value(T a) {
    return std::sqrt(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T y, T) {
    return pack(g / (2 * y));
  }
};
struct Rsqrt {
  template <class T>
  VITRAL_HD static T value(T a) {
    return T(1) / std::sqrt(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T y, T) {
    return pack(g * T(-0.5) * y * y * y);
  }
};
struct Sin {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::sin(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(g * math::cos(a));
  }
};
struct Cos {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::cos(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(-g * math::sin(a));
  }
};
struct Tanh {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::tanh(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T y, T) {
    return pack(g * (1 - y * y));
  }
};
struct Erf {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::erf(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(g * T(1.1283791670955126) * math::exp(-a * a));  // 2 / sqrt(pi)
  }
};
/// x Phi(x) with the exact normal distribution function Phi, not its tanh approximation.
struct Gelu {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::gelu(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(g * math::gelu_grad(a));
  }
};
struct Sigmoid {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::sigmoid(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T y, T) {
    return pack(g * y * (1 - y));
  }
};
/// a sigmoid(a), which is also called swish.
struct Silu {
  template <class T>
  VITRAL_HD static T value(T a) {
    return math::silu(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(g * math::silu_grad(a));
  }
};
/// log(1 + e^a).
struct Softplus {
  template <class T>
  VITRAL_SIMD static T value(T a) {
    return math::softplus(a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(g * math::sigmoid(a));
  }
};

}}}  // namespace vitral::op
