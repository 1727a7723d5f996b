// The data sets that programs know by name, and what is usual for each.
#pragma once

#include <vitral/core/config.hpp>

#include <string>
#include <string_view>

namespace vitral { inline namespace VITRAL_ABI {

/// The names that open_dataset (open.hpp) knows, as command lines list choices.
inline constexpr const char* dataset_names = "fashion-mnist|mnist|cifar10|cifar100|stl10|folder|images|tar";

/// Where a data set is if nobody says otherwise ("" where that cannot be known), the side of its images in pixels, and
/// that of a vision transformer's patches.
struct DatasetDefaults {
  std::string path;
  int image, patch;
};
[[nodiscard]] inline DatasetDefaults dataset_defaults(std::string_view name) {
  if (name == "fashion-mnist") return {"/usr/share/datasets/fashion-mnist", 28, 7};
  if (name == "mnist") return {"", 28, 7};
  if (name == "cifar10") return {"data/cifar-10-batches-bin", 32, 4};
  if (name == "cifar100") return {"", 32, 4};
  if (name == "stl10") return {"", 96, 8};
  return {"", 224, 16};
}

/// Whether a data set's images for training without labels stand in a split of their own.
[[nodiscard]] inline bool has_unlabeled_split(std::string_view name) { return name == "stl10"; }

}}  // namespace vitral
