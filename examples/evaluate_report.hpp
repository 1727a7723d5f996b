// What `evaluate` has found, as files: results.json, CSV tables, and report.html, which needs no network. Every number of
// the tables and charts is one of results.json.
#pragma once

#include <vitral/io/atomic_file.hpp>
#include <vitral/io/plots.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace evaluation {

using Json = nlohmann::ordered_json;

inline std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// A table as rows of text, the first its header.
using Table = std::vector<std::vector<std::string>>;

inline Table layers(const Json& results) {
  Table table{{"layer"}};
  for (const auto& item : results["layers"][0]["knn"].items()) {
    table[0].push_back("k-NN " + item.key() + " top-1 %");
    table[0].push_back("k-NN " + item.key() + " top-5 %");
  }
  for (const char* name : {"logistic top-1 %", "logistic top-5 %", "SGD top-1 %", "SGD top-5 %", "million multiply-adds",
                           "ms for one image", "images/s"})
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

inline std::string csv(const Table& table) {
  std::string out;
  for (const auto& row : table)
    for (std::size_t i = 0; i < row.size(); ++i) out += row[i] + (i + 1 < row.size() ? "," : "\n");
  return out;
}

inline std::string html(const Table& table) {
  std::string out = "<table>\n";
  for (std::size_t r = 0; r < table.size(); ++r) {
    out += "<tr>";
    for (const std::string& cell : table[r]) out += (r == 0 ? "<th>" : "<td>") + cell;
    out += "\n";
  }
  return out + "</table>\n";
}

struct Curve {
  std::string title;
  std::vector<double> x, y;
};
/// Accuracies, drawn by gnuplot: an SVG element. `x_axis`: gnuplot's commands for it.
inline std::string chart(const std::filesystem::path& folder, const std::string& x_axis,
                         const std::vector<Curve>& curves) {
  static const char* const colours[] = {"#0072b2", "#d55e00", "#009e73"};  // told apart by colour-blind eyes, too
  std::string data, plots;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const std::string name = "curve" + std::to_string(i);
    data += vitral::detail::gnuplot_data(name, curves[i].x, curves[i].y);
    plots += (i ? ", $" : "plot $") + name + " with linespoints pt " + std::to_string(5 + 2 * i) +
             " ps 0.6 lw 2.5 lc rgb '" + colours[i % 3] + "' title " + vitral::detail::gnuplot_string(curves[i].title);
  }
  const auto file = folder / "chart.svg";
  vitral::detail::draw_with_gnuplot(
      file, "svg size 640,420 dynamic font 'sans-serif,14' background '#ffffff'",
      data + x_axis + "\nset ylabel 'accuracy (%)'\n" + vitral::detail::gnuplot_style +
          "set key above horizontal\n" + plots + "\n");
  std::stringstream svg;
  svg << std::ifstream(file).rdbuf();
  std::filesystem::remove(file);
  const std::string text = svg.str();
  return text.substr(text.find("<svg"));
}

inline std::string report(const std::filesystem::path& folder, const Json& results) {
  const auto of_layers = [&](const std::string& title, auto value) {
    Curve curve{title, {}, {}};
    for (const Json& layer : results["layers"]) {
      curve.x.push_back(layer["layer"]);
      curve.y.push_back(100 * value(layer).template get<double>());
    }
    return curve;
  };
  std::vector<Curve> accuracy;
  const std::string k = results["layers"][0]["knn"].contains("20") ? "20" : results["layers"][0]["knn"].items().begin().key();
  accuracy.push_back(of_layers("k-NN, k = " + k, [&](const Json& layer) { return layer["knn"][k]["top1"]; }));
  accuracy.push_back(of_layers("logistic regression", [](const Json& layer) { return layer["logistic"]["top1"]; }));
  accuracy.push_back(of_layers("linear, SGD", [](const Json& layer) { return layer["sgd"]["top1"]; }));
  Curve fixed = of_layers("all images stop after one layer", [](const Json& layer) { return layer["logistic"]["top1"]; });
  for (std::size_t i = 0; i < fixed.x.size(); ++i)
    fixed.x[i] = results["layers"][i]["multiply_adds"].get<double>() / 1e6;
  Curve adaptive{"each stops where it is sure", {}, {}};
  for (const Json& exit : results["adaptive_exit"]) {
    adaptive.x.push_back(exit["multiply_adds"].get<double>() / 1e6);
    adaptive.y.push_back(100 * exit["accuracy"].get<double>());
  }
  const auto text = [&](const char* key) { return results[key].is_string() ? results[key].get<std::string>() : results[key].dump(); };
  return "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Every layer</title>\n<style>\n"
         ":root { color-scheme: light dark; font-family: sans-serif; }\nbody { max-width: 70em; margin: 2em auto; padding: 0 1em; }\n"
         "table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
         "th, td { padding: 0.2em 0.6em; text-align: right; border-bottom: 1px solid #8884; }\n"
         "svg { max-width: 34em; border-radius: 6px; }\n</style>\n<h1>" +
         results["run"]["method"].get<std::string>() + " on " + text("dataset") + "</h1>\n<p>" + text("checkpoint") + ": " +
         text("train_images") + " images to learn from, " + text("test_images") + " to classify, " + text("classes") +
         " classes. Features are the class token after each layer, normalised to unit length and frozen.</p>\n<h2>Accuracy "
         "by layer</h2>\n" + chart(folder, "set xlabel 'layer (block)'\nset xtics 1", accuracy) + html(layers(results)) +
         "<p>k-NN votes with exp(cosine similarity / " + text("temperature") + "); logistic regression has C = " +
         text("logistic_c") + "; SGD takes " + text("sgd_epochs") +
         " epochs with the learning rate that was best on a tenth of the images, from which it does not learn. Times are "
         "measured on the network that ends there, with " + text("threads") +
         " threads; images/s in batches of " + text("speed_batch") + ".</p>\n<h2>Early exit</h2>\n" +
         chart(folder, "set xlabel 'million multiply-adds per image'", {fixed, adaptive}) + html(adaptive_exit(results)) + "</html>\n";
}

inline void write(const std::filesystem::path& path, const std::string& text) {
  vitral::write_file_atomically(path, {std::as_bytes(std::span(text))});
}

}  // namespace evaluation

/// The table of layers for a terminal: without the shares of five guesses, which take its width.
inline std::string layer_table(const nlohmann::ordered_json& results) {
  std::string out;
  const evaluation::Table table = evaluation::layers(results);
  for (const auto& row : table) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (table[0][i].find("top-5") != std::string::npos) continue;
      const std::size_t width = table[0][i].size();
      out += std::string(2 + width - std::min(width, row[i].size()), ' ') + row[i];
    }
    out += '\n';
  }
  return out;
}

/// Writes the files; the report is last, as it needs gnuplot.
inline void write_evaluation(const std::filesystem::path& folder, const nlohmann::ordered_json& results) {
  std::error_code made;
  std::filesystem::create_directories(folder, made);
  vitral::check(!made, "--out ", folder.native(), ": cannot make the directory (", made.message(), ")");
  evaluation::write(folder / "results.json", results.dump(2) + "\n");
  evaluation::write(folder / "layers.csv", evaluation::csv(evaluation::layers(results)));
  evaluation::write(folder / "adaptive_exit.csv", evaluation::csv(evaluation::adaptive_exit(results)));
  evaluation::write(folder / "report.html", evaluation::report(folder, results));
}
