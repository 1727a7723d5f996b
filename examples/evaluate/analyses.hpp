// What the layers' features are like, beyond accuracy: how alike the layers are, what becomes of two views of an image,
// how many directions features fill, how far heads look, maps of the last layer, and images.
#pragma once

#include "evaluate/images.hpp"

#include <vitral/eval/analyses/cka.hpp>
#include <vitral/eval/analyses/principal.hpp>
#include <vitral/eval/analyses/tsne.hpp>
#include <vitral/eval/analyses/uniformity.hpp>
#include <vitral/io/png.hpp>
#include <vitral/io/progress.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::evaluation {

using Json = nlohmann::ordered_json;
using Network = vitral::ViT<vitral::Cpu, float>;

/// Images of a split, and their numbers in it.
struct AnalysedSplit {
  vitral::Dataset images;
  Places places;

  AnalysedSplit(const vitral::Dataset& split, Places places_)
      : images(select_images(split, places_)), places(std::move(places_)) {}
};

/// What is analysed: a network, and its features of the images of both splits.
struct AnalysisInput {
  const Network& encoder;
  vitral::Views views;  // the two of an image that the training brings together
  AnalysedSplit train, test;
  const vitral::Features& known;               // the last layer's of the training images
  const std::vector<vitral::Features>& asked;  // every layer's of the test images
  long points;                                 // images of `test` that are looked at, evenly spread
  const std::optional<Network>& other;         // whose layers are compared with those of `encoder`
};

/// `count` numbers from 0 to total - 1, evenly spread: of a folder that is sorted by class, too, they show every class.
inline Places spread(long total, long count) {
  Places places(static_cast<std::size_t>(count));
  for (long i = 0; i < count; ++i) places[static_cast<std::size_t>(i)] = i * total / count;
  return places;
}

/// The features of the images at `places`.
inline vitral::Features rows_at(const vitral::Features& features, const Places& places) {
  vitral::Features out{{}, features.width, {}, features.classes};
  for (const long place : places) {
    const auto row = features.rows.begin() + place * features.width;
    out.rows.insert(out.rows.end(), row, row + features.width);
    out.labels.push_back(features.labels[static_cast<std::size_t>(place)]);
  }
  return out;
}

/// Features of views, with a bar for the time that they take.
inline std::vector<std::vector<vitral::Features>> features_of_views(const char* label, const Network& encoder,
                                                                    const vitral::Dataset& images,
                                                                    const vitral::Views& views) {
  vitral::Progress progress(label, images.size(), static_cast<long>(views.size()));
  auto features = extract_features(encoder, images, images.size(), views, 0, 128,
                                   [&](long done) { progress.update(done, std::nan("")); });
  progress.finish();
  return features;
}

/// What a network sees of images: [places, 3, side, side].
inline auto seen_by(const Network& encoder, const vitral::Dataset& data, const Places& places) {
  const int side = encoder.size.image;
  vitral::Tensor<float, vitral::Shape<vitral::dyn, 3, vitral::dyn, vitral::dyn>> out(
      {static_cast<int>(places.size()), side, side});
  float* to = out.data();
  for (const long place : places) {
    vitral::center_view(side)(vitral::readable_image(data, place), to);
    to += 3l * side * side;
  }
  return out;
}

/// Mean attention distance of each head, by layer, over the images.
inline std::vector<std::vector<double>> attention_distances(const Network& encoder, const vitral::Dataset& data,
                                                            const Places& images) {
  using namespace vitral;
  std::vector<std::vector<double>> mean(encoder.blocks.size());
  Progress progress("attention", static_cast<long>(images.size()), 1);
  constexpr std::size_t batch = 16;
  for (std::size_t first = 0; first < images.size(); first += batch) {
    const std::size_t count = std::min(batch, images.size() - first);
    const auto from = images.begin() + static_cast<long>(first);
    const auto layers = attention_weights(encoder, seen_by(encoder, data, {from, from + static_cast<long>(count)}));
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      const std::vector<double> heads = mean_attention_distance(layers[layer], encoder.size.patch);
      mean[layer].resize(heads.size());
      for (std::size_t head = 0; head < heads.size(); ++head)
        mean[layer][head] += heads[head] * static_cast<double>(count) / static_cast<double>(images.size());
    }
    progress.update(static_cast<long>(first + count), std::nan(""));
  }
  progress.finish();
  return mean;
}

