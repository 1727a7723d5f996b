// What the report says first: the best layer, what it costs to end early, and what training has gained.
#pragma once

#include "common/page.hpp"
#include "common/table.hpp"

#include <vitral/eval/results.hpp>
#include <vitral/io/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::evaluation {

using Json = nlohmann::ordered_json;
using report::number;
using vitral::join;

/// A kind of accuracy that every layer has.
struct Measure {
  std::string title;
  std::function<vitral::Accuracy(const vitral::LayerEvaluation&)> accuracy;

  /// Accuracy by the benchmark of the data set, in percent.
  [[nodiscard]] double of(const vitral::LayerEvaluation& layer) const { return 100 * accuracy(layer).benchmark(); }
};

/// What the charts and the summary show of the classifiers that were tried: k-NN with 20 neighbours, or else with the
/// fewest that were asked, and the linear ones. The title says where the benchmark is the mean over classes.
inline std::vector<Measure> measures(const vitral::EvaluationResults& results) {
  using Layer = vitral::LayerEvaluation;
  const Layer& tried = results.layers[0];
  std::vector<Measure> out;
  if (!tried.knn.empty()) {
    const int k = tried.knn.contains(20) ? 20 : tried.knn.begin()->first;
    out.push_back({join("k-NN, k = ", k), [k](const Layer& layer) { return layer.knn.at(k); }});
  }
  if (tried.logistic) out.push_back({"logistic regression", [](const Layer& layer) { return layer.logistic.value(); }});
  if (tried.sgd) out.push_back({"linear, SGD", [](const Layer& layer) { return layer.sgd.value().test; }});
  for (Measure& measure : out)
    if (measure.accuracy(tried).mean_per_class) measure.title += ", mean per class";
  return out;
}

/// k-NN accuracy of every layer before and after the training, as `pretrain` wrote it to metrics.jsonl beside the
/// checkpoint; empty where it is not there. With other images and neighbours than here, perhaps, so that only the gain
/// compares.
inline Json knn_of_run(const std::filesystem::path& checkpoint, bool teacher) {
  const char* const after = teacher ? "knn_teacher" : "knn_trained";
  Json out;
  std::ifstream file(checkpoint.parent_path() / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    if (line.find("knn_untrained") == std::string::npos) continue;
    const auto row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    const auto numbers = [&](const char* key) {
      return row.contains(key) && row[key].is_array() && !row[key].empty() &&
             std::all_of(row[key].begin(), row[key].end(), [](const Json& item) { return item.is_number(); });
    };
    if (row.is_object() && numbers("knn_untrained") && numbers(after) &&
        row[after].size() == row["knn_untrained"].size())
      out = {{"untrained", row["knn_untrained"]}, {"trained", row[after]}};
  }
  return out;
}

/// The layer (from 0 on) at which the measure is best, the first of several.
inline std::size_t best_layer(const vitral::EvaluationResults& results, const Measure& measure) {
  const auto& layers = results.layers;
  return static_cast<std::size_t>(
      std::max_element(layers.begin(), layers.end(),
                       [&](const auto& a, const auto& b) { return measure.of(a) < measure.of(b); }) -
      layers.begin());
}

inline std::string percent(double value) { return number("%.2f", value) + " %"; }

/// What is lost, and what is saved, where the network ends after layer `at` (from 0 on).
inline std::string ending_at(const vitral::EvaluationResults& results, const Measure& measure, std::size_t at) {
  const vitral::LayerEvaluation &layer = results.layers[at], &last = results.layers.back();
  std::string out =
      join(number("%+.2f", measure.of(layer) - measure.of(last)), " points against the last by ", measure.title);
  if (layer.cost)
    out += join(", ", number("%.0f", 100 * layer.cost->multiply_adds / last.cost->multiply_adds),
                " % of its multiply-adds, ", number("%.2f", layer.cost->milliseconds.median),
                " ms for an image instead of ", number("%.2f", last.cost->milliseconds.median));
  return out;
}

/// `about`: see write_evaluation.
inline std::vector<report::Tile> summary(const Json& about, const vitral::EvaluationResults& results) {
  const std::vector<Measure> all = measures(results);
  const std::size_t depth = results.layers.size();
  const vitral::LayerEvaluation& last = results.layers.back();
  std::vector<report::Tile> out;
  for (const Measure& measure : all) {
    const std::size_t best = best_layer(results, measure);
    out.push_back({"Best layer by " + measure.title, percent(measure.of(results.layers[best])),
                   join("after layer ", results.layers[best].layer,
                        best + 1 < depth ? join("; after the last, ", last.layer, ": ", percent(measure.of(last)))
                                         : ", the last")});
  }
  if (about.contains("knn_of_run")) {
    const double before = 100 * about["knn_of_run"]["untrained"].back().get<double>(),
                 after = 100 * about["knn_of_run"]["trained"].back().get<double>();
    out.push_back({"Over the untrained network", number("%+.2f", after - before) + " points",
                   "k-NN of the last layer as the training measured it: " + percent(before) + " before, " +
                       percent(after) + " after"});
  }
  if (depth == 1) return out;
  // Logistic regression, by which adaptive exits are judged, too, or what else there is.
  const Measure& judge = *std::find_if(all.begin(), all.end() - 1, [](const Measure& measure) {
    return measure.title.starts_with("logistic regression");
  });
  std::size_t near = 0, half = depth;
  for (std::size_t i = 0; i < depth; ++i)
    if (2 * results.layers[i].layer <= last.layer) half = i;
  if (half < depth)
    out.push_back({"Ending after half of the layers", join("layer ", results.layers[half].layer),
                   ending_at(results, judge, half)});
  while (judge.of(results.layers[near]) < judge.of(last) - 1) ++near;
  if (near + 1 < depth)
    out.push_back({"First layer within one point of the last", join("layer ", results.layers[near].layer),
                   ending_at(results, judge, near)});
  const vitral::AdaptiveExit* cheapest = nullptr;
  const double top1 = 100 * judge.accuracy(last).top1;  // as exits are counted
  for (const vitral::AdaptiveExit& exit : results.adaptive_exit)
    if (100 * exit.accuracy >= top1 - 1 && (!cheapest || exit.multiply_adds < cheapest->multiply_adds))
      cheapest = &exit;
  if (cheapest)
    out.push_back({"Each image ending where it is sure",
                   join(number("%.0f", 100 * cheapest->multiply_adds / last.cost->multiply_adds), " % of the work"),
                   join(number("%+.2f", 100 * cheapest->accuracy - top1),
                        " points against the last layer by logistic regression at confidence ",
                        number("%.2f", cheapest->confidence), ", after ", number("%.2f", cheapest->layers),
                        " layers on average")});
  return out;
}

}}}  // namespace vitral::programs::evaluation
