// The names that a misspelt one may have meant, for error messages.
// Levenshtein's edit distance (Soviet Physics Doklady 10, 1966).
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/legible.hpp>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Least number of insertions, deletions and replacements of one character that turn `a` into `b`.
[[nodiscard]] inline long edit_distance(std::string_view a, std::string_view b) {
  std::vector<long> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<long>(j);
  for (std::size_t i = 0; i < a.size(); ++i) {
    long diagonal = std::exchange(row[0], static_cast<long>(i + 1));
    for (std::size_t j = 0; j < b.size(); ++j) {
      const long replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({row[j + 1] + 1, row[j] + 1, replaced}));
    }
  }
  return row.back();
}

/// At most `count` of `candidates`, the nearest to `name` first; equally near ones keep their order.
[[nodiscard]] inline std::vector<std::string> nearest_names(std::string_view name,
                                                            const std::vector<std::string>& candidates,
                                                            std::size_t count = 3) {
  std::vector<std::pair<long, std::string>> ranked;  // the nearest so far
  for (const std::string& candidate : candidates) {
    const long least =
        std::abs(std::ssize(candidate) - std::ssize(name));  // no distance is below the lengths' difference
    if (ranked.size() == count && (count == 0 || least >= ranked.back().first)) continue;
    ranked.emplace_back(edit_distance(name, candidate), candidate);
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    if (ranked.size() > count) ranked.pop_back();
  }
  std::vector<std::string> nearest;
  for (const auto& [distance, candidate] : ranked) nearest.push_back(candidate);
  return nearest;
}

/// Throws Error: `name` is no `what` ("data set"), of which `known` are all that there are.
[[noreturn]] inline void fail_unknown(std::string_view what, std::string_view name,
                                      const std::vector<std::string>& known) {
  std::string list;
  for (const std::string& one : known) list += (list.empty() ? "" : ", ") + one;
  fail("unknown ", what, " \"", legible(name), "\" (did you mean ", nearest_names(name, known, 1).at(0),
       "? known: ", list, ")");
}

/// The names of a table's lines, in its order.
[[nodiscard]] std::vector<std::string> names_in(const auto& table) {
  std::vector<std::string> names;
  for (const auto& line : table) names.emplace_back(line.name);
  return names;
}

/// A table's line of that name; Error, which lists the names, where there is none. `what`: what a line is.
[[nodiscard]] const auto& line_of(const auto& table, std::string_view what, std::string_view name) {
  for (const auto& line : table)
    if (line.name == name) return line;
  fail_unknown(what, name, names_in(table));
}

}}  // namespace vitral
