// Any data set by its name, for programs that choose at run time. Needs the libraries of all readers.
#pragma once

#include <vitral/data/cifar.hpp>
#include <vitral/data/idx.hpp>
#include <vitral/data/image_folder.hpp>
#include <vitral/data/names.hpp>
#include <vitral/data/stl10.hpp>
#include <vitral/data/tar.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Opens the data set `name` at `path`: see the class of each for what it expects there, decode_jpeg for `least_side`,
/// and TarImages for `ending`.
[[nodiscard]] inline Dataset open_dataset(const std::string& name, const std::filesystem::path& path, Split split,
                                          int least_side = 0, const std::string& ending = "") {
  check(ending.empty() || name == "tar", "--tar-image ", ending, " is about --dataset tar, not ", name,
        "; leave it out");
  if (name == "fashion-mnist") return FashionMnist(path, split);
  if (name == "mnist") return Mnist(path, split);
  if (name == "cifar10") return Cifar10(path, split);
  if (name == "cifar100") return Cifar100(path, split);
  if (name == "stl10") return Stl10(path, split);
  if (name == "folder") return ImageFolder(path, split, least_side);
  if (name == "images") return UnlabeledFolder(path, split, least_side);
  if (name == "tar") return TarImages(path, split, least_side, ending);
  fail("there is no data set \"", name, "\"; use one of ", dataset_names);
}

/// Whether open_dataset finds images to test on apart from those to learn from, rather than the same ones.
[[nodiscard]] inline bool has_test_split(const std::string& name, const std::filesystem::path& path) {
  return (name != "folder" && name != "images" && name != "tar") || is_split(path);
}

}}  // namespace vitral
