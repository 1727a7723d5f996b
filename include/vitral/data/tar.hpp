// Pictures in tar archives, in WebDataset's layout: the files of a sample stand together and share their name up to the
// first dot, "0001.jpg" beside "0001.cls" (the class as a number). Archives are indexed once, never unpacked.
// POSIX.1-1988 (ustar), GNU's long names, and the paths and sizes of POSIX.1-2001 (pax) are understood.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/data/decode.hpp>
#include <vitral/data/folders.hpp>
#include <vitral/data/image.hpp>
#include <vitral/data/read_bytes.hpp>

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
#include <vector>

namespace vitral::inline VITRAL_ABI {

/// A regular file in an archive.
struct TarEntry {
  std::string path;
  std::uint64_t offset = 0, size = 0;
};

/// Reads an archive's headers from its beginning to its end, jumping over the content.
class TarReader {
 public:
  explicit TarReader(const std::filesystem::path& path) : name_(path.string()), file_(detail::open_file(path)) {
    std::error_code error;
    length_ = std::filesystem::file_size(path, error);
    check(!error, name_, ": cannot tell its size, expected a regular file");
  }

  /// The next regular file; false at the end. Throws Error where the archive is damaged.
  bool next(TarEntry& entry) {
    std::string long_path;
    std::uint64_t long_size = no_size;
    for (Header header; read_header(header);) {
      const std::uint64_t content = at_;
      const auto stated = number(&header[124], 12);
      check(stated.has_value(), name_, ": an impossible size in the header at byte ", content - header.size());
      const std::uint64_t size = long_size != no_size ? long_size : *stated;
      check(size <= length_ - content, name_, ": truncated, the header at byte ", content - header.size(),
            " announces ", size, " bytes, but ", length_ - content, " follow; copy the archive again");
      at_ = content + (size + 511) / 512 * 512;
      const char kind = static_cast<char>(header[156]);
      if (kind == 'L' || kind == 'x') {  // about the next entry: a GNU long name, or pax records
        check(size <= 1 << 20, name_, ": a header of ", size, " bytes at byte ", content, ", expected at most 1 MiB");
        std::string text(size, '\0');
        read(content, text.data(), size);
        if (kind == 'L')
          long_path = text.c_str();  // ends at its NUL
        else
          read_pax(text, content, long_path, long_size);
        continue;
      }
      if (kind == '0' || kind == '\0' || kind == '7') {
        entry = {long_path.empty() ? ustar_path(header) : long_path, content, size};
        return true;
      }
      long_path.clear();
      long_size = no_size;
    }
    return false;
  }

  [[nodiscard]] std::vector<std::uint8_t> content(const TarEntry& entry) const {
    return detail::read_from(file_, name_, entry.offset, entry.size);
  }

 private:
  using Header = std::array<std::uint8_t, 512>;
  static constexpr std::uint64_t no_size = UINT64_MAX;

  void read(std::uint64_t offset, char* out, std::size_t count) {
    check(::fseeko(file_.get(), static_cast<off_t>(offset), SEEK_SET) == 0 &&
              std::fread(out, 1, count, file_.get()) == count,
          name_, ": cannot read ", count, " bytes at byte ", offset);
  }

  /// False at the archive's end: a block of zeros, or no block at all.
  bool read_header(Header& header) {
    if (at_ >= length_) return false;
    check(length_ - at_ >= header.size(), name_, ": truncated, ends within a header at byte ", at_,
          "; copy the archive again");
    read(at_, reinterpret_cast<char*>(header.data()), header.size());
    std::uint64_t sum = 8 * ' ';  // the checksum counts its own field as blanks
    for (std::size_t i = 0; i < header.size(); ++i) sum += i >= 148 && i < 156 ? 0 : header[i];
    if (sum == 8 * ' ') return false;
    check(number(&header[148], 8) == sum, name_, ": no tar header at byte ", at_, at_ == 0
          ? "; expected an uncompressed tar archive (unpack .tar.gz and the like with gunzip first)"
          : "; the archive is damaged, copy it again");
    at_ += header.size();
    return true;
  }

  /// Octal digits, or GNU's binary form, marked by the first bit; nothing where a field is neither.
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

  static std::string ustar_path(const Header& header) {
    const auto text = [&](std::size_t at, std::size_t width) {
      const char* from = reinterpret_cast<const char*>(header.data()) + at;
      return std::string(from, ::strnlen(from, width));
    };
    const bool posix = std::memcmp(header.data() + 257, "ustar\0", 6) == 0;
    const std::string prefix = posix ? text(345, 155) : "";
    return prefix.empty() ? text(0, 100) : prefix + "/" + text(0, 100);
  }

  /// Records "LENGTH KEY=VALUE\n", LENGTH counting the whole record.
  void read_pax(std::string_view text, std::uint64_t at, std::string& path, std::uint64_t& size) const {
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
      if (key == "path") path = value;
      if (key == "size")
        require(std::from_chars(value.data(), value.data() + value.size(), size).ec == std::errc() && size != no_size);
    }
  }

