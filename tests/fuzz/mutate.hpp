// Small changes to a file's bytes that tend to break readers, the same for the same seed.
#pragma once

#include "files.hpp"

#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace fuzz {

/// SplitMix64 (Steele, Lea and Flood 2014).
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  /// 0 to count - 1; 0 where count is 0.
  std::size_t below(std::size_t count) { return count > 0 ? static_cast<std::size_t>(bits() % count) : 0; }
  template <class List>
  const auto& of(const List& list) {
    return list[below(std::size(list))];
  }

 private:
  std::uint64_t state_;
};

/// Numbers at the borders of types and of the file.
inline std::uint64_t border(Draw& draw, std::size_t size) {
  const std::array<std::uint64_t, 6> centres{0, 1ull << 31, 1ull << 32, 1ull << 53, 1ull << 63, size};
  return draw.of(centres) + draw.below(5) - 2;
}

/// Writes a border number of 1, 2, 4 or 8 bytes over a place, in either order of bytes.
inline void set_length(Draw& draw, Bytes& bytes) {
  const std::size_t width = std::size_t{1} << draw.below(4), at = draw.below(bytes.size());
  const std::uint64_t number = border(draw, bytes.size());
  const bool little = draw.below(2) == 0;
  for (std::size_t i = 0; i < width && at + i < bytes.size(); ++i)
    bytes[at + i] = static_cast<char>(number >> 8 * (little ? i : width - 1 - i));
}

/// Puts another value in the place of one of the numbers that stand in the text, as JSON or .npy headers have them.
inline void set_number(Draw& draw, Bytes& bytes) {
  std::vector<std::size_t> begins;
  const auto digit = [&](std::size_t i) { return std::isdigit(static_cast<unsigned char>(bytes[i])) != 0; };
  for (std::size_t i = 0; i < bytes.size(); ++i)
    if (digit(i) && (i == 0 || !digit(i - 1))) begins.push_back(i);
  if (begins.empty()) return;
  const std::size_t at = draw.of(begins);
  std::size_t end = at;
  while (end < bytes.size() && digit(end)) ++end;
  static const std::array<std::string, 16> values{
      "-1", "-0",      "1e9", "1e309", "0.5", "18446744073709551616",  "null", "true", "\"7\"", "[]",
      "{}", "[1,[2]]", "nan", "1,2",   "",    "\"=\\u0000\\n../../x\""};
  bytes.replace(at, end - at, draw.below(2) == 0 ? std::to_string(border(draw, bytes.size())) : draw.of(values));
}

/// One change, in text of a number as often as anything else; `other` is another file of the format, from which a part
/// may come.
inline void change(Draw& draw, Bytes& bytes, const Bytes& other) {
  const std::size_t at = draw.below(bytes.size()), count = draw.below(bytes.size() - at + 1);
  if (bytes.starts_with('{') && draw.below(2) == 0) return set_number(draw, bytes);
  switch (draw.below(11)) {
    case 0:
      if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << draw.below(8));
      break;
    case 1:
      if (!bytes.empty()) bytes[at] = static_cast<char>(draw.bits());
      break;
    case 2: bytes.resize(at); break;
    case 3: bytes.erase(at, draw.below(2) == 0 ? 1 + draw.below(8) : count); break;
    case 4: bytes.insert(at, bytes.substr(at, std::min<std::size_t>(count, 4096))); break;
    case 5: {
      const std::size_t from = draw.below(other.size());
      bytes.insert(at, other, from, std::min<std::size_t>(draw.below(other.size() - from + 1), 4096));
      break;
    }
    case 6: set_length(draw, bytes); break;
    case 7:
    case 8: set_number(draw, bytes); break;
    case 9: {  // two parts change places
      const Bytes part = bytes.substr(at, std::min<std::size_t>(count, 64));
      bytes.erase(at, part.size());
      bytes.insert(draw.below(bytes.size() + 1), part);
      break;
    }
    case 10: bytes.insert(at, Bytes(draw.below(8) == 0 ? 70'000 : 66, "[{("[draw.below(3)])); break;
  }
}

/// One of the files after a change, or up to four.
inline Bytes mutated(Draw& draw, const std::vector<Bytes>& files) {
  Bytes bytes = draw.of(files);
  for (std::size_t changes = 1 + draw.below(2) * draw.below(4); changes > 0; --changes)
    change(draw, bytes, draw.of(files));
  return bytes;
}

}  // namespace fuzz
