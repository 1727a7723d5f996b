// Names and values from files as messages show them: on one line, in part where they are long.
#pragma once

#include <vitral/core/escape.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace vitral { inline namespace VITRAL_ABI {

/// escape_text of the first `most` bytes of a text, and dots where there are more.
[[nodiscard]] inline std::string legible(std::string_view text, std::size_t most = 120) {
  return escape_text(text.substr(0, most)) + (text.size() > most ? "..." : "");
}

}}  // namespace vitral
