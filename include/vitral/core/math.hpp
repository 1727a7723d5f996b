// Elementary functions whose float versions are straight-line code, so that loops over them vectorise.
// Polynomials: least squares on Chebyshev nodes, reweighted towards equal error (Lawson, 1961), in double.
#pragma once

#include <vitral/core/bits.hpp>

#include <cmath>
#include <cstdint>

namespace vitral { inline namespace VITRAL_ABI { namespace math {

namespace detail {

VITRAL_HD constexpr float as_float(std::uint32_t word) { return bit_cast<float>(word); }
VITRAL_HD constexpr std::uint32_t as_word(float value) { return bit_cast<std::uint32_t>(value); }
VITRAL_HD constexpr float magnitude(float x) { return as_float(as_word(x) & 0x7fffffffu); }
VITRAL_HD inline double magnitude(double x) { return std::fabs(x); }
VITRAL_HD constexpr std::uint32_t mask(bool condition) { return 0u - static_cast<std::uint32_t>(condition); }
VITRAL_HD constexpr float with_sign_of(float magnitude, float sign) {
  return as_float(as_word(magnitude) | (as_word(sign) & 0x80000000u));
}

}  // namespace detail

VITRAL_HD inline double exp(double x) { return std::exp(x); }
VITRAL_HD inline double log(double x) { return std::log(x); }
VITRAL_HD inline double log1p(double x) { return std::log1p(x); }
VITRAL_HD inline double tanh(double x) { return std::tanh(x); }
VITRAL_HD inline double erf(double x) { return std::erf(x); }

/// e^x within 2 ulp; 0 below about -103.97, infinity above 88.72.
/// x = n ln 2 + r with |r| <= ln(2)/2 (ln 2 in two parts: Cody and Waite, 1980), e^r = 1 + r + r^2 p(r).
VITRAL_SIMD float exp(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  constexpr float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, kept in the low bits
  const float shifted = x * 1.44269504f + shift;
  const float n = shifted - shift;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 0.001381455920636654f;
  p = p * r + 0.008368735201656818f;
  p = p * r + 0.04166838899254799f;
  p = p * r + 0.1666652113199234f;
  p = p * r + 0.4999999403953552f;
  const float fraction = (p * r) * r + r + 1.0f;
  // 2^n in two factors, each a normal number, so that subnormal results and the overflow come out right.
  const std::int32_t power = static_cast<std::int32_t>(detail::as_word(shifted) - detail::as_word(shift));
  const std::int32_t half = power >> 1;
  const float scale0 = detail::as_float((static_cast<std::uint32_t>(half) + 127u) << 23);
  const float scale1 = detail::as_float((static_cast<std::uint32_t>(power - half) + 127u) << 23);
  return fraction * scale0 * scale1;
}

/// Natural logarithm within 2 ulp: -infinity at 0, NaN below.
/// x = m 2^n with m in [sqrt(1/2), sqrt(2)), log m = f - f^2/2 + f^3 p(f) with f = m - 1.
VITRAL_SIMD float log(float x) {
  // Conditions become masks, as g++ turns several selects on one value back into branches.
  const std::uint32_t subnormal = detail::mask(x < 1.17549435e-38f);
  const std::uint32_t word = detail::as_word(x * detail::as_float(0x3f800000u + (subnormal & (23u << 23))));
  const std::uint32_t offset = word - 0x3f3504f3u;  // bits of sqrt(1/2): moves the cut between exponents there
  const std::int32_t power = (static_cast<std::int32_t>(offset) >> 23) - static_cast<std::int32_t>(subnormal & 23u);
  const float n = static_cast<float>(power);
  const float f = detail::as_float((offset & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  float p = 0.0674663856625557f;
  p = p * f - 0.11675651371479034f;
  p = p * f + 0.11888162791728973f;
  p = p * f - 0.1240558922290802f;
  p = p * f + 0.14219552278518677f;
  p = p * f - 0.1666799634695053f;
  p = p * f + 0.2000211924314499f;
  p = p * f - 0.25000008940696716f;
  p = p * f + 0.3333331346511841f;
  const float square = f * f;
  const float tail = square * f * p - n * 2.12194440e-4f;
  const std::uint32_t at_infinity = detail::mask(x == detail::as_float(0x7f800000u)) & 0x7f800000u;
  const std::uint32_t at_zero = detail::mask(x == 0.0f) & 0xff800000u;
  const std::uint32_t outside = detail::mask(!(x >= 0.0f)) & 0x7fc00000u;
  const float special = detail::as_float(at_infinity | at_zero | outside);
  return (tail - 0.5f * square + f) + n * 0.693359375f + special;
}

/// log(1 + x) within 3 ulp, for x near 0 too: -infinity at -1, NaN below.
/// What rounding u = 1 + x has lost is added to first order: log(1 + x) = log(u) + (1 + x - u) / u.
VITRAL_SIMD float log1p(float x) {
  const float u = 1.0f + x, back = u - 1.0f;
  const float lost = x == back ? 0.0f : x - back;  // at infinity: 0, not NaN
  return log(u) + lost / (u > 0.0f ? u : 1.0f);
}

/// Hyperbolic tangent within 3 ulp: x + x^3 p(x^2) near zero, 1 - 2 / (e^2x + 1) elsewhere.
VITRAL_SIMD float tanh(float x) {
  const float a = detail::magnitude(x);
  const float square = x * x;
  float p = -0.005515164230018854f;
  p = p * square + 0.02046941965818405f;
  p = p * square - 0.05368802323937416f;
  p = p * square + 0.1333083063364029f;
  p = p * square - 0.3333325982093811f;
  const float small = (p * square) * x + x;
  const float large = detail::with_sign_of(1.0f - 2.0f / (exp(2.0f * a) + 1.0f), x);
  return a < 0.65f ? small : large;
}

/// Error function, absolute error below 1.2e-7, relative error of the same size near zero:
/// x + x p(x^2) up to 1, and 1 - e^-q(|x|) beyond, where q fits -log(erfc) on [1, 4].
VITRAL_SIMD float erf(float x) {
  const float a = detail::magnitude(x);
  const float square = x * x;
  float p = 7.853531133150682e-05f;
  p = p * square - 0.0008010085439309478f;
  p = p * square + 0.005188313778489828f;
  p = p * square - 0.026853803545236588f;
  p = p * square + 0.1128358468413353f;
  p = p * square - 0.3761262595653534f;
  p = p * square + 0.12837916571f;
  const float small = p * x + x;
  const float b = a > 4.0f ? 4.0f : a;
  float q = -0.00018557319708634168f;
  q = q * b + 0.0029395995661616325f;
  q = q * b - 0.021805290132761f;
  q = q * b + 0.10303731262683868f;
  q = q * b + 0.6382257342338562f;
  q = q * b + 1.1270400285720825f;
  q = q * b + 0.00035372821730561554f;
  const float large = detail::with_sign_of(1.0f - exp(-q), x);
  return a < 1.0f ? small : large;
}

/// 1 / (1 + e^-x).
template <class T>
VITRAL_HD inline T sigmoid(T x) {
  return T(1) / (T(1) + exp(-x));
}

/// x / (1 + e^-x) (Elfwing, Uchibe and Doya, arXiv 1702.03118), and its derivative.
template <class T>
VITRAL_SIMD T silu(T x) {
  return x * sigmoid(x);
}
template <class T>
VITRAL_SIMD T silu_grad(T x) {
  const T s = sigmoid(x);
  return s * (T(1) + x * (T(1) - s));
}

/// log(1 + e^-|x|): what softplus(x) has above max(x, 0).
template <class T>
VITRAL_SIMD T softplus_excess(T x) {
  return log1p(exp(-detail::magnitude(x)));
}
/// log(1 + e^x) without overflow.
template <class T>
VITRAL_SIMD T softplus(T x) {
  return (x < T(0) ? T(0) : x) + softplus_excess(x);
}

/// Sine and cosine of x in radians, as std::sin and std::cos (exact for large angles too; not vectorised).
template <class T>
VITRAL_HD inline T sin(T x) {
  return std::sin(x);
}
template <class T>
VITRAL_HD inline T cos(T x) {
  return std::cos(x);
}

/// x to the power y, as std::pow (exact signs, zeros and infinities; not vectorised).
template <class T>
VITRAL_HD inline T pow(T x, T y) {
  return std::pow(x, y);
}

/// What GELU and its slope are made of: the normal distribution function at x, and e^(-x^2 / 2).
template <class T>
struct Normal {
  T distribution, bell;
};
VITRAL_HD inline Normal<double> normal(double x) {
  return {0.5 * std::erfc(-0.70710678118654752440 * x), std::exp(-0.5 * x * x)};
}
/// The tail beyond |x| is e^(-x^2 / 2) t p(t) with t = 1 / (1 + 0.4 |x| / sqrt(2)), within 4e-8 of itself up to |x| =
/// 9.9: the form of Hastings (1955, sheet 43), fitted anew. One exponential serves the distribution and its density.
VITRAL_SIMD Normal<float> normal(float x) {
  const float t = 1.0f / (1.0f + 0.28284271247f * detail::magnitude(x));
  const float bell = exp(-0.5f * x * x);
  float p = 0.016318688169121742f;
  p = p * t - 0.04850439727306366f;
  p = p * t - 0.004465595819056034f;
  p = p * t + 0.09943666309118271f;
  p = p * t - 0.00032218341948464513f;
  p = p * t + 0.11478649824857712f;
  p = p * t + 0.09601759910583496f;
  p = p * t + 0.11396276205778122f;
  p = p * t + 0.11276998370885849f;
  const float tail = p * t * bell;
  return {x < 0.0f ? tail : 1.0f - tail, bell};
}

/// x Phi(x) with the exact normal distribution function Phi (Hendrycks and Gimpel, arXiv 1606.08415).
template <class T>
VITRAL_SIMD T gelu(T x) {
  return x * normal(x).distribution;
}

/// gelu and its derivative Phi(x) + x phi(x), for little more than either alone.
template <class T>
struct GeluParts {
  T value, slope;
};
template <class T>
VITRAL_SIMD GeluParts<T> gelu_parts(T x) {
  const Normal<T> at = normal(x);
  return {x * at.distribution, at.distribution + x * at.bell * T(0.39894228040143267794)};
}
template <class T>
VITRAL_SIMD T gelu_grad(T x) {
  return gelu_parts(x).slope;
}

}}}  // namespace vitral::math
