// Tables as the programs write them: CSV, HTML and Markdown files, and columns on a terminal.
#pragma once

#include <vitral/core/escape.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::report {

/// A table as rows of text, the first its header.
using Table = std::vector<std::vector<std::string>>;

/// A number in printf's format.
inline std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// A number with the range that it lies in: "0.41 (0.40 to 0.45)".
inline std::string with_range(const char* format, double value, double low, double high) {
  return number(format, value) + " (" + number(format, low) + " to " + number(format, high) + ")";
}

inline std::string csv(const Table& table) {
  std::string out;
  for (const auto& row : table)
    for (std::size_t i = 0; i < row.size(); ++i) out += vitral::escape_csv(row[i]) + (i + 1 < row.size() ? "," : "\n");
  return out;
}

/// A table of a page (page.hpp) under its caption: wider than the page, it scrolls by itself, and its headers sort it.
inline std::string html(const Table& table, const std::string& caption, bool wide = false) {
  const std::string name = vitral::escape_html(caption);
  std::string out = std::string("<div class=\"scroll card") + (wide ? " wide" : "") +
                    "\" tabindex=\"0\" role=\"region\" aria-label=\"" + name + "\"><table><caption>" + name +
                    "</caption>\n<thead><tr>";
  for (const std::string& cell : table[0]) out += "<th scope=\"col\">" + vitral::escape_html(cell) + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t r = 1; r < table.size(); ++r) {
    out += "<tr>";
    for (std::size_t i = 0; i < table[r].size(); ++i)
      out += (i ? "<td>" : "<th scope=\"row\">") + vitral::escape_html(table[r][i]) + (i ? "</td>" : "</th>");
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

inline std::string markdown(const Table& table) {
  std::string out;
  for (std::size_t r = 0; r < table.size(); ++r) {
    for (const std::string& cell : table[r]) out += "| " + vitral::escape_markdown(cell) + " ";
    out += "|\n";
    if (r > 0) continue;
    for (std::size_t i = 0; i < table[0].size(); ++i) out += i ? "| ---: " : "| --- ";
    out += "|\n";
  }
  return out;
}

/// Columns for a terminal.
inline std::string text(Table table) {
  for (auto& row : table)
    for (std::string& cell : row) cell = vitral::escape_text(cell);
  std::string out;
  for (const auto& row : table) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::size_t width = 0;
      for (const auto& other : table) width = std::max(width, other[i].size());
      out += std::string(2 + width - row[i].size(), ' ') + row[i];
    }
    out += '\n';
  }
  return out;
}

}}}  // namespace vitral::programs::report
