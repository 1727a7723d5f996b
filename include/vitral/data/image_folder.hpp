// Folders of PNG, JPEG and WebP files, which are decoded when they are asked for. Needs the libraries of io/decode.hpp.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/data/folders.hpp>
#include <vitral/io/decode.hpp>
#include <vitral/io/image.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Adds the files below a folder whose names end as an image's, following links. `walked` holds the real path of each
/// folder that was entered: one that is met twice is an Error.
inline void add_images(const std::filesystem::path& folder, std::set<std::filesystem::path>& walked,
                       std::vector<std::filesystem::path>& files) {
  for (const auto& entry : visible_entries(folder)) {
    std::error_code error;
    if (!entry.is_directory(error)) {  // or a link to nothing, which is an error when it is to be read
      if (has_image_ending(entry.path())) files.push_back(entry.path());
      continue;
    }
    const std::filesystem::path real = std::filesystem::canonical(entry.path(), error);
    check(!error, entry.path().string(), ": cannot be followed (", error.message(), "); remove it");
    check(walked.insert(real).second, entry.path().string(), ": a link leads here to ", real.string(),
          ", whose images would be taken twice, or again and again; remove it");
    add_images(entry.path(), walked, files);
  }
}

/// The image files at any depth below a folder, sorted by path. Hidden files and folders are left out.
inline std::vector<std::filesystem::path> images_below(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::vector<std::filesystem::path> files;
  std::set<std::filesystem::path> walked{std::filesystem::canonical(folder, ignored)};
  add_images(folder, walked, files);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace detail

/// A folder for each class, DIR/cat/anything/below/1.jpg: classes are the folders' names, sorted, and images are sorted
/// by path. Where there is DIR/train, that is the training split, and DIR/test or else DIR/val the test split; without
/// it both splits are the whole of DIR.
class ImageFolder {
 public:
  /// Lists the images. Large JPEG files may be decoded at a smaller scale that leaves the shorter side `least_side`
  /// pixels; 0: always whole (see decode_jpeg). Error where there are no classes, a class to learn has no image, or a
  /// class to test is none to learn.
  explicit ImageFolder(const std::filesystem::path& folder, Split split = Split::train, int least_side = 0)
      : name_(folder_name(folder)), least_side_(least_side) {
    const char* const holds = "a folder of PNG, JPEG or WebP files for each class";
    const auto train = split_folder(folder, Split::train, holds);
    const auto root = split_folder(folder, split, holds);
    classes_ = folders(train);
    check(!classes_.empty(), train.string(),
          ": has no class folders; expected one folder of images for each class, "
          "or use the data set `images`, which needs no labels");
    std::string empty;  // a class without images
    for (const std::string& name : folders(root)) {
      const auto found = std::find(classes_.begin(), classes_.end(), name);
      check(found != classes_.end(), (root / name).string(), ": there is no class of this name in ", train.string());
      const auto images = detail::images_below(root / name);
      empty = images.empty() ? name : empty;
      files_.insert(files_.end(), images.begin(), images.end());
      labels_.resize(files_.size(), static_cast<int>(found - classes_.begin()));
    }
    check(!files_.empty(), root.string(), ": no file ends in ", image_endings, " in any of the class folders");
    check(root != train || empty.empty(), (root / empty).string(),
          ": a class to learn, but no file in it or below ends in ", image_endings, "; add some, or remove the folder");
  }

  [[nodiscard]] long size() const { return static_cast<long>(files_.size()); }
  [[nodiscard]] Image image(long i) const { return read_image(file(i), least_side_); }
  [[nodiscard]] int label(long i) const { return labels_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::vector<std::string> classes() const { return classes_; }
  [[nodiscard]] std::string name() const { return name_; }

  /// The file that image i comes from.
  [[nodiscard]] const std::filesystem::path& file(long i) const { return files_[static_cast<std::size_t>(i)]; }

 private:
  static std::vector<std::string> folders(const std::filesystem::path& root) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : visible_entries(root))
      if (entry.is_directory(ignored)) names.push_back(entry.path().filename().string());
    return names;
  }

  std::string name_;
  int least_side_;
  std::vector<std::string> classes_;
  std::vector<std::filesystem::path> files_;
  std::vector<int> labels_;
};

/// All images at any depth below a folder, without labels, sorted by path. Splits and `least_side` are as in
/// ImageFolder.
class UnlabeledFolder {
 public:
  explicit UnlabeledFolder(const std::filesystem::path& folder, Split split = Split::train, int least_side = 0)
      : name_(folder_name(folder)),
        least_side_(least_side),
        files_(detail::images_below(split_folder(folder, split, "PNG, JPEG or WebP files"))) {
    check(!files_.empty(), folder.string(), ": no file in it or below ends in ", image_endings);
  }

  [[nodiscard]] long size() const { return static_cast<long>(files_.size()); }
  [[nodiscard]] Image image(long i) const { return read_image(file(i), least_side_); }
  [[nodiscard]] int label(long) const { return -1; }
  [[nodiscard]] std::vector<std::string> classes() const { return {}; }
  [[nodiscard]] std::string name() const { return name_; }

  /// The file that image i comes from.
  [[nodiscard]] const std::filesystem::path& file(long i) const { return files_[static_cast<std::size_t>(i)]; }

 private:
  std::string name_;
  int least_side_;
  std::vector<std::filesystem::path> files_;
};

}}  // namespace vitral
