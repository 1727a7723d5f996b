// Whether two data sets hold the same images, told without reading them all.
#pragma once

#include <vitral/data/dataset.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

namespace fingerprint_detail {

/// The hash FNV-1a of what is added.
struct Fnv {
  std::uint64_t value = 0xcbf29ce484222325;

  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) value = (value ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3;
  }
  void add(std::uint64_t number) { add(std::as_bytes(std::span(&number, 1))); }
};

/// Bytes of the file, or of the archive that holds it.
inline std::uint64_t bytes_of_file(std::filesystem::path path) {
  std::error_code error;
  while (!std::filesystem::is_regular_file(path, error) && path.has_relative_path()) path = path.parent_path();
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

}  // namespace fingerprint_detail

/// A number of the images' order and names below `folder`, and of the sizes of some thousand files spread over all;
/// where images have no files, of their labels and of some images themselves. As 16 hexadecimal digits.
[[nodiscard]] inline std::string fingerprint(const Dataset& data, const std::filesystem::path& folder) {
  fingerprint_detail::Fnv hash;
  const long size = data.size();
  const bool files = size > 0 && !data.file(0).empty();
  const long step = std::max(1l, size / (files ? 4096 : 64));
  for (long i = 0; i < size; ++i) {
    std::string name = data.file(i).native();
    if (name.starts_with(folder.native())) name.erase(0, name.find_first_not_of('/', folder.native().size()));
    hash.add(std::as_bytes(std::span(name.c_str(), name.size() + 1)));
    if (!files) hash.add(static_cast<std::uint64_t>(data.label(i)));
    if (i % step != 0) continue;
    if (files) {
      hash.add(fingerprint_detail::bytes_of_file(data.file(i)));
    } else {
      const Image image = data.image(i);
      hash.add(std::as_bytes(std::span(image.rgb)));
    }
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash.value));
  return text;
}

}}}  // namespace vitral::programs
