// NumPy's .npy files of floats or bytes: a header that is the literal of a Python dictionary, then the numbers.
// The format is https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1.0 to 3.0.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/atomic_file.hpp>
#include <vitral/io/legible.hpp>
#include <vitral/io/read_bytes.hpp>
#include <vitral/io/scalar_type.hpp>

#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

static_assert(std::endian::native == std::endian::little, "dtype '<f4' is little-endian");

/// Numbers in C order: the last extent's lie side by side.
template <class T>
struct BasicNpyArray {
  std::vector<long> shape;
  std::vector<T> values;
};
/// An array of float32.
using NpyArray = BasicNpyArray<float>;

namespace detail {

/// What the format and NumPy call a type.
template <class T>
inline constexpr const char* npy_type = nullptr;
template <>
inline constexpr const char* npy_type<float> = "<f4";
template <>
inline constexpr const char* npy_type<std::uint8_t> = "|u1";
template <class T>
inline constexpr const char* numpy_name = std::is_same_v<T, float> ? "float32" : "uint8";

/// A shape as Python writes it: (3, 4), (5,), ().
inline std::string python_tuple(std::span<const long> shape) {
  std::string out = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + (shape.size() == 1 ? ",)" : ")");
}

/// The value of `key` in the literal of a dictionary, up to the comma or brace that ends it; "" if there is none.
inline std::string_view python_value(std::string_view dictionary, std::string_view key) {
  std::size_t at = dictionary.find(join("'", key, "':"));
  if (at == std::string_view::npos) return "";
  at += key.size() + 3;
  while (at < dictionary.size() && dictionary[at] == ' ') ++at;
  std::size_t end = at;
  for (int open = 0; end < dictionary.size(); ++end) {
    const char c = dictionary[end];
    if (open == 0 && (c == ',' || c == '}')) break;
    open += (c == '(' || c == '[') - (c == ')' || c == ']');
  }
  return dictionary.substr(at, end - at);
}

/// The integers of a tuple; false where the text is something else.
inline bool read_python_tuple(std::string_view text, std::vector<long>& out) {
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return false;
  const char *at = text.data() + 1, *const end = text.data() + text.size() - 1;
  while (at != end) {
    long extent = 0;
    const auto [rest, error] = std::from_chars(at, end, extent);
    if (error != std::errc{}) return false;
    out.push_back(extent);
    at = rest;
    if (at != end && *at++ != ',') return false;
    while (at != end && *at == ' ') ++at;
  }
  return true;
}

}  // namespace detail

/// Reads an array as numpy.save writes it. Error, with the file's name, unless its numbers are of T (float or
/// std::uint8_t) in C order.
template <class T = float>
[[nodiscard]] BasicNpyArray<T> read_npy(const std::filesystem::path& path) {
  const detail::FileHandle file = detail::open_file(path);
  std::error_code ignored;
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  check(!ignored && size >= 12, path.native(), ": not an .npy file; numpy.save(path, array) writes one");
  const std::vector<std::uint8_t> start = detail::read_from(file, path, 0, 12);
  check(std::memcmp(start.data(), "\x93NUMPY", 6) == 0, path.native(),
        ": not an .npy file; numpy.save(path, array) writes one");
  const int version = start[6];
  check(version >= 1 && version <= 3, path.native(), ": version ", version, " of the format, expected 1 to 3");
  const std::size_t begin = version == 1 ? 10 : 12;
  std::uint32_t length = 0;
  std::memcpy(&length, start.data() + 8, begin - 8);
  constexpr std::uint32_t longest = 1 << 20;
  check(length <= size - begin, path.native(), ": cut short: the header should have ", length,
        " bytes. Copy or write the file again.");
  check(length <= longest, path.native(), ": its header has ", length, " bytes, and ", longest, " are the most");
  const std::vector<std::uint8_t> text = detail::read_from(file, path, begin, length);
  const std::string_view header(reinterpret_cast<const char*>(text.data()), text.size());
  for (const std::string_view key : {"'descr':", "'fortran_order':", "'shape':"}) {
    const std::size_t at = header.find(key);
    check(at != std::string_view::npos && header.find(key, at + 1) == std::string_view::npos, path.native(),
          ": its header ", legible(header), " has not ", key, " once");
  }
  const std::string_view type = detail::python_value(header, "descr"),
                         order = detail::python_value(header, "fortran_order");
  check(type == join("'", detail::npy_type<T>, "'"), path.native(), ": dtype ", legible(type), ", expected '",
        detail::npy_type<T>, "'; in Python: numpy.save(path, array.astype(numpy.", detail::numpy_name<T>, "))");
  check(order == "False", path.native(), ": fortran_order is ", legible(order),
        ", expected False; in Python: numpy.save(path, numpy.ascontiguousarray(array))");
  BasicNpyArray<T> out;
  const std::string_view shape = detail::python_value(header, "shape");
  check(detail::read_python_tuple(shape, out.shape), path.native(),
        ": its shape is no tuple of integers: ", legible(shape));
  const auto count = element_count(out.shape, sizeof(T));
  const std::uintmax_t data = size - begin - length;
  check(count && static_cast<std::uintmax_t>(*count) * sizeof(T) == data, path.native(), ": ", detail::numpy_name<T>,
        " of shape ", legible(shape), " does not have the ", data,
        " bytes that are there. Copy or write the file again.");
  const std::vector<std::uint8_t> bytes = detail::read_from(file, path, begin + length, static_cast<std::size_t>(data));
  out.values.resize(static_cast<std::size_t>(*count));
  if (data > 0) std::memcpy(out.values.data(), bytes.data(), bytes.size());
  return out;
}

namespace detail {

template <class T>
void write_npy(const std::filesystem::path& path, std::span<const T> values, std::span<const long> shape) {
  const std::string extents = python_tuple(shape);
  const auto count = element_count({shape.begin(), shape.end()}, sizeof(T));
  check(count && static_cast<std::size_t>(*count) == values.size(), path.native(), ": ", values.size(),
        " numbers do not have the shape ", extents);
  std::string header = join("{'descr': '", npy_type<T>, "', 'fortran_order': False, 'shape': ", extents, ", }");
  header.resize((10 + header.size() + 64) / 64 * 64 - 10, ' ');  // the numbers start at a multiple of 64 bytes
  header.back() = '\n';
  check(header.size() <= 0xffff, path.native(), ": an array of ", shape.size(),
        " axes does not fit the format's header");
  std::string start("\x93NUMPY\x01\x00", 8);
  start += {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  start += header;
  write_file_atomically(path, {std::as_bytes(std::span(start)), std::as_bytes(values)});
}

}  // namespace detail

/// Writes all of a file that numpy.load reads or, after an Error, nothing.
///
///   write_npy("x.npy", x.to_vector(), std::vector<long>{x.extent(0), x.extent(1)});
inline void write_npy(const std::filesystem::path& path, std::span<const float> values, std::span<const long> shape) {
  detail::write_npy<float>(path, values, shape);
}
/// The same for bytes.
inline void write_npy(const std::filesystem::path& path, std::span<const std::uint8_t> values,
                      std::span<const long> shape) {
  detail::write_npy<std::uint8_t>(path, values, shape);
}

}}  // namespace vitral
