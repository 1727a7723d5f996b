// The analyses' part of the report: charts of Analyses, and the images as parts of the page.
#pragma once

#include "common/chart.hpp"
#include "common/page.hpp"
#include "evaluate/maps.hpp"

#include <vitral/eval/results.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::evaluation {

using Json = nlohmann::ordered_json;

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
  std::stringstream bytes;
  bytes << std::ifstream(file, std::ios::binary).rdbuf();
  return "<img alt=\"" + what + "\" src=\"data:image/png;base64," + base64(bytes.str()) + "\"/>\n";
}

inline double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// A point for each head, and the mean of each layer.
inline report::Chart distance_chart(const std::vector<vitral::LayerAnalysis>& layers) {
  report::Curve heads{"one head", {}, {}}, means{"mean of the heads", {}, {}};
  heads.line = means.markers = false;
  for (const vitral::LayerAnalysis& layer : layers) {
    means.x.push_back(layer.layer);
    means.y.push_back(mean(layer.attention_distance));
    heads.x.insert(heads.x.end(), layer.attention_distance.size(), means.x.back());
    heads.y.insert(heads.y.end(), layer.attention_distance.begin(), layer.attention_distance.end());
  }
  return {"layer", "mean attention distance (pixels)", {heads, means}, true, "%.1f"};
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
  report::Table table{{"layer", "positive cosine", "negative cosine", "alignment", "uniformity", "tolerance",
                       "effective rank", "attention distance (px)"}};
  for (const vitral::LayerAnalysis& layer : layers)
    table.push_back({std::to_string(layer.layer), number("%.3f", layer.positive_cosine),
                     number("%.3f", layer.negative_cosine), number("%.3f", layer.alignment),
                     number("%.3f", layer.uniformity), layer.tolerance ? number("%.3f", *layer.tolerance) : "-",
                     number("%.1f", layer.effective_rank), number("%.1f", mean(layer.attention_distance))});
  return table;
}

/// The names of the first `count` queries' classes one after another, as HTML.
inline std::string class_names(const vitral::Analyses& analyses, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += (i ? ", " : "") + analyses.classes[static_cast<std::size_t>(analyses.neighbours[i].label)];
  return vitral::escape_html(out);
}

/// The last sections of the report, with the images in `folder`.
inline std::string analyses_sections(const std::filesystem::path& folder, const vitral::Analyses& analyses) {
  using Layer = vitral::LayerAnalysis;
  using report::figure, report::grid, report::section;
  const std::vector<Layer>& layers = analyses.layers;
  const auto chart = [&](const std::string& y_axis, const std::vector<report::Curve>& curves, const char* digits) {
    return report::svg(report::Chart{"layer", y_axis, curves, true, digits});
  };
  std::vector<int> numbers, others(analyses.cka_against.empty() ? 0 : analyses.cka_against[0].size());
  for (const Layer& layer : layers) numbers.push_back(layer.layer);
  std::iota(others.begin(), others.end(), 1);
  const std::string images = join(analyses.images, " test images");
  std::string tolerances;
  if (layers[0].tolerance)
    tolerances =
        figure("Tolerance",
               chart("mean cosine similarity",
                     {of_layers(layers, "", [](const Layer& layer) { return layer.tolerance.value(); })}, "%.3f"),
               "Mean cosine similarity of two images of a class; less uniform features are more tolerant "
               "(Wang and Liu 2021).");
  std::string out = section(
      "Two views of an image",
      "<p>" + images + ", each seen twice through the augmentations of the training.</p>\n" +
          grid(figure("Similarity of views",
                      chart("mean cosine similarity",
                            {of_layers(layers, "positive", &Layer::positive_cosine),
                             of_layers(layers, "negative", &Layer::negative_cosine)},
                            "%.3f"),
                      "Positive: the two views of an image; negative: views of two images.") +
               figure("Alignment",
                      chart("alignment (squared distance)", {of_layers(layers, "", &Layer::alignment)}, "%.3f"),
                      "Mean squared distance of the two views; less is better (Wang and Isola 2020).") +
               figure("Uniformity",
                      chart("uniformity (log of a mean)", {of_layers(layers, "", &Layer::uniformity)}, "%.3f"),
                      "Logarithm of the mean of exp(-2 squared distance) over pairs of images; less is better.") +
               tolerances));
  std::string alike = figure("Layer beside layer", heat_map(analyses.cka, "layer", "layer", numbers, numbers),
                             "Linear centred kernel alignment (CKA) of the features of " + images + ".");
  if (!analyses.cka_against.empty())
    alike +=
        figure("Beside another network",
               heat_map(analyses.cka_against, "layer of this network", "layer of the other network", numbers, others),
               "The same with the layers of " + vitral::escape_html(analyses.against) + ".");
  out += section(
      "What layers are like",
      grid(alike +
           figure("How many directions features fill",
                  chart("effective rank", {of_layers(layers, "", &Layer::effective_rank)}, "%.1f"),
                  "Effective rank of centred features: exp of the entropy of the singular values' shares (Roy and "
                  "Vetterli 2007).") +
           figure("Variance along the first axes",
                  chart("variance explained (%)", {explained(layers, 1), explained(layers, 10), explained(layers, 50)},
                        "%.1f"),
                  "Of centred features, along their principal axes.") +
           figure("How far heads look", report::svg(distance_chart(layers)),
                  join("Distance between the asking and the answering patch, averaged by attention's weight over ",
                       analyses.attention_distance_images, " test images.")) +
           report::html(analyses_table(layers), "Features by layer")));
  std::string maps;
  const auto map = [&](int layer, const std::vector<float>& points) {
    maps += figure(
        join("t-SNE of layer ", layer), class_map(points, analyses, "t-SNE 1", "t-SNE 2", false),
        images + " by class; perplexity " + digits(analyses.perplexity) + "; only who is near whom has a meaning.");
  };
  for (const auto& [layer, points] : analyses.tsne_layers) map(layer, points);
  map(layers.back().layer, analyses.tsne);
  maps += figure("Principal components of the last layer",
                 class_map(analyses.pca, analyses, "first component", "second component", true),
                 "The same images along the two axes of the largest variance.");
  out += section("Images as points of the plane", grid(maps));
  out += section(
      "Pictures",
      grid(figure("What the class token looks at", image(folder / "attention.png", "attention of the class token"),
                  "For each image (" + class_names(analyses, analyses.attention_images.size()) +
                      "): its layers from left to right; the first row is the mean of the heads, each row below it one "
                      "head. Black is no weight, pale yellow the largest of a map.",
                  true) +
           figure("Nearest neighbours", image(folder / "neighbours.png", "nearest neighbours"),
                  "A test image of each of the first ten classes (" +
                      class_names(analyses, analyses.neighbours.size()) +
                      ") in a gray frame, then the nearest training images by the last layer's features: blue frames "
                      "are of the same class, orange ones are not.",
                  true)));
  return out;
}

}}}  // namespace vitral::programs::evaluation
