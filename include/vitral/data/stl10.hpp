// STL-10 (Coates, Lee and Ng, 2011) in its binary layout: an image is three planes, one for each colour, and a plane is
// stored column by column.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/io/image.hpp>
#include <vitral/io/mapped_file.hpp>
#include <vitral/io/read_bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Colour photographs of 96 x 96 pixels in ten classes: 5000 to train, 8000 to test, and 100000 without labels.
class Stl10 {
 public:
  /// Opens train_X.bin and train_y.bin, test_X.bin and test_y.bin, or unlabeled_X.bin, in `folder` or its subfolder
  /// stl10_binary. The file is mapped: an image is read when it is used. Error where a file is missing or damaged.
  explicit Stl10(const std::filesystem::path& folder, Split split = Split::train)
      : path_(find(folder, name_of(split) + std::string("_X.bin"))), pixels_(path_) {
    check(pixels_.size() > 0 && pixels_.size() % record == 0, path_.string(), ": truncated, ", pixels_.size(),
          " bytes are not whole images of ", record, " bytes; get it again");
    if (split == Split::unlabeled) return;
    const std::filesystem::path path = find(folder, name_of(split) + std::string("_y.bin"));
    labels_ = read_bytes(path);
    check(static_cast<long>(labels_.size()) == size(), path.string(), ": ", labels_.size(), " labels for the ", size(),
          " images of ", path_.string());
    for (std::size_t i = 0; i < labels_.size(); ++i)
      check(labels_[i] >= 1 && labels_[i] <= 10, path.string(), ": label ", int{labels_[i]}, " of image ", i,
            ", expected 1 to 10");
  }

  [[nodiscard]] long size() const { return static_cast<long>(pixels_.size() / record); }

  [[nodiscard]] Image image(long i) const {
    const std::uint8_t* planes = pixels_.data() + static_cast<std::size_t>(i) * record;
    Image image{extent, extent, std::vector<std::uint8_t>(record)};
    std::uint8_t* out = image.rgb.data();
    for (std::size_t y = 0; y < extent; ++y)
      for (std::size_t x = 0; x < extent; ++x)
        for (std::size_t c = 0; c < 3; ++c) *out++ = planes[(c * extent + x) * extent + y];
    return image;
  }

  [[nodiscard]] int label(long i) const { return labels_.empty() ? -1 : labels_[static_cast<std::size_t>(i)] - 1; }
  [[nodiscard]] std::vector<std::string> classes() const {
    if (labels_.empty()) return {};
    return {"airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"};
  }
  [[nodiscard]] std::string name() const { return "stl10"; }

 private:
  static constexpr int extent = 96;
  static constexpr std::size_t record = 3 * 96 * 96;

  static std::filesystem::path find(const std::filesystem::path& folder, const std::string& name) {
    std::error_code ignored;
    for (const auto& path : {folder / name, folder / "stl10_binary" / name})
      if (std::filesystem::exists(path, ignored)) return path;
    fail((folder / name).string(),
         ": no such file, expected STL-10's binary version there; get stl10_binary.tar.gz "
         "from the STL-10 page and unpack it, or name the folder that has it as the data set's path");
  }

  std::filesystem::path path_;
  MappedFile pixels_;
  std::vector<std::uint8_t> labels_;
};

}}  // namespace vitral
