// scikit-learn's answers (tests/fixtures/make_evaluation.py) and the features they are about.
#pragma once

#include <vitral/eval/features.hpp>
#include <vitral/io/safetensors.hpp>

namespace vitral_tests {

using namespace vitral;

inline const SafetensorsFile& evaluation_file() {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/evaluation.safetensors");
  return file;
}
inline std::vector<double> values(const std::string& name) { return evaluation_file().values<double>(name); }
inline std::vector<int> numbers(const std::string& name) {
  const auto stored = evaluation_file().values<std::int32_t>(name);
  return {stored.begin(), stored.end()};
}
inline Features features_of(const std::string& part) {
  const int width = static_cast<int>(evaluation_file().tensor(part + "_x").shape[1]);
  return {evaluation_file().values<float>(part + "_x"), width, numbers(part + "_y"), 7};
}
inline Features train_features() { return features_of("train"); }
inline Features test_features() { return features_of("test"); }

}  // namespace vitral_tests
