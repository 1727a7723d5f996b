// What tests of data sets are told, and images that they compute.
#pragma once

#include "../temporary.hpp"

#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace testing {

/// The message of the Error that `call` throws; the test fails if it throws none.
template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const vitral::Error& error) {
    return error.what();
  }
  FAIL("no vitral::Error was thrown");
  return {};
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Images whose every byte is computed: image i of `count`, 8 x 8 unless said otherwise.
struct Computed {
  long count;
  int extent = 8;
  long size() const { return count; }
  vitral::Image image(long i) const {
    vitral::Image image{extent, extent, std::vector<std::uint8_t>(static_cast<std::size_t>(extent * extent * 3))};
    for (std::size_t p = 0; p < image.rgb.size(); ++p)
      image.rgb[p] = static_cast<std::uint8_t>((p * p * 7 + p * 13 + static_cast<std::size_t>(i) * 31) % 251);
    return image;
  }
  int label(long i) const { return static_cast<int>(i % 1000); }
  std::vector<std::string> classes() const { return std::vector<std::string>(1000, "class"); }
  std::string name() const { return "computed"; }
};

}  // namespace testing
