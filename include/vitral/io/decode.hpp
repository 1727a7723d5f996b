// Image files of any format that we read: which one it is, and its pixels.
#pragma once

#include <vitral/io/jpeg.hpp>
#include <vitral/io/png.hpp>
#include <vitral/io/read_bytes.hpp>
#include <vitral/io/webp.hpp>

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Longer files are refused.
inline constexpr std::uint64_t max_image_bytes = 1ul << 29;

namespace detail {

inline void check_image_bytes(const std::string& name, std::uint64_t size) {
  check(size <= max_image_bytes, name, ": ", size, " bytes, expected at most ", max_image_bytes, " for an image");
}

inline std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace detail

/// A PNG, JPEG or WebP file as RGB: its first bytes tell which it is. `name` is what errors call it; `least_side` is
/// explained at decode_jpeg.
[[nodiscard]] inline Image decode_image(const std::vector<std::uint8_t>& bytes, const std::string& name,
                                        int least_side = 0) {
  const auto begins = [&](std::size_t at, std::string_view text) {
    return bytes.size() >= at + text.size() && std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
  };
  if (begins(0, "\x89PNG\r\n\x1a\n")) return decode_png(bytes, name);
  if (begins(0, "\xff\xd8\xff")) return decode_jpeg(bytes, name, least_side);
  if (begins(0, "RIFF") && begins(8, "WEBP")) return decode_webp(bytes, name);
  fail(name, ": neither a PNG, a JPEG nor a WebP", bytes.empty() ? ", but empty" : "", "; convert or remove it");
}

/// The same of a file on disk.
[[nodiscard]] inline Image read_image(const std::filesystem::path& path, int least_side = 0) {
  std::error_code ignored;
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  if (!ignored) detail::check_image_bytes(path.string(), size);
  return decode_image(read_bytes(path), path.string(), least_side);
}

/// Whether a file's name ends as those of images do, in small or capital letters.
[[nodiscard]] inline bool has_image_ending(const std::filesystem::path& path) {
  const std::string ending = detail::lower_case(path.extension().string());
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg" || ending == ".webp";
}
/// Endings of the files that read_image reads, in small letters.
inline constexpr const char* image_endings = ".png, .jpg, .jpeg or .webp";

}}  // namespace vitral
