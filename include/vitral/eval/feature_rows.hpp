// What a layer of a network makes of images: a row of numbers for each, in memory or in a file that is mapped into it.
#pragma once

#include <vitral/core/bf16.hpp>
#include <vitral/core/error.hpp>
#include <vitral/io/scalar_type.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Rows that lie in a file, which is mapped into memory.
struct StoredRows {
  std::shared_ptr<const std::byte> numbers{};  ///< [images, width]; null where there is no file
  ScalarType type = ScalarType::f32;           ///< or f16 or bf16
  int images = 0;
};

/// What a layer makes of images, one row for each, in memory or in a file.
struct Features {
  std::vector<float> rows;  ///< [images, width]; from extract_features each row has unit length
  int width = 0;
  std::vector<int> labels;     ///< of the images, 0 to classes - 1
  int classes = 0;             ///< 0 where images have no labels
  std::vector<long> places{};  ///< the images' numbers in their data set
  StoredRows stored{};         ///< the rows, where they are not in memory

  [[nodiscard]] int images() const {
    if (stored.numbers) return stored.images;
    return width > 0 ? static_cast<int>(rows.size() / static_cast<std::size_t>(width)) : 0;
  }
};

/// Writes `count` rows from row `first` on to `out` [count, width], from memory or from a file.
inline void copy_rows(const Features& features, long first, long count, float* out) {
  const long begin = first * features.width, size = count * features.width;
  const auto convert = [&](const auto* numbers, auto to_float) {
    for (long i = 0; i < size; ++i) out[i] = to_float(numbers[begin + i]);
  };
  const void* const numbers = features.stored.numbers.get();
  if (!numbers)
    std::copy_n(features.rows.data() + begin, size, out);
  else if (features.stored.type == ScalarType::f16)
    convert(static_cast<const std::uint16_t*>(numbers), detail::float_from_f16);
  else if (features.stored.type == ScalarType::bf16)
    convert(static_cast<const bf16*>(numbers), [](bf16 x) { return static_cast<float>(x); });
  else
    std::copy_n(static_cast<const float*>(numbers) + begin, size, out);
}

/// All rows as floats [images, width]: where they are, or where a file has others than floats in `copy`.
[[nodiscard]] inline std::span<const float> all_rows(const Features& features, std::vector<float>& copy) {
  if (!features.stored.numbers) return features.rows;
  const auto size = static_cast<std::size_t>(features.images()) * static_cast<std::size_t>(features.width);
  const void* const numbers = features.stored.numbers.get();
  if (features.stored.type == ScalarType::f32) return {static_cast<const float*>(numbers), size};
  copy.resize(size);
  copy_rows(features, 0, features.images(), copy.data());
  return copy;
}

/// The features of the images in `chosen` rows, in that order, in memory.
[[nodiscard]] inline Features select_rows(const Features& features, const std::vector<long>& chosen) {
  Features out{{}, features.width, {}, features.classes, {}};
  out.rows.resize(chosen.size() * static_cast<std::size_t>(features.width));
  float* to = out.rows.data();
  for (const long i : chosen) {
    check(i >= 0 && i < features.images(), "features: row ", i, " of ", features.images(), " was asked for");
    copy_rows(features, i, 1, to);
    to += features.width;
    if (!features.labels.empty()) out.labels.push_back(features.labels[static_cast<std::size_t>(i)]);
    if (!features.places.empty()) out.places.push_back(features.places[static_cast<std::size_t>(i)]);
  }
  return out;
}

/// Throws Error, beginning with `whose`, where a number of `rows` [images, width] is infinite or no number. The message
/// names the image: the first row's is number `first`; `what` is the word for it.
inline void check_finite(std::span<const float> rows, int width, std::string_view whose, long first = 0,
                         std::string_view what = "image") {
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!std::isfinite(rows[i]))
      fail(whose, ": number ", i % static_cast<std::size_t>(width), " of the features of ", what, " ",
           first + static_cast<long>(i) / width, " is ", rows[i], "; has the training diverged?");
}

/// Throws Error, beginning with `whose`, where there are no rows, the last row is not whole, or a number is not finite.
/// Rows in a file were checked when they were written.
inline void check_rows(const Features& features, std::string_view whose) {
  check(features.images() > 0, whose, ": there are no features");
  if (features.stored.numbers) return;
  check(features.rows.size() % static_cast<std::size_t>(features.width) == 0, whose, ": ", features.rows.size(),
        " numbers are no rows of width ", features.width);
  check_finite(features.rows, features.width, whose);
}

/// The same, and where the rows are not in memory.
inline void check_features(const Features& features, std::string_view whose) {
  check(!features.stored.numbers, whose, ": the features lie in a file; select_rows brings them into memory");
  check_rows(features, whose);
}

namespace detail {

/// Throws Error where a row has no label, or one that is no class.
inline void check_labels(const Features& features) {
  check_rows(features, "a linear probe");
  check(static_cast<int>(features.labels.size()) == features.images(), "a linear probe needs a label for each of the ",
        features.images(), " images, not ", features.labels.size());
  for (const int label : features.labels)
    check(label >= 0 && label < features.classes, "label ", label, " is not one of 0 to ", features.classes - 1);
}

}  // namespace detail

}}  // namespace vitral
