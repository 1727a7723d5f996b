// Images of noise in memory, for short training runs.
#pragma once

#include <vitral/core/philox.hpp>
#include <vitral/io/image.hpp>

#include <string>
#include <vector>

namespace vitral_tests {

struct Noise {
  long count;
  int side;

  long size() const { return count; }
  vitral::Image image(long i) const {
    vitral::Image out{side, side, std::vector<std::uint8_t>(static_cast<std::size_t>(side * side * 3))};
    const vitral::Random random{7, static_cast<std::uint64_t>(i), 0};
    for (std::size_t k = 0; k < out.rgb.size(); ++k) out.rgb[k] = static_cast<std::uint8_t>(random.below(k, 256));
    return out;
  }
  int label(long) const { return 0; }
  std::vector<std::string> classes() const { return {"noise"}; }
  std::string name() const { return "noise"; }
};

}  // namespace vitral_tests
