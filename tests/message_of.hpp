// What the error of a call says.
#pragma once

#include <vitral/core/error.hpp>

#include <string>
#include <string_view>

namespace testing {

/// The message of the Error that `call` throws; "" where it throws none.
template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
    return "";
  } catch (const vitral::Error& error) {
    return error.what();
  }
}

inline bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace testing
