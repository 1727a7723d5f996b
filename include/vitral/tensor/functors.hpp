// The element-wise operations: each a struct of a value and a pull-back. `pull(g, y, a, b)` gives, for the gradient g
// of the result y, the gradients of the arguments. Conventions at kinks and at NaN are PyTorch's.
#pragma once

#include <vitral/core/bf16.hpp>
#include <vitral/core/pack.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace op {

/// The type in which sums and products of T are computed: for integers an unsigned one, so that they wrap around.
template <class T>
using ring = typename std::conditional_t<!std::is_integral_v<T>, std::type_identity<T>,
                                         std::conditional<(sizeof(T) > sizeof(int)), unsigned long, unsigned>>::type;

struct Add {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return static_cast<T>(ring<T>(a) + ring<T>(b));
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T g, T, T, T) {
    return pack(g, g);
  }
};
struct Subtract {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return static_cast<T>(ring<T>(a) - ring<T>(b));
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T g, T, T, T) {
    return pack(g, -g);
  }
};
struct Multiply {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return static_cast<T>(ring<T>(a) * ring<T>(b));
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T g, T, T a, T b) {
    return pack(g * b, g * a);
  }
};
struct Divide {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    static_assert(!std::is_integral_v<T>, "vitral: op::Divide divides floating numbers; a / b casts integers to them");
    return a / b;
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T g, T y, T, T b) {
    return pack(g / b, -g * y / b);
  }
};
/// A NaN on either side is the result, and lets the gradient through to both.
struct Minimum {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return b < a || b != b ? b : a;
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T g, T, T a, T b) {
    const T share = a == b ? g / 2 : g;
    return pack(b < a ? T(0) : share, a < b ? T(0) : share);
  }
};
struct Maximum {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return a < b || b != b ? b : a;
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T g, T, T a, T b) {
    const T share = a == b ? g / 2 : g;
    return pack(a < b ? T(0) : share, b < a ? T(0) : share);
  }
};
struct Power {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return std::pow(a, b);
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T g, T y, T a, T b) {
    return pack(b == T(0) ? T(0) : g * b * std::pow(a, b - T(1)), a <= T(0) ? T(0) : g * y * std::log(a));
  }
};

struct Negate {
  template <class T>
  VITRAL_HD static T value(T a) {
    return static_cast<T>(-ring<T>(a));
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T) {
    return pack(-g);
  }
};
struct Square {
  template <class T>
  VITRAL_HD static T value(T a) {
    return Multiply::value(a, a);
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(2 * g * a);
  }
};
struct Relu {
  template <class T>
  VITRAL_HD static T value(T a) {
    return a < T(0) ? T(0) : a;
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(a <= T(0) ? T(0) : g);
  }
};
struct Abs {
  template <class T>
  VITRAL_HD static T value(T a) {
    return a < T(0) ? Negate::value(a) : a;
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(T g, T, T a) {
    return pack(a > T(0) ? g : a < T(0) ? -g : T(0));
  }
};

/// a limited by two numbers, which are no NaN. Where low is above high, the result is high.
struct Clamp {
  template <class T>
  VITRAL_HD static T value(T a, T low, T high) {
    const T raised = a < low ? low : a;
    return high < raised ? high : raised;
  }
  template <class T>
  VITRAL_HD static Pack<T, T, T> pull(T g, T, T a, T low, T high) {
    return pack(low <= a && a <= high ? g : T(0), a < low && low < high ? g : T(0), high < a || high < low ? g : T(0));
  }
};
/// a limited by two operands: a NaN in any of the three is the result.
struct ClampBetween {
  template <class T>
  VITRAL_HD static T value(T a, T low, T high) {
    return Minimum::value(Maximum::value(a, low), high);
  }
  template <class T>
  VITRAL_HD static Pack<T, T, T> pull(T g, T y, T a, T low, T high) {
    return Clamp::pull(g, y, a, low, high);
  }
};
struct Select {
  template <class T>
  VITRAL_HD static T value(T c, T a, T b) {
    return c != T(0) ? a : b;
  }
  template <class T>
  VITRAL_HD static Pack<T, T, T> pull(T g, T, T c, T, T) {
    return pack(T(0), c != T(0) ? g : T(0), c != T(0) ? T(0) : g);
  }
};

/// A comparison is 1 or 0 and has no gradient.
struct Less {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return a < b ? T(1) : T(0);
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T, T, T, T) {
    return pack(T(0), T(0));
  }
};
struct LessEqual {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return a <= b ? T(1) : T(0);
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T, T, T, T) {
    return pack(T(0), T(0));
  }
};
struct Equal {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return a == b ? T(1) : T(0);
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T, T, T, T) {
    return pack(T(0), T(0));
  }
};
struct NotEqual {
  template <class T>
  VITRAL_HD static T value(T a, T b) {
    return a != b ? T(1) : T(0);
  }
  template <class T>
  VITRAL_HD static Pack<T, T> pull(T, T, T, T) {
    return pack(T(0), T(0));
  }
};

/// Conversion to the type in which To is computed; the gradient comes back in the argument's type. Of numbers that an
/// integer To cannot hold, those too large become its largest, those too small its least, and a NaN its least.
template <class To>
struct Cast {
  using result = To;
  static constexpr To least = std::numeric_limits<To>::min(), most = std::numeric_limits<To>::max();
  template <class T>
  VITRAL_HD static compute_t<To> value(T a) {
    if constexpr (std::is_integral_v<To> && std::is_floating_point_v<T>) {
      return a >= static_cast<T>(most) ? most : a > static_cast<T>(least) ? static_cast<To>(a) : least;
    } else {
      return static_cast<compute_t<To>>(a);
    }
  }
  template <class T>
  VITRAL_HD static Pack<T> pull(compute_t<To> g, compute_t<To>, T) {
    return pack(static_cast<T>(g));
  }
};

}}}  // namespace vitral::op
