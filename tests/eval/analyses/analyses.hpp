// The answers of NumPy, SciPy and scikit-learn (tests/fixtures/make_analyses.py) and the features they are about.
#pragma once

#include <vitral/eval/features.hpp>
#include <vitral/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <limits>

namespace vitral_tests::analyses {

using namespace vitral;

inline const SafetensorsFile& file() {
  static const SafetensorsFile stored(VITRAL_TESTS_DIR "/fixtures/analyses.safetensors");
  return stored;
}
inline std::vector<double> values(const std::string& name) { return file().values<double>(name); }
inline double value(const std::string& name) { return values(name).at(0); }
inline Features features(const std::string& name) {
  return {file().values<float>(name), static_cast<int>(file().tensor(name).shape[1]), {}, 0};
}

/// Features that are all the same, whose mean is no float.
inline Features constant(int images, int width) {
  return {std::vector<float>(static_cast<std::size_t>(images * width), 0.1f), width, {}, 0};
}
/// The features of x, one of which is no number.
inline Features broken() {
  Features out = features("x");
  out.rows[static_cast<std::size_t>(3 * out.width + 5)] = std::numeric_limits<float>::quiet_NaN();
  return out;
}

}  // namespace vitral_tests::analyses
