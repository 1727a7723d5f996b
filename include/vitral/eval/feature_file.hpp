// Where the features of all layers lie if memory is not to hold them: in a temporary file, layer by layer.
#pragma once

#include <vitral/eval/feature_rows.hpp>
#include <vitral/io/scratch_file.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Where features lie: in memory, or where a folder is named in a temporary file there, so that they need no more
/// memory than a layer at a time.
struct FeatureStorage {
  std::filesystem::path folder{};
  ScalarType type = ScalarType::f32;  ///< of the numbers in the file: f32, f16 or bf16
};

namespace detail {

/// The file of the features of so many layers (of all views), `count` images each.
class FeatureWriter {
 public:
  FeatureWriter(const FeatureStorage& storage, long layers, long count, int width)
      : type_(storage.type),
        row_(width * scalar_type_size(type_)),
        layer_(count * row_),
        file_(storage.folder, layers * layer_) {
    check(type_ == ScalarType::f32 || type_ == ScalarType::f16 || type_ == ScalarType::bf16,
          "features: FeatureStorage::type is ", scalar_type_name(type_), "; expected F32, F16 or BF16");
  }

  /// Writes `rows` as those from row `first` on of layer number `layer`, from 0 on.
  void write(long layer, long first, std::span<const float> rows) {
    const auto put = [&](const auto& numbers) {
      file_.write(layer * layer_ + first * row_, std::as_bytes(std::span(numbers)));
    };
    if (type_ == ScalarType::f32) return put(rows);
    if (type_ == ScalarType::bf16) return put(std::vector<bf16>(rows.begin(), rows.end()));
    std::vector<std::uint16_t> halves(rows.size());
    std::transform(rows.begin(), rows.end(), halves.begin(), f16_from_float);
    put(halves);
  }

  /// The rows of the layers, of so many images each.
  [[nodiscard]] std::vector<StoredRows> stored(long layers, int images) const {
    const std::shared_ptr<const std::byte> all = file_.map();
    std::vector<StoredRows> out;
    for (long i = 0; i < layers; ++i) out.push_back({{all, all.get() + i * layer_}, type_, images});
    return out;
  }

 private:
  ScalarType type_;
  long row_, layer_;  // bytes
  ScratchFile file_;
};

}  // namespace detail

}}  // namespace vitral
