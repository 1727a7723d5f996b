// The members of a tar archive: of POSIX.1-1988 (ustar), with GNU's long names, and with the paths, sizes and links of
// POSIX.1-2001 (pax). Archives that follow one another in one file are read as one.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/io/read_bytes.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// A file in an archive, or a link to one. `offset` and `size`, in bytes, tell where its content is; a link has none.
struct TarEntry {
  std::string path;
  std::uint64_t offset = 0, size = 0;
  std::string link{};  ///< the path, in the archive, of the file that a link stands for
};

/// Reads an archive's headers one after the other, leaping over the content.
///
///   TarReader reader("images.tar");
///   for (TarEntry entry; reader.next(entry);) std::printf("%s\n", entry.path.c_str());
class TarReader {
 public:
  explicit TarReader(const std::filesystem::path& path) : name_(path.string()), file_(detail::open_file(path)) {
    std::error_code error;
    length_ = std::filesystem::file_size(path, error);
    check(!error, name_, ": cannot tell its size, expected a regular file");
    refuse_compressed();
  }

  /// Takes the next file or link; false at the end. Error where the archive is damaged or cut off, or has a member that
  /// is not read here, such as a sparse file.
  bool next(TarEntry& entry) {
    About about;
    for (Header header; read_header(header);) {
      const std::uint64_t content = at_;
      const auto stated = number(&header[124], 12);
      check(stated.has_value(), name_, ": an impossible size in the header at byte ", content - header.size());
      const char kind = static_cast<char>(header[156]);
      const bool link = kind == '1' || kind == '2';
      const std::uint64_t size = link ? 0 : about.size != no_size ? about.size : *stated;
      check(size <= length_ - content, name_, ": truncated, the header at byte ", content - header.size(),
            " announces ", size, " bytes, but ", length_ - content, " follow; copy the archive again");
      at_ = content + (size + 511) / 512 * 512;
      if (kind == 'L' || kind == 'K' || kind == 'x') {  // no member: it tells about the next one
        check(size <= 1 << 20, name_, ": a header of ", size, " bytes at byte ", content, ", expected at most 1 MiB");
        std::string text(size, '\0');
        read(content, text.data(), size);
        if (kind == 'x')
          read_pax(text, content, about);
        else
          (kind == 'L' ? about.path : about.link) = text.c_str();  // up to the NUL
        continue;
      }
      const std::string path = about.path.empty() ? ustar_path(header) : about.path;
      check(!about.sparse && (kind == '\0' || std::string_view("01234567gV").find(kind) != std::string_view::npos),
            name_, ": ", path,
            " is a sparse file or of another kind that is not read here; unpack the archive and write it again, with a "
            "plain tar cf");
      if (link || kind == '0' || kind == '\0' || kind == '7') {
        entry = {path, content, size, {}};
        if (link) entry.link = link_target(kind, path, about.link.empty() ? text_of(header, 157, 100) : about.link);
        return true;
      }
      about = {};
    }
    return false;
  }

  /// The bytes of a file.
  [[nodiscard]] std::vector<std::uint8_t> content(const TarEntry& entry) const {
    return detail::read_from(file_, name_, entry.offset, entry.size);
  }

 private:
  using Header = std::array<std::uint8_t, 512>;
  static constexpr std::uint64_t no_size = UINT64_MAX;

  /// What the headers that precede a member's own tell about it.
  struct About {
    std::string path, link;
    std::uint64_t size = no_size;
    bool sparse = false;
  };

  void read(std::uint64_t offset, char* out, std::size_t count) {
    check(::fseeko(file_.get(), static_cast<off_t>(offset), SEEK_SET) == 0 &&
              std::fread(out, 1, count, file_.get()) == count,
          name_, ": cannot read ", count, " bytes at byte ", offset);
  }

