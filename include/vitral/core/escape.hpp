// Text of any bytes, such as the name of a file or a class, as each of the formats that we write can hold it.
#pragma once

#include <vitral/core/config.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// How many bytes the UTF-8 character at the start of `text` has; 0 if it is no valid one (RFC 3629: neither longer
/// than needed nor a surrogate) or a control character.
[[nodiscard]] constexpr std::size_t printable_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7f;
  const std::size_t count = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < count) return 0;
  unsigned code = byte(0) & (0xffu >> (count + 1));
  for (std::size_t i = 1; i < count; ++i) {
    if (byte(i) >> 6 != 2) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::array<unsigned, 5> least{0, 0, 0xa0, 0x800, 0x10000};  // U+0080 to U+009F are control characters
  return code >= least[count] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? count : 0;
}

[[nodiscard]] inline bool is_number(std::string_view text) {
  text.remove_prefix(text.starts_with('+'));
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace detail

/// The text in one line of UTF-8 without control characters, for terminals and logs: a line end becomes \n, a tab \t,
/// any other control character and each byte that is no UTF-8 \x1b or the like. Characters in `keep` stay.
[[nodiscard]] inline std::string escape_text(std::string_view text, std::string_view keep = "") {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    std::size_t count = detail::printable_bytes(text);
    if (count == 0 && keep.find(text[0]) != std::string_view::npos) count = 1;
    if (count > 0) {
      out += text.substr(0, count);
    } else if (text[0] == '\n' || text[0] == '\t' || text[0] == '\r') {
      out += text[0] == '\n' ? "\\n" : text[0] == '\t' ? "\\t" : "\\r";
    } else {
      const auto byte = static_cast<unsigned char>(text[0]);
      out += {'\\', 'x', digits[byte / 16], digits[byte % 16]};
    }
    text.remove_prefix(std::max<std::size_t>(count, 1));
  }
  return out;
}

/// One cell of a CSV table (RFC 4180), on one line. Text that starts with = + - or @, which a spreadsheet would take
/// for a formula, gets an apostrophe in front; numbers stay as they are.
[[nodiscard]] inline std::string escape_csv(std::string_view text) {
  std::string cell = escape_text(text);
  if (!cell.empty() && std::string_view("=+-@").find(cell[0]) != std::string_view::npos && !detail::is_number(cell))
    cell.insert(0, 1, '\'');
  if (cell.find_first_of(",\"") == std::string::npos) return cell;
  for (std::size_t at = 0; (at = cell.find('"', at)) != std::string::npos; at += 2) cell.insert(at, 1, '"');
  return '"' + cell + '"';
}

/// Text that Markdown shows as it is, in the cell of a table, too.
[[nodiscard]] inline std::string escape_markdown(std::string_view text) {
  constexpr std::string_view special = "_*`[]<>&|\\~";
  const std::string plain = ' ' + escape_text(text) + ' ';
  const auto letter = [&](std::size_t at) {
    return plain[at] != ' ' && special.find(plain[at]) == std::string_view::npos;
  };
  std::string out;
  for (std::size_t i = 1; i + 1 < plain.size(); ++i) {
    const bool inside = plain[i] == '_' && letter(i - 1) && letter(i + 1);  // as in vit_tiny, where it means nothing
    if (special.find(plain[i]) != std::string_view::npos && !inside) out += '\\';
    out += plain[i];
  }
  return out;
}

/// Text that HTML shows as it is, also as an attribute in quotes.
[[nodiscard]] inline std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : escape_text(text, "\n\t"))
    out += c == '&'    ? "&amp;"
           : c == '<'  ? "&lt;"
           : c == '>'  ? "&gt;"
           : c == '"'  ? "&quot;"
           : c == '\'' ? "&#39;"
                       : std::string(1, c);
  return out;
}

/// A gnuplot string with its quotes: in single quotes only a quote is special.
[[nodiscard]] inline std::string escape_gnuplot(std::string_view text) {
  std::string out = "'";
  for (const char c : escape_text(text)) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

/// A word of a shell's command line with its quotes; every byte but NUL stays.
[[nodiscard]] inline std::string escape_shell(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

}}  // namespace vitral
