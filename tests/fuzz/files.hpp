// A fuzzer's bytes as a file, for readers that take paths, and files as bytes.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace fuzz {

using Bytes = std::string;

/// A folder of this process in TMPDIR.
inline const std::filesystem::path& folder() {
  static const std::filesystem::path path = [] {
    const char* const given = std::getenv("TMPDIR");
    std::string name = std::string(given != nullptr ? given : "/tmp") + "/vitral_fuzz_XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    return std::filesystem::path(name);
  }();
  return path;
}
inline void remove_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder(), ignored);
}

/// Writes the bytes to a file of this name in the folder.
inline std::filesystem::path put(const std::string& name, const Bytes& bytes) {
  const auto path = folder() / name;
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) std::abort();
  std::fclose(file);
  return path;
}

inline Bytes get(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The files of a folder, in the order of their names.
inline std::vector<Bytes> files_in(const std::filesystem::path& from) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(from)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> out;
  for (const auto& path : paths) out.push_back(get(path));
  return out;
}

}  // namespace fuzz
