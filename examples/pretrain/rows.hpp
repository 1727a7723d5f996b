// What is said of an option of `pretrain`, and how its value is checked and read. Relies on CLI11 and nlohmann::json.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/core/escape.hpp>
#include <vitral/io/json.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs { namespace options_detail {

using Json = nlohmann::ordered_json;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// What is said of an option.
struct Row {
  const char* name;  // on the command line, after the two hyphens
  const char* help;
  std::vector<std::string> choices = {};
  const char* published = "";  // the key of the published configurations that means the same
  bool free = false;           // whether a resumed run may change it: it leaves every trained number as it is
  bool adjustable = false;     // whether a resumed run may change it, and says so: the run goes on another way
  double least = -infinity, above = -infinity, most = infinity;
  double unset = std::numeric_limits<double>::quiet_NaN();  // the number outside these limits that says "by default"
};
inline std::string replaced(std::string text, char from, char to) {
  for (char& c : text) c = c == from ? to : c;
  return text;
}

/// Fails unless `value` is one of the row's choices and within its limits. `where` is "--batch" or "FILE: batch".
template <class T>
void check_value(const std::string& where, const Row& row, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (row.choices.empty() || std::ranges::find(row.choices, value) != row.choices.end()) return;
    vitral::fail(where, " cannot be \"", vitral::legible(value), "\"; use one of ",
                 CLI::detail::join(row.choices, ", "));
  } else {
    const double number = static_cast<double>(value);
    if (number == row.unset) return;
    if (std::isfinite(number) && number >= row.least && number > row.above && number <= row.most) return;
    const bool open = row.above > -infinity;
    std::string limits = open ? vitral::join("above ", row.above) : vitral::join("at least ", row.least);
    if (row.most < infinity) limits += vitral::join(" and at most ", row.most);
    vitral::fail(where, " must be ", limits, ", not ", value, ". It is: ", row.help);
  }
}

/// The JSON value as the member's type, or an Error that says which type it should have.
template <class T>
void read_json_value(const std::string& where, const Json& value, T& member) {
  constexpr const char* expected = std::is_same_v<T, bool>          ? "true or false"
                                   : std::is_same_v<T, std::string> ? "a string"
                                   : std::is_integral_v<T>          ? "an integer"
                                                                    : "a number";
  bool good = std::is_same_v<T, std::string> ? value.is_string() : value.is_number();
  if constexpr (std::is_same_v<T, bool>) {
    good = value.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    good = value.is_number_integer() && value.get<double>() == static_cast<double>(value.get<T>());
  }
  vitral::check(good, where, " must be ", expected, ", not ", vitral::legible(value));
  member = value.get<T>();
}

}}}}  // namespace vitral::programs::options_detail
