// A folder of class folders with PNG and JPEG pictures, decoded when they are asked for. Needs libpng and libjpeg.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/data/decode.hpp>
#include <vitral/data/image.hpp>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace vitral::inline VITRAL_ABI {

/// DIR/<class>/**/<picture>: the classes are the folders' names, sorted; pictures are sorted by path. Where DIR/train
/// exists it holds the training split, and DIR/test or else DIR/val the other; without it the whole of DIR is both.
class ImageFolder {
 public:
  /// Lists the pictures; throws Error if there are no classes, no pictures, or a test class that train lacks.
  explicit ImageFolder(const std::filesystem::path& folder, Split split = Split::train)
      : name_(folder.filename().empty() ? folder.parent_path().filename().string() : folder.filename().string()) {
    namespace fs = std::filesystem;
    check(fs::is_directory(folder), folder.string(),
          ": no such folder, expected one that holds a folder of PNG or JPEG files for each class; check --data DIR");
    const bool has_train = fs::is_directory(folder / "train");
    const fs::path train = has_train ? folder / "train" : folder;
    fs::path root = train;
    if (has_train && split == Split::test) {
      root = fs::is_directory(folder / "test") ? folder / "test" : folder / "val";
      check(fs::is_directory(root), folder.string(), ": has train/ but neither test/ nor val/; add one of them");
    }
    classes_ = folders(train);
    check(!classes_.empty(), train.string(), ": has no class folders; expected one folder of pictures for each class");
    for (const std::string& name : folders(root)) {
      const auto found = std::find(classes_.begin(), classes_.end(), name);
      check(found != classes_.end(), (root / name).string(), ": there is no class of this name in ", train.string());
      add(root / name, static_cast<int>(found - classes_.begin()));
    }
    check(!files_.empty(), root.string(), ": no file ends in .png, .jpg or .jpeg in any of the class folders");
  }

  [[nodiscard]] long size() const { return static_cast<long>(files_.size()); }
  [[nodiscard]] Image image(long i) const { return read_image(files_[static_cast<std::size_t>(i)]); }
  [[nodiscard]] int label(long i) const { return labels_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::vector<std::string> classes() const { return classes_; }
  [[nodiscard]] std::string name() const { return name_; }

  /// The file that picture i comes from.
  [[nodiscard]] const std::filesystem::path& file(long i) const { return files_[static_cast<std::size_t>(i)]; }

 private:
  static bool hidden(const std::filesystem::path& path) { return path.filename().string().starts_with('.'); }

  static std::vector<std::string> folders(const std::filesystem::path& root) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(root))
      if (entry.is_directory() && !hidden(entry.path())) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  static bool is_picture(const std::filesystem::path& path) {
    std::string ending = path.extension().string();
    for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return (ending == ".png" || ending == ".jpg" || ending == ".jpeg") && !hidden(path);
  }

  void add(const std::filesystem::path& folder, int label) {
    const auto first = static_cast<std::ptrdiff_t>(files_.size());
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.is_regular_file() && is_picture(entry.path())) files_.push_back(entry.path());
    std::sort(files_.begin() + first, files_.end());
    labels_.resize(files_.size(), label);
  }

  std::string name_;
  std::vector<std::string> classes_;
  std::vector<std::filesystem::path> files_;
  std::vector<int> labels_;
};

}  // namespace vitral::inline VITRAL_ABI
