// bfloat16: the upper half of a float, for storage; arithmetic happens in float.
#pragma once

#include <vitral/core/bits.hpp>

#include <cstdint>
#include <string_view>

namespace vitral { inline namespace VITRAL_ABI {

/// Eight exponent and seven fraction bits. Converts from and to float implicitly: loops over bf16 compute in float.
struct bf16 {
  std::uint16_t bits;

  bf16() = default;

  /// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN. Free of branches, so loops over it vectorise.
  VITRAL_HD constexpr bf16(float value) : bits(round(value)) {}

  /// Stores a float without a temporary bf16, which would keep a loop from being vectorised: write `out[i] = value`.
  VITRAL_HD constexpr bf16& operator=(float value) {
    bits = round(value);
    return *this;
  }

  VITRAL_HD constexpr operator float() const { return bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

 private:
  VITRAL_HD static constexpr std::uint16_t round(float value) {
#ifdef __CUDA_ARCH__
    if (!__builtin_is_constant_evaluated()) {  // one instruction of the device (PTX ISA, cvt); its NaN has all bits set
      std::uint16_t out = 0;
      asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(out) : "f"(value));
      return out;
    }
#endif
    const auto word = bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
    const std::uint32_t quiet = (word >> 16) | 0x40u;
    return static_cast<std::uint16_t>((word & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
  }
};

namespace detail {

template <class T>
struct ComputeType {
  using type = T;
};
template <>
struct ComputeType<bf16> {
  using type = float;
};

template <class T>
struct ScalarName;
template <>
struct ScalarName<float> {
  static constexpr std::string_view value = "f32";
};
template <>
struct ScalarName<double> {
  static constexpr std::string_view value = "f64";
};
template <>
struct ScalarName<bf16> {
  static constexpr std::string_view value = "bf16";
};
template <>
struct ScalarName<std::int32_t> {
  static constexpr std::string_view value = "i32";
};
template <>
struct ScalarName<std::int64_t> {
  static constexpr std::string_view value = "i64";
};
template <>
struct ScalarName<std::uint8_t> {
  static constexpr std::string_view value = "u8";
};

}  // namespace detail

/// The type in which values stored as T are computed: float for bf16, else T itself.
template <class T>
using compute_t = typename detail::ComputeType<T>::type;

/// The short name of a scalar type in messages and files: "f32", "f64", "bf16", "i32", "i64", "u8".
template <class T>
inline constexpr std::string_view scalar_name = detail::ScalarName<T>::value;

}}  // namespace vitral
