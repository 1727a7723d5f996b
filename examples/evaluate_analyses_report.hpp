// The analyses' part of the report: charts of results.json's "analyses", and the pictures as parts of the page.
#pragma once

#include "report.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace evaluation {

using Json = nlohmann::ordered_json;

/// Bytes as text (RFC 4648), as data URIs hold them.
inline std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t j = 0; j < 3; ++j)
      word = word << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += i + j > bytes.size() ? '=' : digits[word >> (18 - 6 * j) & 63];
  }
  return out;
}

/// A PNG file as part of a page.
inline std::string picture(const std::filesystem::path& file, const std::string& what) {
  return "<img alt=\"" + what + "\" src=\"data:image/png;base64," + base64(report::read(file)) + "\">\n";
}

/// What gnuplot draws by `commands`, as a file and as part of a page.
inline std::string drawn(const std::filesystem::path& file, int width, int height, const std::string& commands) {
  report::draw(file, width, height, commands);
  return report::svg(file);
}

/// A table of similarities between 0 and 1: row and column numbers are layers.
inline std::string heat_map(const std::filesystem::path& file, const Json& table, const std::string& rows,
                            const std::string& columns) {
  const std::size_t down = table.size(), across = table[0].size();
  std::string data = "$cka << EOD\n";
  for (const Json& row : table)
    for (std::size_t j = 0; j < across; ++j) data += report::number("%.4f", row[j]) + (j + 1 < across ? " " : "\n");
  data += "EOD\n";
  // Numbers stand in the cells, white on dark ones, where there is room.
  std::string numbers;
  if (std::max(down, across) <= 12)
    for (const char* side : {"<", ">="})
      numbers += vitral::join(", $cka matrix using ($1+1):($2+1):(sprintf('%.2f', $3", side,
                              "0.6 ? $3 : NaN)) with labels font ',11' tc rgb '", side[0] == '<' ? "#ffffff" : "#000000", "'");
  return drawn(file, 560, 480,
      data + vitral::join("set xlabel ", vitral::detail::gnuplot_string(columns), "\nset ylabel ",
                          vitral::detail::gnuplot_string(rows), "\nset cblabel 'linear CKA'\nset cbrange [0:1]\n",
                          "set palette defined (0 '#00224e', 0.25 '#404c6b', 0.5 '#7c7b78', 0.75 '#bcae6c', 1 '#fee838')\n",
                          "set size ratio -1\nset tics out nomirror\nset xtics 1\nset ytics 1\nset xrange [0.5:", across,
                          ".5]\nset yrange [0.5:", down, ".5]\nunset key\nplot $cka matrix using ($1+1):($2+1):3 with image pixels",
                          numbers, "\n"));
}

/// Points in the plane, coloured by class. Twenty classes have a colour and a marker of their own, named to the right; of
/// more the first nine, and the others are gray.
inline std::string class_map(const std::filesystem::path& file, const Json& points, const Json& analyses,
                             const std::string& x_axis, const std::string& y_axis) {
  static const char* const colours[] = {"#332288", "#88ccee", "#44aa99", "#117733", "#999933",  // Tol's muted scheme ...
                                        "#ddcc77", "#cc6677", "#882255", "#aa4499", "#000000"};  // ... and black
  const std::vector<std::string> classes = analyses["classes"];
  const std::size_t named = classes.size() <= 20 ? classes.size() : 9;
  std::vector<std::string> data(named + 1);  // of each class, and of the rest
  for (std::size_t i = 0; i < points.size(); ++i)
    data[std::min(named, analyses["labels"][i].get<std::size_t>())] +=
        report::number("%.6g", points[i][0]) + " " + report::number("%.6g", points[i][1]) + "\n";
  std::string blocks, plots;
  const auto add = [&](std::size_t of, const std::string& style, const std::string& title) {
    if (data[of].empty()) return;
    blocks += vitral::join("$class", of, " << EOD\n", data[of], "EOD\n");
    plots += vitral::join(plots.empty() ? "plot $class" : ", $class", of, " with points ", style, " title ",
                          vitral::detail::gnuplot_string(title));
  };
  add(named, "pt 7 ps 0.3 lc rgb '#cccccc'", "other classes");
  for (std::size_t c = 0; c < named; ++c)
    add(c, vitral::join("pt ", c < 10 ? 7 : 9, " ps 0.4 lc rgb '", colours[c % 10], "'"), classes[c]);
  return drawn(file, 640, 440,
                     blocks + vitral::detail::gnuplot_style + "set xlabel " + vitral::detail::gnuplot_string(x_axis) +
                         "\nset ylabel " + vitral::detail::gnuplot_string(y_axis) +
                         "\nset key outside right top vertical Left reverse samplen 1 font ',12'\n" + plots + "\n");
}

