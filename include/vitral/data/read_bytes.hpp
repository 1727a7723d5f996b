// Whole files as bytes, and the checks that every data set's reader shares.
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

namespace vitral::inline VITRAL_ABI {

/// The content of a regular file; throws Error with the file's name and the system's reason.
[[nodiscard]] inline std::vector<std::uint8_t> read_bytes(const std::filesystem::path& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  check(file != nullptr, path.string(), ": cannot open: ", std::strerror(errno));
  std::error_code ignored;
  check(!std::filesystem::is_directory(path, ignored), path.string(), ": is a directory, expected a file");
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  check(!ignored, path.string(), ": cannot tell its size, expected a regular file");

  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  const std::size_t got = std::fread(bytes.data(), 1, bytes.size(), file.get());
  check(got == bytes.size(), path.string(), ": only ", got, " of ", bytes.size(), " bytes could be read");
  return bytes;
}

}  // namespace vitral::inline VITRAL_ABI
