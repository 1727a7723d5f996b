// Reads and writes the safetensors format: u64 length of the header, a JSON header, then the tensors' bytes.
// The format is https://huggingface.co/docs/safetensors; everything in a file is checked.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/atomic_file.hpp>
#include <vitral/io/json.hpp>
#include <vitral/io/nearest.hpp>
#include <vitral/io/scalar_type.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <new>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

/// One tensor of a file: row-major elements, at no particular alignment.
struct TensorEntry {
  ScalarType type;
  std::vector<long> shape;
  std::span<const std::byte> bytes;
};

/// The texts of a file's header, by name.
using Metadata = std::map<std::string, std::string>;

/// A safetensors file in memory. Every error names the file and, where there is one, the tensor.
///
///   const SafetensorsFile file("net.safetensors");
///   const std::vector<float> weight = file.values<float>("fc1.weight");
class SafetensorsFile {
 public:
  /// Reads and checks the whole file: the header first, so that no memory is asked for that the tensors do not fill.
  explicit SafetensorsFile(const std::filesystem::path& path) : path_(path.string()) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error) broken(" cannot be read (", error.message(), ")");
    std::ifstream file(path, std::ios::binary);
    if (!file) broken(" cannot be opened (", std::strerror(errno), ")");
    const auto read = [&](void* to, std::size_t count) {
      file.read(static_cast<char*>(to), static_cast<std::streamsize>(count));
      if (static_cast<std::size_t>(file.gcount()) != count) broken(" cannot be read to its end");
    };
    constexpr std::uint64_t longest_header = 100'000'000;  // the format's own limit
    std::uint64_t length = 0;
    if (size < sizeof length) broken(" is no safetensors file, or cut short: it has ", size, " bytes");
    read(&length, sizeof length);
    if (length > longest_header) broken(" is no safetensors file: its header would be ", length, " bytes long");
    if (length > size - sizeof length)
      broken(" is cut short: the header should be ", length, " bytes long, and ", size - sizeof length,
             " are there. Copy or write the file again.");
    std::string header(static_cast<std::size_t>(length), '\0');
    read(header.data(), header.size());
    parse(header, size - sizeof length - length);
    read(storage_.data(), storage_.size());
  }
  // The entries point into the storage, which a move takes along and a copy would not.
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

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

  template <class... Parts>
  [[noreturn]] void broken(const Parts&... parts) const {
    fail(path_, parts...);
  }

  /// Where a tensor's bytes stand in the data.
  struct Place {
    std::size_t begin, end;
    const std::string* name;
  };

  /// Makes the entries, and the storage for `size` bytes of data that they point into.
  void parse(const std::string& text, std::uintmax_t size) {
    const nlohmann::ordered_json header = parse_json(text, path_ + ": the header of a safetensors file");
    if (!header.is_object()) broken(" is no safetensors file: its header is no JSON object");
    std::vector<Place> places;
    for (const auto& [name, value] : header.items())
      if (name == "__metadata__")
        parse_metadata(value);
      else
        places.push_back(parse_entry(name, value, size));
    check_layout(places, size);
    try {
      storage_.resize(static_cast<std::size_t>(size));
    } catch (const std::bad_alloc&) {
      broken(" holds ", size, " bytes of tensors, more than there is memory for");
    }
    for (const Place& place : places)
      entries_.at(*place.name).bytes = std::span(storage_).subspan(place.begin, place.end - place.begin);
  }

  void parse_metadata(const nlohmann::ordered_json& value) {
    if (!value.is_object()) broken(": its __metadata__ is no JSON object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) broken(": its metadata \"", legible(key), "\" is no string");
      metadata_[key] = text.get<std::string>();
    }
  }

  Place parse_entry(const std::string& name, const nlohmann::ordered_json& value, std::uintmax_t size) {
    const std::string shown = legible(name);
    if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets"))
      broken(": tensor ", shown, " needs dtype, shape and data_offsets in the header");
    const auto& dtype = value["dtype"];
    const auto info = std::find_if(detail::scalar_types.begin(), detail::scalar_types.end(),
                                   [&](const auto& known) { return dtype.is_string() && dtype == known.name; });
    if (info == detail::scalar_types.end()) broken(": tensor ", shown, " has the unknown dtype ", legible(dtype));

    TensorEntry entry{info->type, integers(shown, "shape", value["shape"]), {}};
    const std::vector<long> offsets = integers(shown, "data_offsets", value["data_offsets"]);
    if (offsets.size() != 2 || offsets[0] > offsets[1])
      broken(": tensor ", shown, " has the wrong data_offsets ", legible(value["data_offsets"]));
    if (static_cast<std::uintmax_t>(offsets[1]) > size)
      broken(" is cut short: tensor ", shown, " ends at byte ", offsets[1], " of the data, and ", size,
             " bytes are there. Copy or write the file again.");
    const auto count = element_count(entry.shape, info->size);
    if (!count || *count * info->size != offsets[1] - offsets[0])
      broken(": tensor ", shown, " has ", offsets[1] - offsets[0], " bytes, but ", info->name, " of shape ",
             legible(value["shape"]), " takes another number");
    names_.push_back(name);
    const auto& stored = *entries_.emplace(name, std::move(entry)).first;
    return {static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(offsets[1]), &stored.first};
  }

  std::vector<long> integers(const std::string& name, const char* key, const nlohmann::ordered_json& value) const {
    std::vector<long> out;
    bool good = value.is_array();
    if (good)
      for (const auto& number : value) {
        good = good && number.is_number_unsigned() &&
               number.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<long>::max());
        if (good) out.push_back(number.get<long>());
      }
    if (!good) broken(": tensor ", name, ": its ", key, " is no list of non-negative integers: ", legible(value));
    return out;
  }

  /// The tensors must follow one another and fill the data: no hole, no overlap, nothing after the last.
  void check_layout(std::vector<Place> places, std::uintmax_t size) const {
    std::sort(places.begin(), places.end(),
              [](const Place& a, const Place& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::size_t end = 0;
    for (const Place& place : places) {
      if (place.begin != end)
        broken(": tensor ", legible(*place.name),
               place.begin < end ? " overlaps the one before it" : " leaves a gap before it");
      end = place.end;
    }
    if (end != size) broken(" has ", size - end, " bytes after its last tensor");
  }

  std::string path_;
  std::vector<std::byte> storage_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, TensorEntry> entries_;
  Metadata metadata_;
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

/// Writes all of a file or, after an Error, nothing: the file that was there before is then unchanged.
inline void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                              const Metadata& metadata = {}) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string> seen{"__metadata__"};
  std::vector<std::span<const std::byte>> parts(2);  // the header's length and text come last
  std::size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    check(seen.insert(name).second, path.native(), ": a tensor cannot be named ", name, " (in use already)");
    const auto count = element_count(tensor.shape, scalar_type_size(tensor.type));
    check(count && static_cast<std::size_t>(*count * scalar_type_size(tensor.type)) == tensor.bytes.size(),
          path.native(), ": tensor ", name, " has ", tensor.bytes.size(),
          " bytes, but its shape and type take another number");
    header[name] = {{"dtype", scalar_type_name(tensor.type)},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
    parts.push_back(tensor.bytes);
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::ordered_json::exception&) {
    fail(path.native(), ": a tensor's name or the metadata is no UTF-8 text, as the format demands");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data is aligned for whoever maps the file
  const std::uint64_t length = text.size();
  parts[0] = std::as_bytes(std::span(&length, 1));
  parts[1] = std::as_bytes(std::span(text));
  write_file_atomically(path, parts);
}

}}  // namespace vitral
