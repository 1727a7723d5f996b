// What `finetune` says about the accuracy that it reached.
#pragma once

#include <vitral/eval/classifiers/accuracy.hpp>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <string>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// A count as files have it: with the mean over classes where that is the data set's benchmark.
inline nlohmann::ordered_json scores_of(const TopCount& count, bool mean_per_class) {
  nlohmann::ordered_json out{{"top1", count.top1()}, {"top5", count.top5()}};
  if (mean_per_class) out["mean_per_class"] = count.mean_per_class();
  return out;
}

/// The mean over classes in a line for a terminal; nothing where it is not there.
inline std::string mean_per_class_text(const nlohmann::ordered_json& scores) {
  char text[48] = "";
  if (scores.contains("mean_per_class"))
    std::snprintf(text, sizeof text, ", mean per class %.2f %%", 100 * scores["mean_per_class"].get<double>());
  return text;
}

}}}  // namespace vitral::programs