/// A point for each head, and the mean of each layer.
inline std::string distance_chart(const std::filesystem::path& file, const Json& layers) {
  std::vector<double> layer_of_head, heads, layer_of_mean, means;
  for (const Json& layer : layers) {
    double sum = 0;
    for (const double distance : layer["attention_distance"]) {
      layer_of_head.push_back(layer["layer"]);
      heads.push_back(distance);
      sum += distance;
    }
    layer_of_mean.push_back(layer["layer"]);
    means.push_back(sum / static_cast<double>(layer["attention_distance"].size()));
  }
  return drawn(file, 640, 420,
                     vitral::detail::gnuplot_data("heads", layer_of_head, heads) +
                         vitral::detail::gnuplot_data("means", layer_of_mean, means) + vitral::detail::gnuplot_style +
                         vitral::join("set xlabel 'layer (block)'\nset ylabel 'mean attention distance (pixels)'\n"
                                      "set xtics 1\nset xrange [0.5:", layers.size(),
                                      ".5]\nset yrange [0:*]\nset key above\nplot $means with lines lw 2 lc rgb '#d55e00' "
                                      "title 'mean of the heads', $heads with points pt 7 ps 0.6 lc rgb '#0072b2' "
                                      "title 'one head'\n"));
}

/// A number of every layer.
inline report::Curve of_layers(const Json& layers, const std::string& title, const std::string& key) {
  report::Curve curve{title, {}, {}};
  for (const Json& layer : layers) {
    curve.x.push_back(layer["layer"]);
    curve.y.push_back(layer[key]);
  }
  return curve;
}

/// The percentage of variance along the first `count` axes, of every layer.
inline report::Curve explained(const Json& layers, std::size_t count) {
  report::Curve curve{vitral::join("first ", count), {}, {}};
  for (const Json& layer : layers) {
    const std::vector<double> shares = layer["explained_variance"];
    curve.x.push_back(layer["layer"]);
    curve.y.push_back(100 * std::accumulate(shares.begin(), shares.begin() + static_cast<long>(std::min(count, shares.size())), 0.0));
  }
  return curve;
}

inline report::Table analyses_table(const Json& layers) {
  report::Table table{{"layer", "positive cosine", "negative cosine", "alignment", "uniformity", "effective rank",
                       "attention distance (px)"}};
  for (const Json& layer : layers) {
    const std::vector<double> heads = layer["attention_distance"];
    std::vector<std::string> row{std::to_string(layer["layer"].get<int>())};
    for (const char* key : {"positive_cosine", "negative_cosine", "alignment", "uniformity"})
      row.push_back(report::number("%.3f", layer[key]));
    row.push_back(report::number("%.1f", layer["effective_rank"]));
    row.push_back(report::number("%.1f", std::accumulate(heads.begin(), heads.end(), 0.0) / static_cast<double>(heads.size())));
    table.push_back(row);
  }
  return table;
}

/// The classes of neighbours' queries and what each row shows, as text beside the pictures.
inline std::string names_of(const Json& analyses, const std::vector<std::size_t>& labels) {
  std::string out;
  for (const std::size_t label : labels) out += (out.empty() ? "" : ", ") + analyses["classes"][label].get<std::string>();
  return report::escaped(out);
}

