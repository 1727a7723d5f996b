// The analyses' part of the report: charts of Analyses, and the images as parts of the page.
#pragma once

#include "common/report.hpp"

#include <vitral/eval/results.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::evaluation {

using Json = nlohmann::ordered_json;
using vitral::escape_gnuplot, vitral::detail::gnuplot_data, vitral::detail::gnuplot_style;
using vitral::join;

/// A number with as many digits as tell it from all others.
inline std::string digits(double value) { return Json(value).dump(); }

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

/// Where the ticks of an axis of layers stand: at 1, 2, ..., each with its layer's number.
inline std::string layer_ticks(const std::vector<int>& layers) {
  std::string out;
  for (std::size_t i = 0; i < layers.size(); ++i) out += join(i ? ", '" : "('", layers[i], "' ", i + 1);
  return out + ")";
}

/// A table of similarities between 0 and 1 of layers (rows) with layers (columns), by their numbers.
inline std::string heat_map(const std::filesystem::path& folder, const std::vector<std::vector<double>>& table,
                            const std::string& rows, const std::string& columns, const std::vector<int>& row_layers,
                            const std::vector<int>& column_layers) {
  const std::size_t down = table.size(), across = table[0].size();
  std::string data = "$cka << EOD\n";
  for (const std::vector<double>& row : table)
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
                  "set tics out nomirror\nset xtics ", layer_ticks(column_layers), "\nset ytics ",
                  layer_ticks(row_layers), "\nset xrange [0.5:", across, ".5]\nset yrange [0.5:", down,
                  ".5]\nunset key\nplot $cka matrix using ($1+1):($2+1):3 with image pixels", numbers, "\n"));
}

