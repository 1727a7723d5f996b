// The analyses' part of the report: charts of results.json's "analyses", and the images as parts of the page.
#pragma once

#include "common/report.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::evaluation {

using Json = nlohmann::ordered_json;
using vitral::escape_gnuplot, vitral::detail::gnuplot_data, vitral::detail::gnuplot_style;
using vitral::join;

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
inline std::string image(const std::filesystem::path& file, const std::string& what) {
  return "<img alt=\"" + what + "\" src=\"data:image/png;base64," + base64(report::read(file)) + "\">\n";
}

/// A table of similarities between 0 and 1: row and column numbers are layers.
inline std::string heat_map(const std::filesystem::path& folder, const Json& table, const std::string& rows,
                            const std::string& columns) {
  const std::size_t down = table.size(), across = table[0].size();
  std::string data = "$cka << EOD\n";
  for (const Json& row : table)
    for (std::size_t j = 0; j < across; ++j) data += report::number("%.4f", row[j]) + (j + 1 < across ? " " : "\n");
  data += "EOD\n";
  // Numbers stand in the cells, white on dark ones, where there is room.
  std::string numbers;
  if (std::max(down, across) <= 12)
    for (const bool dark : {true, false})
      numbers += join(", $cka matrix using ($1+1):($2+1):($3 ",
                      dark ? "<" : ">=", " 0.6 ? sprintf('%.2f', $3) : '') with labels font ',11' tc rgb '",
                      dark ? "#ffffff" : "#000000", "'");
  return report::svg(
      folder, 560, 480,
      data + join("set xlabel ", escape_gnuplot(columns), "\nset ylabel ", escape_gnuplot(rows),
                  "\nset cblabel 'linear CKA'\nset cbrange [0:1]\n",
                  "set palette defined (0 '#00224e', 0.25 '#404c6b', 0.5 '#7c7b78', 0.75 '#bcae6c', 1 '#fee838')\n",
                  "set tics out nomirror\nset xtics 1\nset ytics 1\nset xrange [0.5:", across, ".5]\nset yrange [0.5:",
                  down, ".5]\nunset key\nplot $cka matrix using ($1+1):($2+1):3 with image pixels", numbers, "\n"));
}

/// Points in the plane, coloured by class. Twenty classes have a colour and a marker of their own, named to the right;
/// of more the first nine, and the others are gray.
inline std::string class_map(const std::filesystem::path& folder, const Json& points, const Json& analyses,
                             const std::string& x_axis, const std::string& y_axis) {
  static constexpr int colours[] = {0x332288, 0x88ccee, 0x44aa99, 0x117733, 0x999933,   // Tol's muted scheme ...
                                    0xddcc77, 0xcc6677, 0x882255, 0xaa4499, 0x000000};  // ... and black
  const std::vector<std::string> classes = analyses["classes"];
  const std::size_t named = classes.size() <= 20 ? classes.size() : 9;
  const auto marker = [&](std::size_t label) { return label < named && label >= 10 ? 9 : 7; };
  const auto colour = [&](std::size_t label) { return label < named ? colours[label % 10] : 0xcccccc; };
  // In the images' order, so that no class lies on top of the others, but for those that have a name.
  std::string others, data, key;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::size_t label = analyses["labels"][i];
    (label < named ? data : others) +=
        join(report::number("%.6g ", points[i][0]), report::number("%.6g ", points[i][1]), marker(label), " ",
             colour(label), "\n");
  }
  for (std::size_t c = 0; c <= named && c < classes.size(); ++c)
    key += join(", NaN with points pt ", marker(c), " ps 0.8 lc rgb ", colour(c), " title ",
                escape_gnuplot(c < named ? classes[c] : "other classes"));
  return report::svg(folder, 640, 440,
                     "$points << EOD\n" + others + data + "EOD\n" + gnuplot_style + "set xlabel " +
                         escape_gnuplot(x_axis) + "\nset ylabel " + escape_gnuplot(y_axis) +
                         "\nset key outside right top vertical Left reverse samplen 1 font ',12'\n"
                         "plot $points using 1:2:3:4 with points pt variable ps 0.4 lc rgb variable notitle" +
                         key + "\n");
}

