// The data sets that are known by name: a line of one table each, which programs, help texts and messages read.
// Relies on the libraries of all readers: zlib, those of io/decode.hpp, and matio where it is there (io/mat.hpp).
#pragma once

#include <vitral/data/cifar.hpp>
#include <vitral/data/flowers.hpp>
#include <vitral/data/idx.hpp>
#include <vitral/data/image_folder.hpp>
#include <vitral/data/pets.hpp>
#include <vitral/data/stl10.hpp>
#include <vitral/data/tar.hpp>
#include <vitral/io/nearest.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// What to open: a split of the images at `path`. `least_side`: see decode_jpeg; `ending`: see TarImages.
struct DatasetPlace {
  std::filesystem::path path;
  Split split = Split::train;
  int least_side = 0;
  std::string ending{};
};

/// A line of the table.
struct KnownDataset {
  std::string_view name;
  Dataset (*open)(const DatasetPlace&);
  int image, patch;              ///< usual sides of an image and of a vision transformer's patches, in pixels
  std::string_view path = "";    ///< where it is unless somebody says otherwise; "": nobody can know
  bool fits_device = false;      ///< small images of one size: a device can hold them all (see CudaLoader)
  bool unlabeled_split = false;  ///< images for training without labels stand in a split of their own
  bool split_folders = false;    ///< train and test images are apart only where `path` has a folder train/
  bool takes_ending = false;     ///< its samples may have several images, told apart by DatasetPlace::ending
  bool mean_per_class = false;   ///< its benchmark is the mean accuracy over the classes
};

/// Opens a D by its constructor (path, split), or (path, split, least_side), or (path, split, least_side, ending).
template <class D>
[[nodiscard]] Dataset open_as(const DatasetPlace& at) {
  if constexpr (requires { D(at.path, at.split, at.least_side, at.ending); })
    return D(at.path, at.split, at.least_side, at.ending);
  else if constexpr (requires { D(at.path, at.split, at.least_side); })
    return D(at.path, at.split, at.least_side);
  else
    return D(at.path, at.split);
}

// clang-format off
/// The table. A data set of your own is a header with a class as in cifar.hpp, and a line here.
inline constexpr KnownDataset known_datasets[] = {
    {.name = "fashion-mnist", .open = open_as<FashionMnist>, .image = 28, .patch = 7,
     .path = FashionMnist::usual_path, .fits_device = true},
    {.name = "mnist", .open = open_as<Mnist>, .image = 28, .patch = 7, .fits_device = true},
    {.name = "cifar10", .open = open_as<Cifar10>, .image = 32, .patch = 4,
     .path = "data/cifar-10-batches-bin", .fits_device = true},
    {.name = "cifar100", .open = open_as<Cifar100>, .image = 32, .patch = 4, .fits_device = true},
    {.name = "stl10", .open = open_as<Stl10>, .image = 96, .patch = 8, .unlabeled_split = true},
    {.name = "flowers102", .open = open_as<Flowers102>, .image = 224, .patch = 16, .mean_per_class = true},
    {.name = "pets", .open = open_as<OxfordPets>, .image = 224, .patch = 16, .mean_per_class = true},
    {.name = "folder", .open = open_as<ImageFolder>, .image = 224, .patch = 16, .split_folders = true},
    {.name = "images", .open = open_as<UnlabeledFolder>, .image = 224, .patch = 16, .split_folders = true},
    {.name = "tar", .open = open_as<TarImages>, .image = 224, .patch = 16, .split_folders = true, .takes_ending = true},
};
// clang-format on

/// The names in the table, in its order.
[[nodiscard]] inline std::vector<std::string> dataset_names() { return names_in(known_datasets); }

/// The line of that name; Error, which lists the names, where there is none.
[[nodiscard]] inline const KnownDataset& known_dataset(std::string_view name) {
  return line_of(known_datasets, "data set", name);
}

/// Opens the data set `name`, for programs that choose one at run time: open_dataset("cifar10", "data", Split::test).
/// What `path` holds is told by the class of each. Error where there is no such data set, or nothing to read.
[[nodiscard]] inline Dataset open_dataset(std::string_view name, const std::filesystem::path& path, Split split,
                                          int least_side = 0, const std::string& ending = "") {
  const KnownDataset& known = known_dataset(name);
  check(ending.empty() || known.takes_ending, known.name, ": TarImages' ending \"", ending,
        "\" means nothing here; leave it out");
  return known.open({path, split, least_side, ending});
}

/// Whether open_dataset finds images to test on apart from those to learn from, rather than the same ones.
[[nodiscard]] inline bool has_test_split(std::string_view name, const std::filesystem::path& path) {
  return !known_dataset(name).split_folders || is_split(path);
}

}}  // namespace vitral