/// Points in the plane, coloured by class. Twenty classes have a colour and a marker of their own, named to the right;
/// of more the first nine, and the others are gray.
inline std::string class_map(const std::filesystem::path& folder, const std::vector<float>& points,
                             const vitral::Analyses& analyses, const std::string& x_axis, const std::string& y_axis) {
  static constexpr int colours[] = {0x332288, 0x88ccee, 0x44aa99, 0x117733, 0x999933,   // Tol's muted scheme ...
                                    0xddcc77, 0xcc6677, 0x882255, 0xaa4499, 0x000000};  // ... and black
  const std::vector<std::string>& classes = analyses.classes;
  const std::size_t named = classes.size() <= 20 ? classes.size() : 9;
  const auto marker = [&](std::size_t label) { return label < named && label >= 10 ? 9 : 7; };
  const auto colour = [&](std::size_t label) { return label < named ? colours[label % 10] : 0xcccccc; };
  // In the images' order, so that no class lies on top of the others, but for those that have a name.
  std::string others, data, key;
  for (std::size_t i = 0; i < analyses.labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(analyses.labels[i]);
    const auto coordinate = [&](std::size_t axis) {
      return report::number("%.6g ", static_cast<double>(points[2 * i + axis]));
    };
    (label < named ? data : others) += join(coordinate(0), coordinate(1), marker(label), " ", colour(label), "\n");
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

inline double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// A point for each head, and the mean of each layer.
inline std::string distance_chart(const std::filesystem::path& folder,
                                  const std::vector<vitral::LayerAnalysis>& layers) {
  std::vector<double> layer_of_head, heads, layer_of_mean, means;
  for (const vitral::LayerAnalysis& layer : layers) {
    layer_of_mean.push_back(layer.layer);
    means.push_back(mean(layer.attention_distance));
    layer_of_head.insert(layer_of_head.end(), layer.attention_distance.size(), layer_of_mean.back());
    heads.insert(heads.end(), layer.attention_distance.begin(), layer.attention_distance.end());
  }
  return report::svg(folder, 640, 420,
                     gnuplot_data("heads", layer_of_head, heads) + gnuplot_data("means", layer_of_mean, means) +
                         gnuplot_style +
                         join("set xlabel 'layer (block)'\nset ylabel 'mean attention distance (pixels)'\n"
                              "set xtics 1\nset xrange [0.5:",
                              layers.back().layer,
                              ".5]\nset yrange [0:*]\nset key above\nplot $means with lines lw 2 lc rgb '#d55e00' "
                              "title 'mean of the heads', $heads with points pt 7 ps 0.6 lc rgb '#0072b2' "
                              "title 'one head'\n"));
}

/// A number of every layer: a member, or what a function makes of the layer.
template <class Value>
report::Curve of_layers(const std::vector<vitral::LayerAnalysis>& layers, const std::string& title,
                        const Value& value) {
  report::Curve curve{title, {}, {}};
  for (const vitral::LayerAnalysis& layer : layers) {
    curve.x.push_back(layer.layer);
    curve.y.push_back(std::invoke(value, layer));
  }
  return curve;
}

/// The percentage of variance along the first `count` axes, of every layer.
inline report::Curve explained(const std::vector<vitral::LayerAnalysis>& layers, std::size_t count) {
  return of_layers(layers, count == 1 ? "first axis" : join("first ", count, " axes"),
                   [&](const vitral::LayerAnalysis& layer) {
                     const std::vector<double>& shares = layer.explained_variance;
                     const auto end = shares.begin() + static_cast<long>(std::min(count, shares.size()));
                     return 100 * std::accumulate(shares.begin(), end, 0.0);
                   });
}

inline report::Table analyses_table(const std::vector<vitral::LayerAnalysis>& layers) {
  using report::number;
  report::Table table{{"layer", "positive cosine", "negative cosine", "alignment", "uniformity", "effective rank",
                       "attention distance (px)"}};
  for (const vitral::LayerAnalysis& layer : layers)
    table.push_back({std::to_string(layer.layer), number("%.3f", layer.positive_cosine),
                     number("%.3f", layer.negative_cosine), number("%.3f", layer.alignment),
                     number("%.3f", layer.uniformity), number("%.1f", layer.effective_rank),
                     number("%.1f", mean(layer.attention_distance))});
  return table;
}

/// The names of the first `count` queries' classes one after another, as HTML.
inline std::string class_names(const vitral::Analyses& analyses, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += (i ? ", " : "") + analyses.classes[static_cast<std::size_t>(analyses.neighbours[i].label)];
  return vitral::escape_html(out);
}

/// Chapters of the report, with the images in `folder`.
inline std::string analyses_section(const std::filesystem::path& folder, const vitral::Analyses& analyses) {
  using Layer = vitral::LayerAnalysis;
  const std::vector<Layer>& layers = analyses.layers;
  const auto chart = [&](const std::string& y_axis, const std::vector<report::Curve>& curves) {
    return report::svg(folder, report::Chart{"layer (block)", y_axis, curves, true});
  };
  std::vector<int> numbers, others(analyses.cka_against.empty() ? 0 : analyses.cka_against[0].size());
  for (const Layer& layer : layers) numbers.push_back(layer.layer);
  std::iota(others.begin(), others.end(), 1);
  const std::string images = join(analyses.images, " test images");
  const auto chapter = [](const std::string& title, const std::string& text, const std::string& charts) {
    return "<h2>" + title + "</h2>\n<p>" + text + "</p>\n" + charts;
  };
  std::string out = chapter(
      "Two views of an image",
      images + ", each seen twice through the augmentations of the training. Positive: the two views of an image; "
               "negative: views of two images.",
      chart("mean cosine similarity", {of_layers(layers, "positive", &Layer::positive_cosine),
                                       of_layers(layers, "negative", &Layer::negative_cosine)}));
  out += "<p>Alignment is the mean squared distance of the two views, uniformity the logarithm of the mean of "
         "exp(-2 squared distance) over pairs of images: of both, less is better (Wang and Isola 2020).</p>\n" +
         chart("alignment (squared distance)", {of_layers(layers, "", &Layer::alignment)}) +
         chart("uniformity (log of a mean)", {of_layers(layers, "", &Layer::uniformity)});
  out += chapter("How alike layers are", "Linear centred kernel alignment of the features of " + images + ".",
                 heat_map(folder, analyses.cka, "layer (block)", "layer (block)", numbers, numbers));
  if (!analyses.cka_against.empty())
    out +=
        "<p>The same with the layers of " + vitral::escape_html(analyses.against) + ".</p>\n" +
        heat_map(folder, analyses.cka_against, "layer of this network", "layer of the other network", numbers, others);
  out += chapter(
      "How many directions features fill",
      "Effective rank: exp of the entropy of the singular values' shares (Roy and Vetterli 2007), of "
      "centred features.",
      chart("effective rank", {of_layers(layers, "", &Layer::effective_rank)}) +
          chart("variance explained (%)", {explained(layers, 1), explained(layers, 10), explained(layers, 50)}));
  out += chapter("How far heads look",
                 "Distance between the asking and the answering patch, averaged by attention's weight over " +
                     std::to_string(analyses.attention_distance_images) + " test images.",
                 distance_chart(folder, layers) + report::html(analyses_table(layers)));
  out += chapter("What the class token looks at",
                 "For each image (" + class_names(analyses, analyses.attention_images.size()) +
                     "): its layers from left to right; the first row is the mean of the heads, each row below it one "
                     "head. Black is no weight, pale yellow the largest of a map.",
                 image(folder / "attention.png", "attention of the class token"));
  out += chapter("Nearest neighbours",
                 "A test image of each of the first ten classes (" + class_names(analyses, analyses.neighbours.size()) +
                     ") in a gray frame, then the nearest training images by the last layer's features: blue frames "
                     "are of the same class, orange ones are not.",
                 image(folder / "neighbours.png", "nearest neighbours"));
  out +=
      chapter("Maps of the last layer",
              images + ", by class: t-SNE (perplexity " + digits(analyses.perplexity) +
                  "; only who is near whom has a meaning), and the first two principal components.",
              class_map(folder, analyses.tsne, analyses, "t-SNE 1", "t-SNE 2") +
                  class_map(folder, analyses.pca, analyses, "first principal component", "second principal component"));
  return out;
}

}}}  // namespace vitral::programs::evaluation