/// A point for each head, and the mean of each layer.
inline std::string distance_chart(const std::filesystem::path& folder, const Json& layers) {
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
  return report::svg(folder, 640, 420,
                     gnuplot_data("heads", layer_of_head, heads) + gnuplot_data("means", layer_of_mean, means) +
                         gnuplot_style +
                         join("set xlabel 'layer (block)'\nset ylabel 'mean attention distance (pixels)'\n"
                              "set xtics 1\nset xrange [0.5:",
                              layers.size(),
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
  report::Curve curve{count == 1 ? "first axis" : join("first ", count, " axes"), {}, {}};
  for (const Json& layer : layers) {
    const std::vector<double> shares = layer["explained_variance"];
    curve.x.push_back(layer["layer"]);
    curve.y.push_back(
        100 * std::accumulate(shares.begin(), shares.begin() + static_cast<long>(std::min(count, shares.size())), 0.0));
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
    row.push_back(
        report::number("%.1f", std::accumulate(heads.begin(), heads.end(), 0.0) / static_cast<double>(heads.size())));
    table.push_back(row);
  }
  return table;
}

/// Class names one after another, as HTML.
inline std::string names_of(const Json& analyses, const std::vector<std::size_t>& labels) {
  std::string out;
  for (const std::size_t label : labels)
    out += (out.empty() ? "" : ", ") + analyses["classes"][label].get<std::string>();
  return vitral::escape_html(out);
}

/// Chapters of the report, from results.json's "analyses" and the images in `folder`.
inline std::string analyses_section(const std::filesystem::path& folder, const Json& analyses) {
  const Json& layers = analyses["layers"];
  const auto chart = [&](const std::string& y_axis, const std::vector<report::Curve>& curves) {
    return report::svg(folder, report::Chart{"layer (block)", y_axis, curves, true});
  };
  std::vector<std::size_t> queries;
  for (const Json& query : analyses["neighbours"]) queries.push_back(query["label"]);
  const std::vector<std::size_t> few(queries.begin(),
                                     queries.begin() + static_cast<long>(analyses["attention_images"].size()));
  const std::string images = analyses["images"].dump() + " test images";
  const auto chapter = [](const std::string& title, const std::string& text, const std::string& charts) {
    return "<h2>" + title + "</h2>\n<p>" + text + "</p>\n" + charts;
  };
  std::string out = chapter(
      "Two views of an image",
      images + ", each seen twice through the augmentations of the training. Positive: the two views of an image; "
               "negative: views of two images.",
      chart("mean cosine similarity",
            {of_layers(layers, "positive", "positive_cosine"), of_layers(layers, "negative", "negative_cosine")}));
  out += "<p>Alignment is the mean squared distance of the two views, uniformity the logarithm of the mean of "
         "exp(-2 squared distance) over pairs of images: of both, less is better (Wang and Isola 2020).</p>\n" +
         chart("alignment (squared distance)", {of_layers(layers, "", "alignment")}) +
         chart("uniformity (log of a mean)", {of_layers(layers, "", "uniformity")});
  out += chapter("How alike layers are", "Linear centred kernel alignment of the features of " + images + ".",
                 heat_map(folder, analyses["cka"], "layer (block)", "layer (block)"));
  if (analyses.contains("against"))
    out += "<p>The same with the layers of " + vitral::escape_html(analyses["against"].get<std::string>()) + ".</p>\n" +
           heat_map(folder, analyses["cka_against"], "layer of this network", "layer of the other network");
  out += chapter(
      "How many directions features fill",
      "Effective rank: exp of the entropy of the singular values' shares (Roy and Vetterli 2007), of "
      "centred features.",
      chart("effective rank", {of_layers(layers, "", "effective_rank")}) +
          chart("variance explained (%)", {explained(layers, 1), explained(layers, 10), explained(layers, 50)}));
  out += chapter("How far heads look",
                 "Distance between the asking and the answering patch, averaged by attention's weight over " +
                     analyses["attention_distance_images"].dump() + " test images.",
                 distance_chart(folder, layers) + report::html(analyses_table(layers)));
  out += chapter("What the class token looks at",
                 "For each image (" + names_of(analyses, few) +
                     "): its layers from left to right; the first row is the mean of the heads, each row below it one "
                     "head. Black is no weight, pale yellow the largest of a map.",
                 image(folder / "attention.png", "attention of the class token"));
  out += chapter("Nearest neighbours",
                 "A test image of each of the first ten classes (" + names_of(analyses, queries) +
                     ") in a gray frame, then the nearest training images by the last layer's features: blue frames "
                     "are of the same class, orange ones are not.",
                 image(folder / "neighbours.png", "nearest neighbours"));
  out += chapter(
      "Maps of the last layer",
      images + ", by class: t-SNE (perplexity " + analyses["perplexity"].dump() +
          "; only who is near whom has a meaning), and the first two principal components.",
      class_map(folder, analyses["tsne"], analyses, "t-SNE 1", "t-SNE 2") +
          class_map(folder, analyses["pca"], analyses, "first principal component", "second principal component"));
  return out;
}

}}}  // namespace vitral::programs::evaluation
