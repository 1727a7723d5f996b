#include <vitral/core/bf16.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

using namespace vitral;

TEST_CASE("every bf16 survives the way through float") {
  for (std::uint32_t word = 0; word < 65536; ++word) {
    bf16 value;
    value.bits = static_cast<std::uint16_t>(word);
    const float wide = value;
    if (std::isnan(wide))
      CHECK(std::isnan(static_cast<float>(bf16(wide))));
    else
      CHECK(bf16(wide).bits == word);
  }
}

TEST_CASE("bf16 rounds to nearest, ties to even") {
  CHECK(static_cast<float>(bf16(1.0f + 0x1p-8f)) == 1.0f);                // a tie: to the even neighbour below
  CHECK(static_cast<float>(bf16(1.0f + 3 * 0x1p-8f)) == 1.0f + 0x1p-6f);  // a tie: to the even neighbour above
  CHECK(static_cast<float>(bf16(1.0f + 0x1.01p-8f)) == 1.0f + 0x1p-7f);
  CHECK(static_cast<float>(bf16(-1.0f - 0x1.01p-8f)) == -1.0f - 0x1p-7f);
  CHECK(std::isinf(static_cast<float>(bf16(std::numeric_limits<float>::max()))));
  CHECK(std::isinf(static_cast<float>(bf16(std::numeric_limits<float>::infinity()))));
}

TEST_CASE("a NaN stays a NaN, whatever its payload") {
  CHECK(std::isnan(static_cast<float>(bf16(std::numeric_limits<float>::quiet_NaN()))));
  CHECK(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7f800001u)))));
  CHECK(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0xffffffffu)))));
}

TEST_CASE("bf16 is two trivially copyable bytes and computes in float") {
  CHECK(sizeof(bf16) == 2);
  CHECK(std::is_trivially_copyable_v<bf16>);
  CHECK(std::is_same_v<compute_t<bf16>, float>);
  CHECK(std::is_same_v<compute_t<double>, double>);
  CHECK(scalar_name<bf16> == "bf16");
  CHECK(scalar_name<float> == "f32");
  CHECK(scalar_name<double> == "f64");
  CHECK(scalar_name<int> == "i32");
}