/// Chapters of the report, from results.json's "analyses" and the pictures in `folder`.
inline std::string analyses_section(const std::filesystem::path& folder, const Json& analyses) {
  const Json& layers = analyses["layers"];
  const auto chart = [&](const char* file, const std::string& y_axis, const std::vector<report::Curve>& curves) {
    report::draw(folder / file, {"layer (block)", y_axis, curves, true});
    return report::svg(folder / file);
  };
  std::vector<std::size_t> queries;
  for (const Json& query : analyses["neighbours"]) queries.push_back(query["label"]);
  const std::vector<std::size_t> few(queries.begin(),
                                     queries.begin() + static_cast<long>(analyses["attention_images"].size()));
  const std::string images = analyses["images"].dump();
  std::string out =
      "<h2>Two views of an image</h2>\n<p>" + images +
      " test images, each seen twice through the augmentations of the training. Positive: the two views of an image; "
      "negative: views of two images.</p>\n" +
      chart("cosines.svg", "mean cosine similarity", {of_layers(layers, "positive", "positive_cosine"),
                                       of_layers(layers, "negative", "negative_cosine")}) +
      "<p>Alignment is the mean squared distance of the two views, uniformity the logarithm of the mean of exp(-2 squared "
      "distance) over pairs of images: of both, less is better (Wang and Isola 2020).</p>\n" +
      chart("alignment.svg", "alignment", {of_layers(layers, "alignment", "alignment")}) +
      chart("uniformity.svg", "uniformity", {of_layers(layers, "uniformity", "uniformity")}) +
      "<h2>How alike layers are</h2>\n<p>Linear centred kernel alignment of " + images + " test images' features.</p>\n" +
      heat_map(folder / "cka.svg", analyses["cka"], "layer (block)", "layer (block)");
  if (analyses.contains("against"))
    out += "<p>The same with the layers of " + report::escaped(analyses["against"]["checkpoint"].get<std::string>()) +
           ".</p>\n" + heat_map(folder / "cka_against.svg", analyses["against"]["cka"], "layer of this network", "layer of the other network");
  out += "<h2>How many directions features fill</h2>\n<p>Effective rank: exp of the entropy of the singular values' shares "
         "(Roy and Vetterli 2007), of centred features.</p>\n" +
         chart("effective_rank.svg", "effective rank", {of_layers(layers, "effective rank", "effective_rank")}) +
         chart("explained_variance.svg", "variance explained (%)", {explained(layers, 1), explained(layers, 10), explained(layers, 50)}) +
         "<h2>How far heads look</h2>\n<p>Distance between the asking and the answering patch, averaged by attention's "
         "weight over " + analyses["attention_distance_images"].dump() + " test images.</p>\n" +
         distance_chart(folder / "attention_distance.svg", layers) + report::html(analyses_table(layers)) +
         "<h2>What the class token looks at</h2>\n<p>For each image (" + names_of(analyses, few) +
         "): its layers from left to right; the first row is the mean of the heads, each row below it one head. Black is "
         "no weight, pale yellow the largest of a map.</p>\n" +
         picture(folder / "attention.png", "attention of the class token") +
         "<h2>Nearest neighbours</h2>\n<p>A test image of each class (" + names_of(analyses, queries) +
         ") in a gray frame, then the nearest training images by the last layer's features: blue frames are of the same "
         "class, orange ones are not.</p>\n" +
         picture(folder / "neighbours.png", "nearest neighbours") +
         "<h2>Maps of the last layer</h2>\n<p>" + images +
         " test images, by class: t-SNE (perplexity " + analyses["perplexity"].dump() +
         "; only who is near whom has a meaning), and the first two principal components.</p>\n" +
         class_map(folder / "tsne.svg", analyses["tsne"], analyses, "t-SNE 1", "t-SNE 2") +
         class_map(folder / "pca.svg", analyses["pca"], analyses, "first principal component", "second principal component");
  return out;
}

}  // namespace evaluation
