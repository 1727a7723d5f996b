// MNIST and the data sets that share its files: LeCun's IDX format, compressed by gzip or plain. Needs zlib.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/io/image.hpp>

#include <zlib.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// What an IDX file of unsigned bytes holds: an array of these extents.
struct IdxContent {
  std::vector<long> extents;
  std::vector<std::uint8_t> bytes;
};

/// Reads `count` bytes, or what is left of the file, and returns how many. Error where compressed data is damaged.
inline std::size_t read_gzip(gzFile file, const std::string& name, std::uint8_t* out, std::size_t count) {
  std::size_t done = 0;
  while (done < count) {
    const std::size_t left = count - done;
    const unsigned piece = left < (1u << 20) ? static_cast<unsigned>(left) : 1u << 20;
    const int got = gzread(file, out + done, piece);
    int code = Z_OK;
    if (got <= 0) gzerror(file, &code);
    check(got >= 0 && code != Z_BUF_ERROR, name, ": truncated or damaged gzip data; install or copy the file again");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

/// Reads an IDX file of unsigned bytes with `dimensions` extents. zlib notices whether it is compressed.
inline IdxContent read_idx(const std::filesystem::path& path, int dimensions) {
  const std::string name = path.string();
  struct Close {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };
  const std::unique_ptr<gzFile_s, Close> file(gzopen(name.c_str(), "rb"));
  check(file != nullptr, name, ": cannot open the file");

  std::array<std::uint8_t, 4 + 4 * 4> header{};
  const std::size_t length = 4 + 4 * static_cast<std::size_t>(dimensions);
  const std::size_t got = read_gzip(file.get(), name, header.data(), length);
  check(got == length, name, ": truncated, the header has ", got, " bytes, expected ", length);
  check(header[0] == 0 && header[1] == 0, name, ": not an IDX file, it does not begin with two zero bytes");
  check(header[2] == 8, name, ": IDX element type ", int{header[2]}, ", expected 8 (unsigned bytes)");
  check(header[3] == dimensions, name, ": ", int{header[3]}, " dimensions, expected ", dimensions);

  IdxContent idx;
  long total = 1;
  for (std::size_t d = 0; d < static_cast<std::size_t>(dimensions); ++d) {
    const std::uint8_t* at = header.data() + 4 + 4 * d;
    const long extent = long{at[0]} << 24 | long{at[1]} << 16 | long{at[2]} << 8 | long{at[3]};
    check(extent > 0 && extent <= 100'000'000 / total, name, ": the header's extent ", d, " is ", extent,
          ", which no data set of this kind has");
    idx.extents.push_back(extent);
    total *= extent;
  }
  idx.bytes.resize(static_cast<std::size_t>(total));
  const std::size_t content = read_gzip(file.get(), name, idx.bytes.data(), idx.bytes.size());
  check(content == idx.bytes.size(), name, ": truncated, ", content, " bytes of data, the header promises ", total,
        "; install or copy the file again");
  std::uint8_t extra = 0;  // reading the end also makes zlib compare its checksum
  check(read_gzip(file.get(), name, &extra, 1) == 0, name, ": more data than the ", total,
        " bytes that the header promises");
  return idx;
}

}  // namespace detail

/// Gray images and their labels in a pair of IDX files.
class Idx {
 public:
  /// Reads images [N, height, width] and labels [N], each of them less than the number of `classes`. Error where a file
  /// is missing or damaged, or the two do not fit each other.
  Idx(const std::filesystem::path& images, const std::filesystem::path& labels, std::vector<std::string> classes,
      std::string name)
      : classes_(std::move(classes)), name_(std::move(name)) {
    detail::IdxContent pixels = detail::read_idx(images, 3);
    detail::IdxContent targets = detail::read_idx(labels, 1);
    check(pixels.extents[0] == targets.extents[0], labels.string(), ": ", targets.extents[0], " labels for the ",
          pixels.extents[0], " images of ", images.string());
    for (std::size_t i = 0; i < targets.bytes.size(); ++i)
      check(targets.bytes[i] < classes_.size(), labels.string(), ": label ", int{targets.bytes[i]}, " of image ", i,
            ", expected 0 to ", classes_.size() - 1);
    height_ = static_cast<int>(pixels.extents[1]);
    width_ = static_cast<int>(pixels.extents[2]);
    pixels_ = std::move(pixels.bytes);
    labels_ = std::move(targets.bytes);
  }

  [[nodiscard]] long size() const { return static_cast<long>(labels_.size()); }

  [[nodiscard]] Image image(long i) const {
    const std::size_t count = static_cast<std::size_t>(height_) * static_cast<std::size_t>(width_);
    const std::uint8_t* from = pixels_.data() + static_cast<std::size_t>(i) * count;
    Image image{height_, width_, std::vector<std::uint8_t>(count * 3)};
    for (std::size_t p = 0; p < count; ++p) image.rgb[3 * p] = image.rgb[3 * p + 1] = image.rgb[3 * p + 2] = from[p];
    return image;
  }

  [[nodiscard]] int label(long i) const { return labels_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::vector<std::string> classes() const { return classes_; }
  [[nodiscard]] std::string name() const { return name_; }

 private:
  std::vector<std::string> classes_;
  std::string name_;
  int height_ = 0, width_ = 0;
  std::vector<std::uint8_t> pixels_, labels_;
};

namespace detail {

/// The file of a split as MNIST names it, with or without .gz: of `part` "images-idx3-ubyte" that is
/// "train-images-idx3-ubyte" or "t10k-images-idx3-ubyte". `advice`: where to get it, for the Error where there is none.
inline std::filesystem::path mnist_file(const std::filesystem::path& folder, Split split, const char* part,
                                        const std::string& name, const std::string& advice) {
  refuse_unlabeled(split, name);
  const std::string file = (split == Split::train ? "train-" : "t10k-") + std::string(part);
  std::error_code ignored;
  for (const char* suffix : {"", ".gz"})
    if (auto path = folder / (file + suffix); std::filesystem::exists(path, ignored)) return path;
  fail((folder / file).string(), "[.gz]: no such file, expected ", name, " there; ", advice,
       ", or name the folder that has it as the data set's path");
}

inline Idx mnist_like(const std::filesystem::path& folder, Split split, std::vector<std::string> classes,
                      const std::string& name, const std::string& advice) {
  const auto images = mnist_file(folder, split, "images-idx3-ubyte", name, advice);
  Idx data(images, mnist_file(folder, split, "labels-idx1-ubyte", name, advice), std::move(classes), name);
  const Image first = data.image(0);
  check(first.height == 28 && first.width == 28, images.string(), ": images of ", first.height, " x ", first.width,
        " pixels, expected 28 x 28");
  return data;
}

}  // namespace detail

/// Gray images of clothes, 28 x 28 pixels, in ten classes (Xiao, Rasul and Vollgraf, 2017): 60000 to train, 10000 to
/// test. Debian's package dataset-fashion-mnist installs the files.
struct FashionMnist : Idx {
  static constexpr const char* usual_path = "/usr/share/datasets/fashion-mnist";

  /// Reads train-images-idx3-ubyte[.gz] and so on from `folder`. Error where a file is missing or damaged.
  explicit FashionMnist(const std::filesystem::path& folder = usual_path, Split split = Split::train)
      : Idx(detail::mnist_like(
            folder, split,
            {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
            "fashion-mnist", join("run `apt-get install dataset-fashion-mnist` (it fills ", usual_path, ")"))) {}
};

/// Gray images of 28 x 28 pixels in ten classes, in files of MNIST's names: handwritten digits (LeCun et al., 1998), or
/// what else is published in such files, such as Kuzushiji-MNIST.
struct Mnist : Idx {
  explicit Mnist(const std::filesystem::path& folder, Split split = Split::train)
      : Idx(detail::mnist_like(folder, split, {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, "mnist",
                               "get the four IDX files from the MNIST page")) {}
};

}}  // namespace vitral
