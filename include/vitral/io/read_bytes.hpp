// Files, or parts of them, as bytes, and the errors that every data set's reader shares.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<std::FILE, CloseFile>;

/// Opens a regular file; throws Error with the file's name and the system's reason.
inline FileHandle open_file(const std::filesystem::path& path) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  check(!std::filesystem::is_directory(status), path.string(), ": is a directory, expected a file");
  check(!std::filesystem::is_other(status), path.string(), ": is a pipe, a socket or a device, expected a file");
  FileHandle file(std::fopen(path.c_str(), "rb"));
  check(file != nullptr, path.string(), ": cannot open: ", std::strerror(errno));
  return file;
}

/// `count` bytes of an open file, whose path errors name.
inline std::vector<std::uint8_t> read_from(const FileHandle& file, const std::filesystem::path& path,
                                           std::uint64_t offset, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  const bool found = ::fseeko(file.get(), static_cast<off_t>(offset), SEEK_SET) == 0;
  const std::size_t got = found ? std::fread(bytes.data(), 1, bytes.size(), file.get()) : 0;
  check(got == bytes.size(), path.string(), ": only ", got, " of ", bytes.size(), " bytes could be read");
  return bytes;
}

}  // namespace detail

/// `count` bytes of a file from `offset` on; throws Error if there are fewer.
[[nodiscard]] inline std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path, std::uint64_t offset,
                                                          std::size_t count) {
  return detail::read_from(detail::open_file(path), path, offset, count);
}

/// The content of a regular file of at most 2^30 bytes; throws Error with the file's name and the reason.
[[nodiscard]] inline std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  const detail::FileHandle file = detail::open_file(path);
  std::error_code ignored;
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  check(!ignored, path.string(), ": cannot tell its size, expected a regular file");
  constexpr std::uintmax_t most = std::uintmax_t{1} << 30;  // no file that is read whole comes near it
  check(size <= most, path.string(), ": ", size, " bytes, expected at most ", most);
  return detail::read_from(file, path, 0, size);
}

}}  // namespace vitral
