// What `evaluate` has found, as files: results.json, CSV tables, and report.html, which needs no network. Every number
// of the tables and charts is one of results.json.
#pragma once

#include "common/report.hpp"
#include "evaluate/analyses_report.hpp"

#include <vitral/io/json.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

namespace evaluation {

using Json = nlohmann::ordered_json;

using report::number, report::Table;

inline Table layers(const Json& results) {
  Table table{{"layer"}};
  for (const auto& item : results["layers"][0]["knn"].items()) {
    table[0].push_back("k-NN " + item.key() + " top-1 %");
    table[0].push_back("k-NN " + item.key() + " top-5 %");
  }
  for (const char* name : {"logistic top-1 %", "logistic top-5 %", "SGD top-1 %", "SGD top-5 %",
                           "million multiply-adds", "ms for one image", "images/s"})
    table[0].push_back(name);
  for (const Json& layer : results["layers"]) {
    std::vector<std::string> row{std::to_string(layer["layer"].get<int>())};
    const auto add = [&](const Json& scores) {
      for (const char* top : {"top1", "top5"}) row.push_back(number("%.2f", 100 * scores[top].get<double>()));
    };
    for (const Json& scores : layer["knn"]) add(scores);
    add(layer["logistic"]);
    add(layer["sgd"]);
    row.push_back(number("%.1f", layer["multiply_adds"].get<double>() / 1e6));
    row.push_back(number("%.2f", layer["milliseconds"]));
    row.push_back(number("%.0f", layer["images_per_second"]));
    table.push_back(row);
  }
  return table;
}

inline Table adaptive_exit(const Json& results) {
  Table table{{"confidence", "accuracy %", "million multiply-adds", "layers"}};
  for (const Json& exit : results["adaptive_exit"])
    table.push_back({number("%.2f", exit["confidence"]), number("%.2f", 100 * exit["accuracy"].get<double>()),
                     number("%.1f", exit["multiply_adds"].get<double>() / 1e6), number("%.2f", exit["layers"])});
  return table;
}

inline std::string page(const std::filesystem::path& folder, const Json& results) {
  const auto of_layers = [&](const std::string& title, auto value) {
    report::Curve curve{title, {}, {}};
    for (const Json& layer : results["layers"]) {
      curve.x.push_back(layer["layer"]);
      curve.y.push_back(100 * value(layer).template get<double>());
    }
    return curve;
  };
  const auto logistic = [](const Json& layer) { return layer["logistic"]["top1"]; };
  const auto& knn = results["layers"][0]["knn"];
  const std::string k = knn.contains("20") ? "20" : knn.items().begin().key();
  report::Curve fixed = of_layers("all images stop after one layer", logistic);
  for (std::size_t i = 0; i < fixed.x.size(); ++i)
    fixed.x[i] = results["layers"][i]["multiply_adds"].get<double>() / 1e6;
  report::Curve adaptive{"each stops where it is sure", {}, {}};
  for (const Json& exit : results["adaptive_exit"]) {
    adaptive.x.push_back(exit["multiply_adds"].get<double>() / 1e6);
    adaptive.y.push_back(100 * exit["accuracy"].get<double>());
  }
  const report::Chart accuracies{
      "layer (block)",
      "accuracy (%)",
      {of_layers("k-NN, k = " + k, [&](const Json& layer) { return layer["knn"][k]["top1"]; }),
       of_layers("logistic regression", logistic),
       of_layers("linear, SGD", [](const Json& layer) { return layer["sgd"]["top1"]; })},
      true};
  const report::Chart exits{"million multiply-adds per image", "accuracy (%)", {fixed, adaptive}};
  const auto text = [&](const char* key) {
    return vitral::escape_html(results[key].is_string() ? results[key].get<std::string>() : results[key].dump());
  };
  std::string title = "A network", origin;  // of which no run is known
  if (results.contains("run")) {
    title = results["run"]["method"].get<std::string>();
    origin = ", pretrained on " + results["run"]["dataset"].get<std::string>();
  }
  return report::page(
      title + " on " + results["dataset"].get<std::string>(),
      "<p>" + text("checkpoint") + origin + ": " + text("train_images") + " images to learn from, " +
          text("test_images") + " to classify, " + text("classes") +
          " classes. Features are the class token after each layer, normalised to unit length and frozen.</p>\n"
          "<h2>Accuracy by layer</h2>\n" +
          report::svg(folder, accuracies) + report::html(layers(results)) +
          "<p>k-NN votes with exp(cosine similarity / " + text("temperature") +
          "); logistic regression has C = " + text("logistic_c") + "; SGD takes " + text("sgd_epochs") +
          " epochs with the learning rate that was best on a tenth of the images, from which it does not learn. Times "
          "are "
          "measured on the network that ends there, with " +
          text("threads") + " threads; images/s in batches of " + text("speed_batch") + ".</p>\n<h2>Early exit</h2>\n" +
          report::svg(folder, exits) + report::html(adaptive_exit(results)) +
          (results.contains("analyses") ? analyses_section(folder, results["analyses"]) : ""));
}

}  // namespace evaluation

/// The table of layers for a terminal: without the shares of five guesses, which take its width.
inline std::string layer_table(const nlohmann::ordered_json& results) {
  const report::Table whole = evaluation::layers(results);
  report::Table table(whole.size());
  for (std::size_t r = 0; r < whole.size(); ++r)
    for (std::size_t i = 0; i < whole[r].size(); ++i)
      if (whole[0][i].find("top-5") == std::string::npos) table[r].push_back(whole[r][i]);
  return report::text(table);
}

/// Writes the files; the report is last, as it needs gnuplot.
inline void write_evaluation(const std::filesystem::path& folder, const nlohmann::ordered_json& results) {
  write_text(folder / "results.json", vitral::json_text(results, 2) + "\n");
  write_text(folder / "layers.csv", report::csv(evaluation::layers(results)));
  write_text(folder / "adaptive_exit.csv", report::csv(evaluation::adaptive_exit(results)));
  write_text(folder / "report.html", evaluation::page(folder, results));
}

}}}  // namespace vitral::programs
