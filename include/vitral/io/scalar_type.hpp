// Types of the elements of a safetensors file: names, sizes, C++ types.
#pragma once

#include <vitral/core/bf16.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Types of the elements in a file.
enum class ScalarType { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

namespace detail {

struct ScalarTypeInfo {
  ScalarType type;
  std::string_view name;  // in the file's header
  long size;              // bytes
};

inline constexpr std::array<ScalarTypeInfo, 13> scalar_types{{{ScalarType::f64, "F64", 8},
                                                              {ScalarType::f32, "F32", 4},
                                                              {ScalarType::f16, "F16", 2},
                                                              {ScalarType::bf16, "BF16", 2},
                                                              {ScalarType::i64, "I64", 8},
                                                              {ScalarType::i32, "I32", 4},
                                                              {ScalarType::i16, "I16", 2},
                                                              {ScalarType::i8, "I8", 1},
                                                              {ScalarType::u64, "U64", 8},
                                                              {ScalarType::u32, "U32", 4},
                                                              {ScalarType::u16, "U16", 2},
                                                              {ScalarType::u8, "U8", 1},
                                                              {ScalarType::boolean, "BOOL", 1}}};

inline float float_from_f16(std::uint16_t bits) {
  const std::uint32_t sign = (std::uint32_t{bits} & 0x8000u) << 16, magnitude = bits & 0x7fffu;
  if (magnitude >= 0x7c00u)  // infinity and NaN: the exponent stays all ones
    return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  // Moving the bits leaves the exponent 112 too small; the product corrects it, and subnormal numbers too.
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112f));
}

/// Rounds to nearest, ties to even; what is too large becomes infinite, and a NaN stays one.
inline std::uint16_t f16_from_float(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = word >> 16 & 0x8000u, magnitude = word & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // from 65520 on
  if (magnitude >= 0x38800000u) {  // normal: the exponent 112 smaller, ten bits of the fraction
    const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
    return static_cast<std::uint16_t>(sign | (rounded - 0x38000000u) >> 13);
  }
  // Subnormal: a sum whose last bit is that of f16's smallest number rounds as it should.
  const float sum = std::bit_cast<float>(magnitude) + 0.5f;
  return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(sum) - std::bit_cast<std::uint32_t>(0.5f)));
}

}  // namespace detail

/// The type's name in a file, such as "F32".
[[nodiscard]] inline std::string_view scalar_type_name(ScalarType type) {
  return detail::scalar_types[static_cast<std::size_t>(type)].name;
}

/// Bytes of one element.
[[nodiscard]] inline long scalar_type_size(ScalarType type) {
  return detail::scalar_types[static_cast<std::size_t>(type)].size;
}

/// Number of elements of `shape`, or nothing where an extent is negative or the number of bytes overflows.
[[nodiscard]] inline std::optional<long> element_count(const std::vector<long>& shape, long bytes_each) {
  long count = 1, bytes = bytes_each;
  for (const long extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count) || __builtin_mul_overflow(bytes, extent, &bytes))
      return std::nullopt;
  return count;
}

/// C++ types that a tensor in a file can be made of.
template <class T>
concept StoredScalar = std::is_arithmetic_v<T> || std::is_same_v<T, bf16>;

/// ScalarType of float, double, bf16, an integer type or bool.
template <StoredScalar T>
[[nodiscard]] constexpr ScalarType scalar_type_of() {
  if (std::is_same_v<T, bf16>) return ScalarType::bf16;
  if (std::is_same_v<T, bool>) return ScalarType::boolean;
  const char kind = std::is_floating_point_v<T> ? 'F' : std::is_signed_v<T> ? 'I' : 'U';
  for (const auto& info : detail::scalar_types)
    if (info.name[0] == kind && info.size == static_cast<long>(sizeof(T))) return info.type;
  return ScalarType::u8;  // not reached: every size of number is in the table
}

}}  // namespace vitral