/// The first test image of each class, of ten classes at most.
inline Places examples_of(const vitral::Features& test) {
  Places out;
  for (int label = 0; label < test.classes && out.size() < 10; ++label) {
    const auto found = std::find(test.labels.begin(), test.labels.end(), label);
    if (found != test.labels.end()) out.push_back(found - test.labels.begin());
  }
  return out;
}

/// Pairs of coordinates as JSON lists.
inline Json points_of(const std::vector<float>& coordinates) {
  Json out = Json::array();
  for (std::size_t i = 0; i < coordinates.size(); i += 2) out.push_back({coordinates[i], coordinates[i + 1]});
  return out;
}

/// Writes attention.png and neighbours.png to `folder`; returns what they show.
inline Json draw_images(const AnalysisInput& in, const std::filesystem::path& folder) {
  using namespace vitral;
  Json out;
  const Places examples = examples_of(in.asked.back());
  const Places few(examples.begin(), examples.begin() + std::min(4l, static_cast<long>(examples.size())));
  const int side = in.encoder.size.image;
  const auto weights = attention_weights(in.encoder, seen_by(in.encoder, in.test.images, few));
  write_png(folder / "attention.png", attention_sheet(in.test.images, few, weights, side));
  const auto number = [](const AnalysedSplit& split, long row) { return split.places[static_cast<std::size_t>(row)]; };
  for (const long row : few) out["attention_images"].push_back(number(in.test, row));
  const Neighbours near =
      nearest_neighbours(in.known, rows_at(in.asked.back(), examples), std::min(8, in.known.images()));
  write_png(folder / "neighbours.png", neighbour_sheet(in.test.images, examples, in.train.images, near, side));
  for (std::size_t row = 0; row < examples.size(); ++row) {
    Json query{{"image", number(in.test, examples[row])}, {"label", in.test.images.label(examples[row])}};
    for (int i = 0; i < near.k; ++i) {
      const std::size_t at = row * static_cast<std::size_t>(near.k) + static_cast<std::size_t>(i);
      query["nearest"].push_back({{"image", number(in.train, near.place[at])},
                                  {"label", in.train.images.label(near.place[at])},
                                  {"similarity", near.similarity[at]}});
    }
    out["neighbours"].push_back(query);
  }
  return out;
}

/// All analyses; images go to `folder`.
inline Json analyse(const AnalysisInput& in, const std::filesystem::path& folder) {
  using namespace vitral;
  const long count = std::min(in.points, long{in.asked[0].images()});
  const Places places = spread(in.asked[0].images(), count);
  std::vector<Features> layers;
  for (const Features& layer : in.asked) layers.push_back(rows_at(layer, places));
  const Dataset images = select_images(in.test.images, places);
  const auto views = features_of_views("two views", in.encoder, images, in.views);
  Places few = places;
  if (count > 128) few = spread(in.asked[0].images(), 128);  // as many as Dosovitskiy et al. took
  const auto distances = attention_distances(in.encoder, in.test.images, few);

  Json out{{"images", count}, {"attention_distance_images", few.size()}};
  PrincipalAxes axes;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Features &x = views[0][i], &y = views[1][i];
    const PairSimilarity similarity = pair_similarity(x, y);
    axes = principal_axes(layers[i]);
    out["layers"].push_back({{"layer", i + 1},
                             {"alignment", alignment(x, y)},
                             {"uniformity", (uniformity(x) + uniformity(y)) / 2},
                             {"positive_cosine", similarity.positive},
                             {"negative_cosine", similarity.negative},
                             {"effective_rank", effective_rank(axes)},
                             {"explained_variance", explained_variance(axes)},
                             {"attention_distance", distances[i]}});
  }
  out["cka"] = cka_table(layers, layers);
  if (in.other)
    out["cka_against"] = cka_table(
        layers, features_of_views("other network", *in.other, images, {center_view(in.other->size.image)})[0]);
  out["classes"] = in.test.images.classes();
  out["labels"] = layers.back().labels;
  const std::vector<float> plane = project(axes, layers.back());  // the axes of the last layer
  out["pca"] = points_of(plane);
  TsneOptions options;
  options.perplexity = std::min(options.perplexity, static_cast<double>(count) / 4);  // few have fewer neighbours
  Progress progress("t-SNE", options.iterations, 0);
  const auto show = [&](int done, double) { progress.update(done, std::nan("")); };
  out["tsne"] = points_of(tsne(layers.back(), plane, options, show).points);
  progress.finish();
  out["perplexity"] = options.perplexity;
  out.update(draw_images(in, folder));
  return out;
}

}}}  // namespace vitral::programs::evaluation
