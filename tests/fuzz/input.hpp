// A fuzzer's bytes as a file, for readers that take paths.
#pragma once

#include <vitral/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

/// A folder of this process, in memory where there is such a place; emptied by the system's next start.
inline const std::filesystem::path& fuzz_folder() {
  static const std::filesystem::path folder = [] {
    const bool memory = std::filesystem::is_directory("/dev/shm");
    std::string name = std::string(memory ? "/dev/shm" : "/tmp") + "/vitral_fuzz_XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    std::atexit([] {
      std::error_code ignored;
      std::filesystem::remove_all(fuzz_folder(), ignored);
    });
    return std::filesystem::path(name);
  }();
  return folder;
}

/// Writes the bytes to a file of this name in the folder.
inline std::filesystem::path fuzz_file(const char* name, const std::uint8_t* data, std::size_t size) {
  const auto path = fuzz_folder() / name;
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(data, 1, size, file) != size) std::abort();
  std::fclose(file);
  return path;
}

/// Errors are what a reader should throw; anything else is a finding.
template <class Read>
void may_fail(const Read& read) {
  try {
    read();
  } catch (const vitral::Error&) {
  }
}
