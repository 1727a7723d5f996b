// One exception type whose message says what is wrong, what was expected and what to do.
#pragma once

#include <vitral/core/config.hpp>

#include <concepts>
#include <cstdio>
#include <initializer_list>
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

/// A part of a message without its type, so that all messages are joined by one function: calls are many, and seldom
/// made.
struct MessagePart {
  const void* object;
  void (*append_to)(std::string& out, const void* object);
};
template <class T>
MessagePart message_part(const T& part) {
  if constexpr (std::convertible_to<const T&, const char*>)  // one function for literals of every length
    return {static_cast<const char*>(part),
            [](std::string& out, const void* text) { append(out, static_cast<const char*>(text)); }};
  else  // types that messages show, such as shapes, bring an `append` of their own
    return {&part, [](std::string& out, const void* object) { append(out, *static_cast<const T*>(object)); }};
}

inline std::string join_parts(std::initializer_list<MessagePart> parts) {
  std::string out;
  for (const MessagePart& part : parts) part.append_to(out, part.object);
  return out;
}

[[noreturn]] inline void fail_with(std::initializer_list<MessagePart> parts) {
  std::string message = join_parts(parts);
  for (char& c : message) c = c == '\0' ? '?' : c;  // what() would end there
  throw Error(message);
}

}  // namespace detail

/// Joins text and numbers: `join("batch ", 3)` is "batch 3".
template <class... Parts>
[[nodiscard]] std::string join(const Parts&... parts) {
  return detail::join_parts({detail::message_part(parts)...});
}

/// Throws Error with the joined parts as its message.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  detail::fail_with({detail::message_part("vitral: "), detail::message_part(parts)...});
}

/// Throws Error with the joined parts unless `condition` holds.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(parts...);
}

}}  // namespace vitral
