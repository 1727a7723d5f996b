// CIFAR-10 (Krizhevsky, 2009) in its standard binary layout: records of one label byte and 3 * 32 * 32 planar pixels.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/data/image.hpp>
#include <vitral/data/read_bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vitral::inline VITRAL_ABI {

/// 32 x 32 colour photographs in ten classes; 50000 to train and 10000 to test in the published files.
class Cifar10 {
 public:
  /// Reads data_batch_1.bin to data_batch_5.bin, or test_batch.bin, from `folder` or its subfolder
  /// cifar-10-batches-bin. Throws Error if a file is missing or damaged.
  explicit Cifar10(const std::filesystem::path& folder, Split split = Split::train) {
    std::vector<std::string> names{"test_batch.bin"};
    if (split == Split::train)
      names = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
    for (const std::string& name : names) append(find(folder, name));
  }

  [[nodiscard]] long size() const { return static_cast<long>(records_.size() / record); }

  [[nodiscard]] Image image(long i) const {
    const std::uint8_t* planes = records_.data() + static_cast<std::size_t>(i) * record + 1;
    Image image{extent, extent, std::vector<std::uint8_t>(3 * plane)};
    for (std::size_t p = 0; p < plane; ++p)
      for (std::size_t c = 0; c < 3; ++c) image.rgb[3 * p + c] = planes[c * plane + p];
    return image;
  }

  [[nodiscard]] int label(long i) const { return records_[static_cast<std::size_t>(i) * record]; }

  [[nodiscard]] std::vector<std::string> classes() const {
    return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  }

  [[nodiscard]] std::string name() const { return "cifar10"; }

 private:
  static constexpr int extent = 32;
  static constexpr std::size_t plane = 32 * 32;
  static constexpr std::size_t record = 1 + 3 * plane;

  static std::filesystem::path find(const std::filesystem::path& folder, const std::string& name) {
    std::error_code ignored;
    for (const auto& path : {folder / name, folder / "cifar-10-batches-bin" / name})
      if (std::filesystem::exists(path, ignored)) return path;
    fail((folder / name).string(), ": no such file, expected CIFAR-10's binary version there; run `bash "
         "examples/fetch_cifar10.sh ", folder.string(), "` or name the folder that has it with --data DIR");
  }

  void append(const std::filesystem::path& path) {
    const std::vector<std::uint8_t> bytes = read_bytes(path);
    check(!bytes.empty() && bytes.size() % record == 0, path.string(), ": truncated, ", bytes.size(),
          " bytes are not whole records of ", record, " bytes; get it again with `bash examples/fetch_cifar10.sh DIR`");
    for (std::size_t at = 0; at < bytes.size(); at += record)
      check(bytes[at] < 10, path.string(), ": label ", int{bytes[at]}, " of record ", at / record,
            ", expected 0 to 9; is this CIFAR-10's binary version?");
    records_.insert(records_.end(), bytes.begin(), bytes.end());
  }

  std::vector<std::uint8_t> records_;
};

}  // namespace vitral::inline VITRAL_ABI
