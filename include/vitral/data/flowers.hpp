// The Oxford 102 Flowers (Nilsback and Zisserman, 2008) as they are published. Needs the libraries of io/decode.hpp and
// matio (io/mat.hpp).
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/data/folders.hpp>
#include <vitral/io/decode.hpp>
#include <vitral/io/mat.hpp>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Photographs of flowers in 102 classes: 2040 to learn from, which are the published parts for training and for
/// validation together, as MoCo v3 and its like take them, and 6149 to test on. The files name no classes, so these are
/// called by their numbers, 1 to 102.
class Flowers102 {
 public:
  /// Reads imagelabels.mat and setid.mat in `folder`, or in its subfolder flowers-102; images are in jpg/ there.
  /// `least_side`: see decode_jpeg. Error where a file is missing, an image that the lists name is not there, or a
  /// label is none of 1 to 102.
  explicit Flowers102(const std::filesystem::path& folder, Split split = Split::train, int least_side = 0)
      : least_side_(least_side) {
    refuse_unlabeled(split, "Oxford 102 Flowers");
    const auto root = published_folder(folder, "flowers-102", "imagelabels.mat");
    const std::filesystem::path labels_file = root / "imagelabels.mat", lists = root / "setid.mat";
    const std::vector<long> labels = read_mat(labels_file, "labels");
    const auto add = [&](const char* list) {
      const std::vector<long> numbers = read_mat(lists, list);
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const long number = numbers[i];
        check(number >= 1 && number <= std::ssize(labels), lists.string(), ": ", list, " number ", i + 1, " is image ",
              number, ", but ", labels_file.string(), " has the labels of images 1 to ", labels.size());
        const long label = labels[static_cast<std::size_t>(number - 1)];
        check(label >= 1 && label <= class_count, labels_file.string(), ": label ", label, " of image ", number,
              ", expected 1 to ", class_count);
        char name[32];
        std::snprintf(name, sizeof name, "image_%05ld.jpg", number);
        files_.push_back(root / "jpg" / name);
        check_listed(files_.back(), join(lists.string(), ": ", list, " number ", i + 1));
        labels_.push_back(static_cast<int>(label - 1));
      }
    };
    for (const char* list : {"trnid", "valid"})
      if (split == Split::train) add(list);
    if (split == Split::test) add("tstid");
  }

  [[nodiscard]] long size() const { return static_cast<long>(files_.size()); }
  [[nodiscard]] Image image(long i) const { return read_image(file(i), least_side_); }
  [[nodiscard]] int label(long i) const { return labels_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::vector<std::string> classes() const {
    std::vector<std::string> names;
    for (int i = 1; i <= class_count; ++i) names.push_back(std::to_string(i));
    return names;
  }
  [[nodiscard]] std::string name() const { return "flowers102"; }
  [[nodiscard]] const std::filesystem::path& file(long i) const { return files_[static_cast<std::size_t>(i)]; }

 private:
  static constexpr int class_count = 102;

  int least_side_;
  std::vector<std::filesystem::path> files_;
  std::vector<int> labels_;
};

}}  // namespace vitral
