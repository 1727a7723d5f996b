// One exception type whose message says what is wrong, what was expected and what to do.
#pragma once

#include <vitral/core/config.hpp>

#include <concepts>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vitral { inline namespace VITRAL_ABI {

/// Thrown for every input, file, shape or option that Vitral cannot use.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace detail {

inline void append(std::string& out, std::string_view text) { out += text; }
inline void append(std::string& out, std::integral auto number) { out += std::to_string(number); }
inline void append(std::string& out, std::floating_point auto number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", static_cast<double>(number));
  out += text;
}

}  // namespace detail

/// Joins text and numbers: `join("batch ", 3)` is "batch 3".
template <class... Parts>
[[nodiscard]] std::string join(const Parts&... parts) {
  using detail::append;  // types that messages show, such as shapes, bring an `append` of their own
  std::string out;
  (append(out, parts), ...);
  return out;
}

/// Throws Error with the joined parts as its message.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::string message = join("vitral: ", parts...);
  for (char& c : message) c = c == '\0' ? '?' : c;  // what() would end there
  throw Error(message);
}

/// Throws Error with the joined parts unless `condition` holds.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(parts...);
}

}}  // namespace vitral
