// What `evaluate` has found, as files: results.json, CSV tables, and report.html, which needs no network. All are made
// of EvaluationResults, and every number of the tables and charts is one of results.json.
#pragma once

#include "common/chart.hpp"
#include "common/output.hpp"
#include "common/page.hpp"
#include "evaluate/analyses_report.hpp"
#include "evaluate/summary.hpp"

#include <vitral/eval/results_to_json.hpp>
#include <vitral/io/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

namespace evaluation {

using report::Table;

/// A row for each layer. With `brackets` the quartiles of times stand behind the median, as people read them, and
/// otherwise in columns of their own.
inline Table layers(const vitral::EvaluationResults& results, bool brackets = false) {
  Table table{{"layer"}};
  const auto head = [&](const std::string& classifier, const vitral::Accuracy& scores) {
    for (const char* name : {" top-1 %", " top-5 %"}) table[0].push_back(classifier + name);
    if (scores.mean_per_class) table[0].push_back(classifier + " mean per class %");
  };
  for (const auto& [k, scores] : results.layers[0].knn) head(join("k-NN ", k), scores);
  if (results.layers[0].logistic) head("logistic", *results.layers[0].logistic);
  if (results.layers[0].sgd) head("SGD", results.layers[0].sgd->test);
  table[0].emplace_back("million multiply-adds");
  for (const std::string name : {"ms for one image", "images/s"}) {
    table[0].push_back(name);
    if (brackets) continue;
    for (const char* more : {", lower quartile", ", upper quartile", ", runs"}) table[0].push_back(name + more);
  }
  for (const vitral::LayerEvaluation& layer : results.layers) {
    std::vector<std::string> row{std::to_string(layer.layer)};
    const auto add = [&](const vitral::Accuracy& scores) {
      for (const double share : {scores.top1, scores.top5}) row.push_back(number("%.2f", 100 * share));
      if (scores.mean_per_class) row.push_back(number("%.2f", 100 * *scores.mean_per_class));
    };
    const auto add_timing = [&](const char* format, const vitral::Timing& time) {
      if (brackets && time.runs > 0) {
        row.push_back(report::with_range(format, time.median, time.lower, time.upper));
        return;
      }
      row.push_back(number(format, time.median));
      if (brackets) return;
      for (const double quartile : {time.lower, time.upper}) row.push_back(number(format, quartile));
      row.push_back(std::to_string(time.runs));
    };
    for (const auto& [k, scores] : layer.knn) add(scores);
    if (layer.logistic) add(*layer.logistic);
    if (layer.sgd) add(layer.sgd->test);
    row.push_back(number("%.1f", layer.cost.value().multiply_adds / 1e6));
    add_timing("%.2f", layer.cost->milliseconds);
    add_timing("%.0f", layer.cost->images_per_second);
    table.push_back(row);
  }
  return table;
}

inline Table adaptive_exit(const vitral::EvaluationResults& results) {
  Table table{{"confidence", "accuracy %", "million multiply-adds", "layers"}};
  for (const vitral::AdaptiveExit& exit : results.adaptive_exit)
    table.push_back({number("%.2f", exit.confidence), number("%.2f", 100 * exit.accuracy),
                     number("%.1f", exit.multiply_adds / 1e6), number("%.2f", exit.layers)});
  return table;
}

/// A measure of all layers over their numbers.
inline report::Curve curve(const vitral::EvaluationResults& results, const Measure& measure) {
  report::Curve out{measure.title, {}, {}};
  for (const vitral::LayerEvaluation& layer : results.layers) {
    out.x.push_back(layer.layer);
    out.y.push_back(measure.of(layer));
  }
  return out;
}

/// Accuracy by logistic regression over what it costs, where all images or each by itself leave early.
inline report::Chart exit_chart(const vitral::EvaluationResults& results) {
  report::Curve fixed{"all images stop after one layer", {}, {}}, adaptive{"each stops where it is sure", {}, {}};
  for (const vitral::LayerEvaluation& layer : results.layers) {
    fixed.x.push_back(layer.cost.value().multiply_adds / 1e6);
    fixed.y.push_back(100 * layer.logistic.value().top1);
  }
  for (const vitral::AdaptiveExit& exit : results.adaptive_exit) {
    adaptive.x.push_back(exit.multiply_adds / 1e6);
    adaptive.y.push_back(100 * exit.accuracy);
  }
  return {"million multiply-adds per image", "accuracy (%)", {fixed, adaptive}, false, "%.2f"};
}

/// A chart of times, with a band between the quartiles. `batch` is said below it.
inline std::string timing_figure(const vitral::EvaluationResults& results, const std::string& title,
                                 const std::string& y_axis, const char* digits, vitral::Timing vitral::LayerCost::*of,
                                 const std::string& batch) {
  report::Curve medians{"", {}, {}};
  for (const vitral::LayerEvaluation& layer : results.layers) {
    const vitral::Timing& time = layer.cost.value().*of;
    medians.x.push_back(layer.layer);
    medians.y.push_back(time.median);
    if (time.runs == 0) continue;
    medians.low.push_back(time.lower);
    medians.high.push_back(time.upper);
  }
  const int runs = (results.layers[0].cost.value().*of).runs;  // as many as of all others, which take turns
  return report::figure(
      title, report::svg(report::Chart{"layer", y_axis, {medians}, true, digits}),
      join(runs > 0 ? join("Medians of ", runs, " runs, with a band between the quartiles,") : "Medians,",
           " of the network that ends there, with ", results.threads, " threads", batch, "."));
}

/// How the classifiers that were tried judge, as HTML.
inline std::string how_judged(const vitral::EvaluationResults& results) {
  const vitral::LayerEvaluation& tried = results.layers[0];
  std::string out;
  if (!tried.knn.empty()) out += join("k-NN votes with exp(cosine similarity / ", digits(results.temperature), "). ");
  if (tried.logistic) out += join("Logistic regression has C = ", digits(results.logistic_c), ". ");
  if (tried.sgd)
    out += join("SGD takes ", results.sgd_epochs,
                " epochs with the learning rate that was best on a tenth of the images, from which it does not learn.");
  return out;
}

/// The first sections of the report.
inline std::string accuracy_sections(const Json& about, const vitral::EvaluationResults& results) {
  using report::figure, report::grid, report::section;
  report::Chart accuracies{"layer", "accuracy (%)", {}, true, "%.2f"};
  for (const Measure& measure : measures(results)) accuracies.curves.push_back(curve(results, measure));
  std::string figures = figure("Accuracy by layer", report::svg(accuracies), how_judged(results)),
              tables = report::html(layers(results, true), "Layers", true);
  if (!results.adaptive_exit.empty()) {
    figures += figure("Early exit", report::svg(exit_chart(results)),
                      "By logistic regression: where the network ends, and where each image leaves after the first "
                      "layer that gives a class a probability of the confidence or more.");
    tables += report::html(adaptive_exit(results), "Adaptive exit");
  }
  figures +=
      timing_figure(results, "Time for one image", "ms for one image", "%.2f", &vitral::LayerCost::milliseconds, "") +
      timing_figure(results, "Images in a second", "images/s", "%.0f", &vitral::LayerCost::images_per_second,
                    join(", in batches of ", results.speed_batch));
  return section("Summary", report::tiles(summary(about, results))) +
         section("Accuracy and cost by layer", grid(figures) + grid(tables));
}

/// `about`: see write_evaluation.
inline std::string page(const std::filesystem::path& folder, const Json& about,
                        const vitral::EvaluationResults& results) {
  std::string title = "A network", origin;  // of which no run is known
  if (about.contains("run")) {
    title = about["run"]["method"].get<std::string>();
    origin = ", pretrained on " + about["run"]["dataset"].get<std::string>();
  }
  if (about.contains("branch")) origin = ", its " + about["branch"].get<std::string>() + origin;
  return report::page(
      title + " on " + results.dataset,
      join(vitral::escape_html(about["checkpoint"].get<std::string>()), vitral::escape_html(origin), ": ",
           results.train_images, " images to learn from, ", results.test_images, " to classify, ", results.classes,
           " classes. Features are the class token after each layer, unless the network says otherwise (a mean of "
           "patches, a second token), normalised to unit length and frozen."),
      accuracy_sections(about, results) + (results.analyses ? analyses_sections(folder, *results.analyses) : ""));
}

}  // namespace evaluation

/// The table of layers for a terminal: without the shares of five guesses and quartiles, which take its width.
inline std::string layer_table(const vitral::EvaluationResults& results) {
  report::Table whole = evaluation::layers(results), table(whole.size());
  for (std::size_t r = 0; r < whole.size(); ++r)
    for (std::size_t i = 0; i < whole[r].size(); ++i)
      if (whole[0][i].find("top-5") == std::string::npos && whole[0][i].find(", ") == std::string::npos)
        table[r].push_back(whole[r][i]);
  return report::text(table);
}

/// Writes the files. `about`: what results.json says of the checkpoint, the run that wrote it, and the choice of
/// images.
inline void write_evaluation(const std::filesystem::path& folder, const nlohmann::ordered_json& about,
                             const vitral::EvaluationResults& results) {
  nlohmann::ordered_json all = about;
  all.update(to_json(results));
  write_text(folder / "results.json", vitral::json_text(all, 2) + "\n");
  write_text(folder / "layers.csv", report::csv(evaluation::layers(results)));
  write_text(folder / "adaptive_exit.csv", report::csv(evaluation::adaptive_exit(results)));
  write_text(folder / "report.html", evaluation::page(folder, about, results));
}

}}}  // namespace vitral::programs
