// SciPy's and PyTorch's answers (tests/fixtures/make_segmentation.py).
#pragma once

#include <vitral/eval/video/segmentation.hpp>
#include <vitral/io/safetensors.hpp>

namespace vitral_tests {

using namespace vitral;

inline const SafetensorsFile& segmentation_file() {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/segmentation.safetensors");
  return file;
}
inline int extent(const std::string& name, std::size_t axis) {
  return static_cast<int>(segmentation_file().tensor(name).shape[axis]);
}
inline LabelMap map_of(const std::string& name) {
  return {extent(name, 0), extent(name, 1), segmentation_file().values<std::uint8_t>(name)};
}

}  // namespace vitral_tests
