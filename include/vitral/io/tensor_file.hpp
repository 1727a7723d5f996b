// Named tensors in memory, as they were read from a file or will be written to one: what has to do with tensors, and
// nothing of the format, so that a source file that only fills networks is quick to compile (safetensors.hpp has both).
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/nearest.hpp>
#include <vitral/io/scalar_type.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// One tensor of a file: row-major elements, at no particular alignment.
struct TensorEntry {
  ScalarType type;
  std::vector<long> shape;
  std::span<const std::byte> bytes;
};

/// The texts of a file's header, by name.
using Metadata = std::map<std::string, std::string>;

/// The tensors of a file. Every error names the file and, where there is one, the tensor.
class TensorFile {
 public:
  // The entries point into the storage, which a move takes along and a copy would not.
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

  /// Tensor names in the file's order.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  [[nodiscard]] const Metadata& metadata() const { return metadata_; }

  /// One metadata value; Error if there is none of this name.
  [[nodiscard]] const std::string& metadata(const std::string& key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) broken(": its metadata has no \"", key, "\"");
    return found->second;
  }

  [[nodiscard]] bool contains(const std::string& name) const { return entries_.contains(name); }

  /// Error if the file has no tensor of this name; the message proposes the nearest names.
  [[nodiscard]] const TensorEntry& tensor(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      std::string nearest;
      for (const std::string& candidate : nearest_names(name, names_))
        nearest += (nearest.empty() ? "; the nearest names are " : ", ") + legible(candidate);
      broken(" has no tensor ", name, nearest.empty() ? "; it has none at all" : nearest);
    }
    return found->second;
  }

  /// The elements as T: a floating T takes F64, F32, BF16 and F16, an integral one the same integer type.
  template <class T>
    requires std::is_arithmetic_v<T>
  [[nodiscard]] std::vector<T> values(const std::string& name) const {
    const TensorEntry& entry = tensor(name);
    const auto same = [](auto number) { return number; };
    if constexpr (std::floating_point<T>) {
      if (entry.type == ScalarType::f64) return convert<T, double>(entry, same);
      if (entry.type == ScalarType::f32) return convert<T, float>(entry, same);
      if (entry.type == ScalarType::bf16) return convert<T, bf16>(entry, same);
      if (entry.type == ScalarType::f16) return convert<T, std::uint16_t>(entry, detail::float_from_f16);
    } else {
      if (is_integer<T>(entry.type)) return convert<T, T>(entry, same);
    }
    broken(": tensor ", name, " has elements of type ", scalar_type_name(entry.type),
           ", which cannot be read as the type asked for");
  }

 protected:
  explicit TensorFile(std::string path) : path_(std::move(path)) {}
  TensorFile(TensorFile&&) = default;
  TensorFile& operator=(TensorFile&&) = default;

  template <class... Parts>
  [[noreturn]] void broken(const Parts&... parts) const {
    fail(path_, parts...);
  }

  std::string path_;
  std::vector<std::byte> storage_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, TensorEntry> entries_;
  Metadata metadata_;

 private:
  template <class T>
  static bool is_integer(ScalarType type) {
    const std::string_view name = scalar_type_name(type);
    return type != ScalarType::boolean && name[0] == (std::signed_integral<T> ? 'I' : 'U') &&
           scalar_type_size(type) == static_cast<long>(sizeof(T));
  }

  template <class T, class Stored, class Convert>
  static std::vector<T> convert(const TensorEntry& entry, Convert to_number) {
    std::vector<T> out(entry.bytes.size() / sizeof(Stored));
    for (std::size_t i = 0; i < out.size(); ++i) {
      Stored stored;
      std::memcpy(&stored, entry.bytes.data() + i * sizeof stored, sizeof stored);
      out[i] = static_cast<T>(to_number(stored));
    }
    return out;
  }
};

/// A tensor to write. The bytes stay the caller's until write_safetensors has returned.
struct NamedTensor {
  std::string name;
  TensorEntry tensor;
};

/// A tensor to write from numbers: `named_tensor("weight", {2, 3}, std::span(numbers))`.
template <class T, std::size_t Extent>
  requires StoredScalar<std::remove_const_t<T>>
[[nodiscard]] NamedTensor named_tensor(std::string name, std::vector<long> shape, std::span<T, Extent> numbers) {
  return {std::move(name), {scalar_type_of<std::remove_const_t<T>>(), std::move(shape), std::as_bytes(numbers)}};
}

}}  // namespace vitral
