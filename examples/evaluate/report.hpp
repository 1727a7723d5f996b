// What `evaluate` has found, as files: results.json, CSV tables, and report.html, which needs no network. All are made
// of EvaluationResults, and every number of the tables and charts is one of results.json.
#pragma once

#include "common/report.hpp"
#include "evaluate/analyses_report.hpp"

#include <vitral/eval/results_to_json.hpp>
#include <vitral/io/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

namespace evaluation {

using report::number, report::Table;

inline Table layers(const vitral::EvaluationResults& results) {
  Table table{{"layer"}};
  const auto head = [&](const std::string& classifier, const vitral::Accuracy& scores) {
    for (const char* name : {" top-1 %", " top-5 %"}) table[0].push_back(classifier + name);
    if (scores.mean_per_class) table[0].push_back(classifier + " mean per class %");
  };
  for (const auto& [k, scores] : results.layers[0].knn) head(join("k-NN ", k), scores);
  if (results.layers[0].logistic) head("logistic", *results.layers[0].logistic);
  if (results.layers[0].sgd) head("SGD", results.layers[0].sgd->test);
  for (const char* name : {"million multiply-adds", "ms for one image", "images/s"}) table[0].emplace_back(name);
  for (const vitral::LayerEvaluation& layer : results.layers) {
    std::vector<std::string> row{std::to_string(layer.layer)};
    const auto add = [&](const vitral::Accuracy& scores) {
      for (const double share : {scores.top1, scores.top5}) row.push_back(number("%.2f", 100 * share));
      if (scores.mean_per_class) row.push_back(number("%.2f", 100 * *scores.mean_per_class));
    };
    for (const auto& [k, scores] : layer.knn) add(scores);
    if (layer.logistic) add(*layer.logistic);
    if (layer.sgd) add(layer.sgd->test);
    row.push_back(number("%.1f", layer.cost.value().multiply_adds / 1e6));
    row.push_back(number("%.2f", layer.cost.value().milliseconds));
    row.push_back(number("%.0f", layer.cost.value().images_per_second));
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

/// `about`: see write_evaluation.
inline std::string page(const std::filesystem::path& folder, const Json& about,
                        const vitral::EvaluationResults& results) {
  const auto of_layers = [&](const std::string& title, auto top1) {
    report::Curve curve{title, {}, {}};
    for (const vitral::LayerEvaluation& layer : results.layers) {
      curve.x.push_back(layer.layer);
      curve.y.push_back(100 * top1(layer));
    }
    return curve;
  };
  const auto logistic = [](const vitral::LayerEvaluation& layer) { return layer.logistic.value().top1; };
  report::Chart accuracies{"layer (block)", "accuracy (%)", {}, true};
  std::string methods, exits;
  if (const auto& knn = results.layers[0].knn; !knn.empty()) {
    const int k = knn.contains(20) ? 20 : knn.begin()->first;
    accuracies.curves.push_back(
        of_layers(join("k-NN, k = ", k), [&](const vitral::LayerEvaluation& layer) { return layer.knn.at(k).top1; }));
    methods += join("k-NN votes with exp(cosine similarity / ", digits(results.temperature), "). ");
  }
  if (results.layers[0].logistic) {
    accuracies.curves.push_back(of_layers("logistic regression", logistic));
    methods += join("Logistic regression has C = ", digits(results.logistic_c), ". ");
    report::Curve fixed = of_layers("all images stop after one layer", logistic);
    for (std::size_t i = 0; i < fixed.x.size(); ++i) fixed.x[i] = results.layers[i].cost.value().multiply_adds / 1e6;
    report::Curve adaptive{"each stops where it is sure", {}, {}};
    for (const vitral::AdaptiveExit& exit : results.adaptive_exit) {
      adaptive.x.push_back(exit.multiply_adds / 1e6);
      adaptive.y.push_back(100 * exit.accuracy);
    }
    exits = join("<h2>Early exit</h2>\n",
                 report::svg(folder, {"million multiply-adds per image", "accuracy (%)", {fixed, adaptive}}),
                 report::html(adaptive_exit(results)));
  }
  if (results.layers[0].sgd) {
    accuracies.curves.push_back(
        of_layers("linear, SGD", [](const vitral::LayerEvaluation& layer) { return layer.sgd.value().test.top1; }));
    methods += join("SGD takes ", results.sgd_epochs,
                    " epochs with the learning rate that was best on a tenth of the images, from which it does not "
                    "learn. ");
  }
  std::string title = "A network", origin;  // of which no run is known
  if (about.contains("run")) {
    title = about["run"]["method"].get<std::string>();
    origin = ", pretrained on " + about["run"]["dataset"].get<std::string>();
  }
  return report::page(
      title + " on " + results.dataset,
      join("<p>", vitral::escape_html(about["checkpoint"].get<std::string>()), origin, ": ", results.train_images,
           " images to learn from, ", results.test_images, " to classify, ", results.classes,
           " classes. Features are the class token after each layer, normalised to unit length and frozen.</p>\n"
           "<h2>Accuracy by layer</h2>\n",
           report::svg(folder, accuracies), report::html(layers(results)), "<p>", methods,
           "Times are measured on the network that ends there, with ", results.threads,
           " threads; images/s in batches of ", results.speed_batch, ".</p>\n", exits,
           results.analyses ? analyses_section(folder, *results.analyses) : ""));
}

}  // namespace evaluation

/// The table of layers for a terminal: without the shares of five guesses, which take its width.
inline std::string layer_table(const vitral::EvaluationResults& results) {
  const report::Table whole = evaluation::layers(results);
  report::Table table(whole.size());
  for (std::size_t r = 0; r < whole.size(); ++r)
    for (std::size_t i = 0; i < whole[r].size(); ++i)
      if (whole[0][i].find("top-5") == std::string::npos) table[r].push_back(whole[r][i]);
  return report::text(table);
}

/// Writes the files; the report is last, as it needs gnuplot. `about`: what results.json says of the checkpoint, the
/// run that wrote it, and the choice of images.
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
