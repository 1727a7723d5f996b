// What data sets that are folders have in common.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>

#include <filesystem>
#include <string>

namespace vitral::inline VITRAL_ABI {

/// The folder's own name, also of "photos/" and ".".
inline std::string folder_name(const std::filesystem::path& folder) {
  const auto path = std::filesystem::weakly_canonical(folder);
  return path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
}

/// The folder that holds a split: DIR/train, and DIR/test or else DIR/val, where DIR/train exists; else DIR.
inline std::filesystem::path split_folder(const std::filesystem::path& folder, Split split, const char* holds) {
  namespace fs = std::filesystem;
  check(fs::is_directory(folder), folder.string(), ": no such folder, expected one that holds ", holds,
        "; check --data DIR");
  refuse_unlabeled(split, folder.string());
  if (!fs::is_directory(folder / "train")) return folder;
  if (split == Split::train) return folder / "train";
  if (fs::is_directory(folder / "test")) return folder / "test";
  check(fs::is_directory(folder / "val"), folder.string(), ": has train/ but neither test/ nor val/; add one of them");
  return folder / "val";
}

}  // namespace vitral::inline VITRAL_ABI
