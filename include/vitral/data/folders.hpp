// What the data sets that are folders have in common: their names, their entries, their splits.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The folder's own name: "photos" of "data/photos/", and of "." that of the folder which this is.
inline std::string folder_name(const std::filesystem::path& folder) {
  std::error_code ignored;
  const auto path = std::filesystem::weakly_canonical(folder, ignored);
  return path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
}

/// Whether data sets leave out an entry of this name: a hidden one, or what macOS adds to archives.
inline bool is_hidden(std::string_view name) { return name.starts_with('.') || name == "__MACOSX"; }

/// The entries of a folder that are not hidden, sorted by name. Error where the folder cannot be read.
inline std::vector<std::filesystem::directory_entry> visible_entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::directory_entry> entries;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(folder, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
    if (!is_hidden(entry->path().filename().string())) entries.push_back(*entry);
  check(!error, folder.string(), ": cannot read this folder (", error.message(),
        "); give read access, or move it away");
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// Whether a folder has its splits in folders of their own, DIR/train and so on.
inline bool is_split(const std::filesystem::path& folder) {
  std::error_code ignored;
  return std::filesystem::is_directory(folder / "train", ignored);
}

/// The folder of a split. Where there is DIR/train, it is that or, for the test split, DIR/test or else DIR/val;
/// without DIR/train it is DIR for both. `holds`: what such a folder is to hold, for the Error where there is none.
inline std::filesystem::path split_folder(const std::filesystem::path& folder, Split split, const char* holds) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  check(fs::is_directory(folder, ignored), folder.string(), ": no such folder, expected one that holds ", holds,
        "; check the data set's path");
  refuse_unlabeled(split, folder.string());
  if (!is_split(folder)) return folder;
  if (split == Split::train) return folder / "train";
  if (fs::is_directory(folder / "test", ignored)) return folder / "test";
  check(fs::is_directory(folder / "val", ignored), folder.string(),
        ": has train/ but neither test/ nor val/; add one of them");
  return folder / "val";
}

/// Where a data set of a fixed layout is: in `folder` itself, or in its subfolder of that name. `holds`: an entry of
/// it, by which it is known, and which the Error names where it is in neither.
inline std::filesystem::path published_folder(const std::filesystem::path& folder, const char* subfolder,
                                              const char* holds) {
  std::error_code ignored;
  for (const auto& root : {folder, folder / subfolder})
    if (std::filesystem::exists(root / holds, ignored)) return root;
  fail((folder / holds).string(),
       ": no such file or folder; unpack the data set as it is published, or name the folder "
       "that has it as the data set's path");
}

/// Throws Error unless there is the image that a list names; `where` is the place in the list.
inline void check_listed(const std::filesystem::path& image, const std::string& where) {
  std::error_code ignored;
  check(std::filesystem::exists(image, ignored), where, " names the image ", image.string(),
        ", which is not there; unpack all images again");
}

}}  // namespace vitral
