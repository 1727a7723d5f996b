// CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) in their binary layout: a record for each image, of label bytes and
// 3 x 32 x 32 bytes of pixels, one plane for each colour.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/io/image.hpp>
#include <vitral/io/read_bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The records of either. Each begins with `labels` label bytes, of which the last is the class.
class CifarRecords {
 public:
  [[nodiscard]] long size() const { return static_cast<long>(records_.size() / record()); }
  [[nodiscard]] int label(long i) const { return records_[static_cast<std::size_t>(i) * record() + labels_ - 1]; }
  [[nodiscard]] Image image(long i) const {
    return image_from_planes(records_.data() + static_cast<std::size_t>(i) * record() + labels_, extent, extent);
  }

 protected:
  CifarRecords(int labels, int classes, std::string advice)
      : labels_(static_cast<std::size_t>(labels)), classes_(classes), advice_(std::move(advice)) {}

  /// Reads folder/name or folder/subfolder/name.
  void append(const std::filesystem::path& folder, const std::string& subfolder, const std::string& name) {
    const std::filesystem::path path = find(folder, subfolder, name);
    const std::vector<std::uint8_t> bytes = read_bytes(path);
    check(!bytes.empty() && bytes.size() % record() == 0, path.string(), ": truncated, ", bytes.size(),
          " bytes are not whole records of ", record(), " bytes; ", advice_);
    for (std::size_t at = 0; at < bytes.size(); at += record())
      check(bytes[at + labels_ - 1] < classes_, path.string(), ": label ", int{bytes[at + labels_ - 1]}, " of record ",
            at / record(), ", expected 0 to ", classes_ - 1, "; is this the binary version of CIFAR-", classes_, "?");
    records_.insert(records_.end(), bytes.begin(), bytes.end());
  }

 private:
  static constexpr int extent = 32;
  [[nodiscard]] std::size_t record() const { return labels_ + 3 * extent * extent; }

  [[nodiscard]] std::filesystem::path find(const std::filesystem::path& folder, const std::string& subfolder,
                                           const std::string& name) const {
    std::error_code ignored;
    for (const auto& path : {folder / name, folder / subfolder / name})
      if (std::filesystem::exists(path, ignored)) return path;
    fail((folder / name).string(), ": no such file, expected the binary version of CIFAR-", classes_, " there; ",
         advice_, ", or name the folder that has it as the data set's path");
  }

  std::size_t labels_;
  int classes_;
  std::string advice_;
  std::vector<std::uint8_t> records_;
};

}  // namespace detail

/// Colour photographs of 32 x 32 pixels in ten classes: 50000 to train, 10000 to test.
struct Cifar10 : detail::CifarRecords {
  /// Reads data_batch_1.bin to data_batch_5.bin, or for the test split test_batch.bin, from `folder` or its subfolder
  /// cifar-10-batches-bin. Error where a file is missing or damaged.
  explicit Cifar10(const std::filesystem::path& folder, Split split = Split::train)
      : CifarRecords(1, 10, "run `bash examples/fetch_cifar10.sh " + folder.string() + "`") {
    refuse_unlabeled(split, "CIFAR-10");
    std::vector<std::string> names{"test_batch.bin"};
    if (split == Split::train)
      names = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
    for (const std::string& name : names) append(folder, "cifar-10-batches-bin", name);
  }

  [[nodiscard]] std::vector<std::string> classes() const {
    return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  }
  [[nodiscard]] std::string name() const { return "cifar10"; }
};

/// Colour photographs of 32 x 32 pixels in a hundred classes, which are the fine labels: 50000 to train, 10000 to test.
struct Cifar100 : detail::CifarRecords {
  /// Reads train.bin or test.bin from `folder` or its subfolder cifar-100-binary. Error where it is missing or damaged.
  explicit Cifar100(const std::filesystem::path& folder, Split split = Split::train)
      : CifarRecords(2, 100, "get cifar-100-binary.tar.gz from the CIFAR-100 page and unpack it") {
    refuse_unlabeled(split, "CIFAR-100");
    append(folder, "cifar-100-binary", split == Split::train ? "train.bin" : "test.bin");
  }

  [[nodiscard]] std::vector<std::string> classes() const {
    return {"apple",      "aquarium_fish", "baby",         "bear",       "beaver",      "bed",         "bee",
            "beetle",     "bicycle",       "bottle",       "bowl",       "boy",         "bridge",      "bus",
            "butterfly",  "camel",         "can",          "castle",     "caterpillar", "cattle",      "chair",
            "chimpanzee", "clock",         "cloud",        "cockroach",  "couch",       "crab",        "crocodile",
            "cup",        "dinosaur",      "dolphin",      "elephant",   "flatfish",    "forest",      "fox",
            "girl",       "hamster",       "house",        "kangaroo",   "keyboard",    "lamp",        "lawn_mower",
            "leopard",    "lion",          "lizard",       "lobster",    "man",         "maple_tree",  "motorcycle",
            "mountain",   "mouse",         "mushroom",     "oak_tree",   "orange",      "orchid",      "otter",
            "palm_tree",  "pear",          "pickup_truck", "pine_tree",  "plain",       "plate",       "poppy",
            "porcupine",  "possum",        "rabbit",       "raccoon",    "ray",         "road",        "rocket",
            "rose",       "sea",           "seal",         "shark",      "shrew",       "skunk",       "skyscraper",
            "snail",      "snake",         "spider",       "squirrel",   "streetcar",   "sunflower",   "sweet_pepper",
            "table",      "tank",          "telephone",    "television", "tiger",       "tractor",     "train",
            "trout",      "tulip",         "turtle",       "wardrobe",   "whale",       "willow_tree", "wolf",
            "woman",      "worm"};
  }
  [[nodiscard]] std::string name() const { return "cifar100"; }
};

}}  // namespace vitral