  /// Reads the next header that is not zeros; false at the end of the file. Blocks of zeros close an archive, and
  /// another archive may follow.
  bool read_header(Header& header) {
    for (bool closed = false;; closed = true, at_ += header.size()) {
      check(at_ < length_ || closed, name_,
            ": truncated, ends without the zeros that close an archive; copy the archive again");
      if (at_ >= length_) return false;
      check(length_ - at_ >= header.size(), name_, ": truncated, ends within a header at byte ", at_,
            "; copy the archive again");
      read(at_, reinterpret_cast<char*>(header.data()), header.size());
      std::uint64_t sum = 8 * ' ';  // the checksum counts its own field as blanks
      for (std::size_t i = 0; i < header.size(); ++i) sum += i >= 148 && i < 156 ? 0 : header[i];
      if (sum == 8 * ' ') continue;
      check(number(&header[148], 8) == sum, name_, ": no tar header at byte ", at_,
            at_ == 0 ? "; expected a tar archive" : "; the archive is damaged, copy it again");
      at_ += header.size();
      return true;
    }
  }

  void refuse_compressed() {
    std::string start(std::min<std::uint64_t>(length_, 6), '\0');
    read(0, start.data(), start.size());
    constexpr std::pair<const char*, const char*> known[] = {
        {"\x1f\x8b", "gunzip"}, {"BZh", "bunzip2"}, {"\3757zXZ", "unxz"}, {"\x28\xb5\x2f\xfd", "unzstd"}};
    for (const auto& [magic, command] : known)
      check(!start.starts_with(magic), name_,
            ": is compressed, but images are read from any place of an archive; unpack it once (", command, " ", name_,
            ")");
  }

  /// A field's number: octal digits or, where the first bit is set, GNU's binary form. Nothing where it is neither.
  static std::optional<std::uint64_t> number(const std::uint8_t* field, std::size_t width) {
    std::uint64_t value = 0;
    if (field[0] & 0x80) {
      for (std::size_t i = 1; i < width; ++i) {
        if (value >> 55 != 0) return {};
        value = value << 8 | field[i];
      }
      return value;
    }
    std::size_t i = 0;
    while (i < width && field[i] == ' ') ++i;
    for (; i < width && field[i] >= '0' && field[i] <= '7'; ++i)
      value = value * 8 + static_cast<std::uint64_t>(field[i] - '0');
    if (i < width && field[i] != ' ' && field[i] != 0) return {};
    return value;
  }

  static std::string text_of(const Header& header, std::size_t at, std::size_t width) {
    const char* from = reinterpret_cast<const char*>(header.data()) + at;
    return std::string(from, ::strnlen(from, width));
  }

  static std::string ustar_path(const Header& header) {
    const bool posix = std::memcmp(header.data() + 257, "ustar\0", 6) == 0;
    const std::string prefix = posix ? text_of(header, 345, 155) : "", name = text_of(header, 0, 100);
    return prefix.empty() ? name : prefix + "/" + name;
  }

  /// The path in the archive of what a link stands for: a hard link names that, a symbolic one starts from its folder.
  static std::string link_target(char kind, const std::string& path, const std::string& named) {
    return kind == '1' ? named : (std::filesystem::path(path).parent_path() / named).string();
  }

  /// Reads pax records, "LENGTH KEY=VALUE\n" each, where LENGTH counts the bytes of the whole record.
  void read_pax(std::string_view text, std::uint64_t at, About& about) const {
    const auto require = [&](bool condition) {
      check(condition, name_, ": damaged pax records at byte ", at, "; copy the archive again");
    };
    while (!text.empty()) {
      std::size_t length = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
      const auto digits = static_cast<std::size_t>(end - text.data());
      require(error == std::errc() && length <= text.size() && length > digits + 1 && *end == ' ');
      const std::string_view record = text.substr(digits + 1, length - digits - 2);
      text.remove_prefix(length);
      const std::size_t equals = record.find('=');
      require(equals != std::string_view::npos);
      const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
      if (key == "path" || key == "linkpath") {
        require(value.find('\0') == std::string_view::npos);
        (key == "path" ? about.path : about.link) = value;
      }
      if (key == "size") {
        const auto [rest, bad] = std::from_chars(value.data(), value.data() + value.size(), about.size);
        require(bad == std::errc() && rest == value.data() + value.size() && about.size != no_size);
      }
      about.sparse = about.sparse || key.starts_with("GNU.sparse.");
    }
  }

  std::string name_;
  detail::FileHandle file_;
  std::uint64_t length_ = 0, at_ = 0;
};

}}  // namespace vitral
