// Checks names from lists, archives or results that are to become names of files: none may lead out of its folder.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/legible.hpp>

#include <string_view>

namespace vitral { inline namespace VITRAL_ABI {

/// Throws Error, beginning with `source`, unless `name` is one file's or folder's name and no path: not empty, "." or
/// "..", of at most 255 bytes, and without a slash, a backslash and NUL.
inline void check_file_name(std::string_view name, std::string_view source) {
  const bool path = name.find_first_of(std::string_view("/\\\0", 3)) != std::string_view::npos;
  check(!name.empty() && name.size() <= 255 && name != "." && name != ".." && !path, source, " names \"", legible(name),
        "\", expected the name of a file or folder without a path: what is written stays in its own folder");
}

}}  // namespace vitral
