// Where the programs put what they have found: a directory, and text files that are whole or not there.
#pragma once

#include <vitral/io/atomic_file.hpp>

#include <filesystem>
#include <span>
#include <string>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Makes the directory that --out names, and those above it.
inline void make_folder(const std::filesystem::path& folder) {
  std::error_code made;
  std::filesystem::create_directories(folder, made);
  vitral::check(!made, "--out ", folder.native(), ": cannot make the directory (", made.message(),
                "); choose one that may be written");
}

/// Writes the text, whole, in the place of what the file held before.
inline void write_text(const std::filesystem::path& path, const std::string& text) {
  vitral::write_file_atomically(path, {std::as_bytes(std::span(text))});
}

}}}  // namespace vitral::programs
