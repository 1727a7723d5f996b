// std::bit_cast for code that also runs inside a CUDA kernel.
#pragma once

#include <vitral/core/config.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// The same bits read as a To.
template <class To, class From>
[[nodiscard]] VITRAL_HD constexpr To bit_cast(const From& value) {
  return __builtin_bit_cast(To, value);
}

}}  // namespace vitral
