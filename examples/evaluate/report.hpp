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
  for (const auto& [k, scores] : results.layers[0].knn) {
    table[0].push_back(join("k-NN ", k, " top-1 %"));
    table[0].push_back(join("k-NN ", k, " top-5 %"));
  }
  for (const char* name :
       {"logistic top-1 %", "logistic top-5 %", "SGD top-1 %", "SGD top-5 %", "million multiply-adds"})
    table[0].push_back(name);
  for (const std::string name : {"ms for one image", "images/s"}) {
    table[0].push_back(name);
    if (brackets) continue;
    for (const char* more : {", lower quartile", ", upper quartile", ", runs"}) table[0].push_back(name + more);
  }
  for (const vitral::LayerEvaluation& layer : results.layers) {
    std::vector<std::string> row{std::to_string(table.size())};
    const auto add = [&](const vitral::Accuracy& scores) {
      for (const double share : {scores.top1, scores.top5}) row.push_back(number("%.2f", 100 * share));
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
    add(layer.logistic);
    add(layer.sgd.test);
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

/// A measure of all layers, over `x` of each: its number, or what it costs.
template <class X>
report::Curve curve(const vitral::EvaluationResults& results, const std::string& title, const Measure& measure, X x) {
  report::Curve out{title, {}, {}};
  for (const vitral::LayerEvaluation& layer : results.layers) {
    out.x.push_back(x(layer, out.x.size() + 1));
    out.y.push_back(measure.of(layer));
  }
  return out;
}

/// Times of layers, with a band between the quartiles.
inline report::Chart timing_chart(const vitral::EvaluationResults& results, const std::string& y_axis,
                                  vitral::Timing vitral::LayerCost::*of, const char* digits) {
  report::Curve out{"", {}, {}};
  for (const vitral::LayerEvaluation& layer : results.layers) {
    const vitral::Timing& time = layer.cost.value().*of;
    out.x.push_back(static_cast<double>(out.x.size() + 1));
    out.y.push_back(time.median);
    if (time.runs == 0) continue;
    out.low.push_back(time.lower);
    out.high.push_back(time.upper);
  }
  return {"layer", y_axis, {out}, true, digits};
}

/// The first sections of the report.
inline std::string accuracy_sections(const Json& about, const vitral::EvaluationResults& results) {
  using report::figure, report::grid, report::section;
  using Layer = vitral::LayerEvaluation;
  const std::vector<Measure> all = measures(results);
  report::Chart accuracies{"layer", "accuracy (%)", {}, true, "%.2f"};
  for (const Measure& measure : all)
    accuracies.curves.push_back(
        curve(results, measure.title, measure, [](const Layer&, std::size_t at) { return static_cast<double>(at); }));
  report::Curve adaptive{"each stops where it is sure", {}, {}};
  for (const vitral::AdaptiveExit& exit : results.adaptive_exit) {
    adaptive.x.push_back(exit.multiply_adds / 1e6);
    adaptive.y.push_back(100 * exit.accuracy);
  }
  const report::Chart exits{
      "million multiply-adds per image",
      "accuracy (%)",
      {curve(results, "all images stop after one layer", all[1],
             [](const Layer& layer, std::size_t) { return layer.cost.value().multiply_adds / 1e6; }),
       adaptive},
      false,
      "%.2f"};
  const int runs = results.layers[0].cost.value().milliseconds.runs;
  const std::string times =
      join(runs > 0 ? join("Medians of ", runs, " runs or more, between their quartiles, ") : "Medians, ",
           "of the network that ends there, with ", results.threads, " threads.");
  return section("Summary", report::tiles(summary(about, results))) +
         section(
             "Accuracy and cost by layer",
             grid(figure("Accuracy by layer", report::svg(accuracies),
                         join("k-NN votes with exp(cosine similarity / ", digits(results.temperature),
                              "); logistic regression has C = ", digits(results.logistic_c), "; SGD takes ",
                              results.sgd_epochs,
                              " epochs with the learning rate that was best on a tenth of the images, from which it "
                              "does not learn.")) +
                  figure("Early exit", report::svg(exits),
                         "By logistic regression: where the network ends, and where each image leaves after the first "
                         "layer that gives a class a probability of the confidence or more.") +
                  figure(
                      "Time for one image",
                      report::svg(timing_chart(results, "ms for one image", &vitral::LayerCost::milliseconds, "%.2f")),
                      times) +
                  figure("Images in a second",
                         report::svg(timing_chart(results, "images/s", &vitral::LayerCost::images_per_second, "%.0f")),
                         join(times, " In batches of ", results.speed_batch, "."))) +
                 grid(report::html(layers(results, true), "Layers", true) +
                      report::html(adaptive_exit(results), "Adaptive exit")));
}

/// `about`: see write_evaluation.
inline std::string page(const std::filesystem::path& folder, const Json& about,
                        const vitral::EvaluationResults& results) {
  std::string title = "A network", origin;  // of which no run is known
  if (about.contains("run")) {
    title = about["run"]["method"].get<std::string>();
    origin = ", pretrained on " + about["run"]["dataset"].get<std::string>();
  }
  return report::page(
      title + " on " + results.dataset,
      join(vitral::escape_html(about["checkpoint"].get<std::string>()), vitral::escape_html(origin), ": ",
           results.train_images, " images to learn from, ", results.test_images, " to classify, ", results.classes,
           " classes. Features are the class token after each layer, normalised to unit length and frozen."),
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
