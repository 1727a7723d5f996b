// The Oxford-IIIT Pets (Parkhi et al. 2012) as they are published. Needs the libraries of io/decode.hpp.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/data/folders.hpp>
#include <vitral/io/decode.hpp>
#include <vitral/io/file_name.hpp>
#include <vitral/io/legible.hpp>
#include <vitral/io/read_bytes.hpp>

#include <cstddef>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Photographs of cats and dogs in 37 breeds: 3680 to learn from, 3669 to test on.
class OxfordPets {
 public:
  /// Reads annotations/trainval.txt, and for the test split annotations/test.txt, in `folder` or its subfolder
  /// oxford-iiit-pet; images are in images/ there. `least_side`: see decode_jpeg. Error where a file is missing, a line
  /// is none, an image that it names is not there, or a label is none of 1 to 37.
  explicit OxfordPets(const std::filesystem::path& folder, Split split = Split::train, int least_side = 0)
      : least_side_(least_side), classes_(class_count) {
    refuse_unlabeled(split, "Oxford-IIIT Pets");
    const auto root = published_folder(folder, "oxford-iiit-pet", "annotations");
    read_list(root, "trainval.txt");  // names the breeds for either split
    if (split == Split::train) return;
    files_.clear();
    labels_.clear();
    read_list(root, "test.txt");
  }

  [[nodiscard]] long size() const { return static_cast<long>(files_.size()); }
  [[nodiscard]] Image image(long i) const { return read_image(file(i), least_side_); }
  [[nodiscard]] int label(long i) const { return labels_[static_cast<std::size_t>(i)]; }
  /// The breeds, "Abyssinian" to "yorkshire_terrier"; one that no line names is called by its number.
  [[nodiscard]] std::vector<std::string> classes() const {
    std::vector<std::string> names = classes_;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i].empty()) names[i] = std::to_string(i + 1);
    return names;
  }
  [[nodiscard]] std::string name() const { return "pets"; }
  [[nodiscard]] const std::filesystem::path& file(long i) const { return files_[static_cast<std::size_t>(i)]; }

 private:
  static constexpr int class_count = 37;

  /// A line is "Abyssinian_100 1 1 1": the image, its breed's number, cat or dog, the number among those.
  void read_list(const std::filesystem::path& root, const char* list) {
    const std::filesystem::path path = root / "annotations" / list;
    const std::vector<std::uint8_t> bytes = read_bytes(path);
    std::istringstream lines(std::string(bytes.begin(), bytes.end()));
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
      const std::string where = join(path.string(), ": line ", number);
      std::istringstream words(line);
      std::string image, more;
      long label = 0, species = 0, breed = 0;
      if (!(words >> image) || image[0] == '#') continue;
      check(words >> label >> species >> breed && !(words >> more), where, " is \"", legible(line),
            "\", expected an image and three numbers");
      check_file_name(image, where);
      check(label >= 1 && label <= class_count, where, ": label ", label, ", expected 1 to ", class_count);
      const std::string name = image.substr(0, image.rfind('_'));
      std::string& known = classes_[static_cast<std::size_t>(label - 1)];
      check(known.empty() || known == name, where, ": label ", label, " is ", legible(name), " here, but ",
            legible(known), " before");
      known = name;
      files_.push_back(root / "images" / (image + ".jpg"));
      check_listed(files_.back(), where);
      labels_.push_back(static_cast<int>(label - 1));
    }
    check(!files_.empty(), path.string(), ": it lists no image; get annotations.tar.gz again");
  }

  int least_side_;
  std::vector<std::string> classes_;
  std::vector<std::filesystem::path> files_;
  std::vector<int> labels_;
};

}}  // namespace vitral