  std::string name_;
  detail::FileHandle file_;
  std::uint64_t length_ = 0, at_ = 0;
};

/// The pictures of one or more archives, in order. Samples need no labels; where one has them, all must.
class TarImages {
 public:
  /// `source` is an archive, or a folder whose .tar files are read in the order of their names; classes.txt beside the
  /// archives, one name a line, may name the classes. Where the folder has train/, the splits are as in ImageFolder; so is
  /// `least_side`.
  explicit TarImages(const std::filesystem::path& source, Split split = Split::train, int least_side = 0)
      : least_side_(least_side) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    fs::path folder = source.parent_path();
    if (fs::is_directory(source, ignored)) {
      folder = split_folder(source, split, "tar archives");
      for (const auto& entry : fs::directory_iterator(folder))
        if (entry.is_regular_file() && entry.path().extension() == ".tar") archives_.push_back(entry.path());
      std::sort(archives_.begin(), archives_.end());
      check(!archives_.empty(), folder.string(), ": holds no file that ends in .tar");
    } else {
      refuse_unlabeled(split, source.string());
      archives_.push_back(source);
    }
    name_ = source.stem().string();
    for (std::size_t i = 0; i < archives_.size(); ++i) index(i);
    check(!samples_.empty(), source.string(), ": no entry ends in ", picture_endings);
    name_classes(folder / "classes.txt");
  }

  [[nodiscard]] long size() const { return static_cast<long>(samples_.size()); }
  [[nodiscard]] Image image(long i) const {
    const Sample& sample = samples_[static_cast<std::size_t>(i)];
    const auto& archive = archives_[sample.archive];
    return decode_image(read_bytes(archive, sample.entry.offset, sample.entry.size),
                        archive.string() + ": " + sample.entry.path, least_side_);
  }
  [[nodiscard]] int label(long i) const { return samples_[static_cast<std::size_t>(i)].label; }

  /// The archive's path with that of picture i in it.
  [[nodiscard]] std::filesystem::path file(long i) const {
    const Sample& sample = samples_[static_cast<std::size_t>(i)];
    return archives_[sample.archive] / sample.entry.path;
  }

  [[nodiscard]] std::vector<std::string> classes() const { return classes_; }
  [[nodiscard]] std::string name() const { return name_; }

 private:
  struct Sample {
    TarEntry entry;
    std::size_t archive = 0;
    int label = -1;
  };

  /// What a sample's files have in common: the path up to the first dot of the file's name.
  static std::string_view key_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return path.substr(0, path.find('.', slash == std::string_view::npos ? 0 : slash + 1));
  }

  void index(std::size_t archive) {
    TarReader reader(archives_[archive]);
    Sample sample;
    std::string key;
    const auto finish = [&] {
      if (!sample.entry.path.empty()) samples_.push_back(std::move(sample));
      sample = Sample{};
      sample.archive = archive;
    };
    finish();
    for (TarEntry entry; reader.next(entry);) {
      const std::string here(key_of(entry.path));
      if (here != key) finish();
      key = here;
      if (std::filesystem::path(entry.path).extension() == ".cls")
        sample.label = read_label(reader, archives_[archive].string() + ": " + entry.path, entry);
      else if (has_picture_ending(entry.path) && sample.entry.path.empty())
        sample.entry = entry;
    }
    finish();
  }

  static int read_label(const TarReader& reader, const std::string& name, const TarEntry& entry) {
    check(entry.size <= 64, name, ": a label of ", entry.size, " bytes, expected a number from 0 on");
    const std::vector<std::uint8_t> bytes = reader.content(entry);
    std::string text(bytes.begin(), bytes.end());
    while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) text.pop_back();
    int label = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
    check(error == std::errc() && end == text.data() + text.size() && label >= 0 && label < 1 << 20, name, ": label \"",
          text, "\", expected a number from 0 to ", (1 << 20) - 1);
    return label;
  }

  void name_classes(const std::filesystem::path& file) {
    int most = -1;
    for (const Sample& s : samples_) most = std::max(most, s.label);
    for (const Sample& s : samples_)
      check(most < 0 || s.label >= 0, archives_[s.archive].string(), ": ", s.entry.path,
            " has no label (a .cls file beside it), but other pictures have");
    if (most < 0) return;
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) {
      std::string line;
      for (const std::uint8_t byte : read_bytes(file)) {
        if (byte != '\n') {
          line += static_cast<char>(byte);
          continue;
        }
        classes_.push_back(line);
        line.clear();
      }
      if (!line.empty()) classes_.push_back(line);
      check(static_cast<int>(classes_.size()) > most, file.string(), ": ", classes_.size(),
            " names, but there are labels up to ", most);
    }
    while (static_cast<int>(classes_.size()) <= most) classes_.push_back(std::to_string(classes_.size()));
  }

  int least_side_;
  std::vector<std::filesystem::path> archives_;
  std::vector<Sample> samples_;
  std::vector<std::string> classes_;
  std::string name_;
};

}  // namespace vitral::inline VITRAL_ABI
