// What the features of every layer are like, beyond accuracy: how alike layers are, what becomes of two views of an
// image, how many directions features fill, how far heads look, and maps of the last layer.
#pragma once

#include <vitral/eval/analyses/attention_maps.hpp>
#include <vitral/eval/analyses/cka.hpp>
#include <vitral/eval/analyses/principal.hpp>
#include <vitral/eval/analyses/tsne.hpp>
#include <vitral/eval/analyses/uniformity.hpp>
#include <vitral/eval/classifiers/knn.hpp>
#include <vitral/eval/progress.hpp>
#include <vitral/eval/results.hpp>

#include <algorithm>
#include <functional>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Which images the analyses look at.
struct AnalysisOptions {
  ImageViews views;            ///< the two of an image that training brought together: two_views(byol_augmentation(32))
  long points = 2000;          ///< test images that are looked at, spread evenly over all
  std::vector<int> layers{};   ///< numbers of the layers that the features are of, from 1 on; none: all
  CenterView view{.size = 0};  ///< how attention sees images; size 0: the network's size.image
  /// The features of another network's layers, to compare with: `[&](const Dataset& images) { return
  /// extract_features(other, images); }`
  std::function<std::vector<Features>(const Dataset&)> against{};
};

namespace detail {

/// `count` numbers from 0 to total - 1, evenly spread: of images sorted by class, too, they show every class.
inline std::vector<long> evenly_spread(long total, long count) {
  std::vector<long> rows(static_cast<std::size_t>(count));
  for (long i = 0; i < count; ++i) rows[static_cast<std::size_t>(i)] = i * total / count;
  return rows;
}

/// The first row of each class, of ten classes at most.
inline std::vector<long> first_of_each_class(const Features& features) {
  std::vector<long> rows;
  for (int label = 0; label < features.classes && rows.size() < 10; ++label) {
    const auto found = std::find(features.labels.begin(), features.labels.end(), label);
    if (found != features.labels.end()) rows.push_back(found - features.labels.begin());
  }
  return rows;
}

/// Mean attention distance of each head (mean_attention_distance), by layer, over images of a data set.
template <class Network>
std::vector<std::vector<double>> attention_distances(const Network& network, const Dataset& images,
                                                     const CenterView& view, const EvaluationProgress& progress) {
  std::vector<std::vector<double>> mean(network.blocks.size());
  constexpr long batch = 16;
  report(progress, {"attention", 0, images.size(), 1});
  for (long first = 0; first < images.size(); first += batch) {
    std::vector<long> some;
    for (long i = first; i < std::min(first + batch, images.size()); ++i) some.push_back(i);
    const auto layers = attention_weights(network, images_for(network, images, some, view));
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      const std::vector<double> heads = mean_attention_distance(layers[layer], network.size.patch);
      mean[layer].resize(heads.size());
      for (std::size_t head = 0; head < heads.size(); ++head)
        mean[layer][head] += heads[head] * static_cast<double>(some.size()) / static_cast<double>(images.size());
    }
    report(progress, {"attention", first + static_cast<long>(some.size()), images.size(), 1});
  }
  return mean;
}

/// The training images that are nearest to the test images in `rows`.
inline std::vector<NearestImages> nearest_images(const Features& known, const Features& asked,
                                                 const std::vector<long>& rows) {
  const Neighbours near = nearest_neighbours(known, select_rows(asked, rows), std::min(8, known.images()));
  std::vector<NearestImages> out;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto query = static_cast<std::size_t>(rows[row]), k = static_cast<std::size_t>(near.k);
    out.push_back({asked.places[query], asked.labels[query], {}});
    for (std::size_t at = row * k; at < (row + 1) * k; ++at) {
      const auto place = static_cast<std::size_t>(near.place[at]);
      out.back().nearest.push_back({known.places[place], known.labels[place], near.similarity[at]});
    }
  }
  return out;
}

inline void check_analysis(std::ptrdiff_t depth, const std::vector<Features>& known, const std::vector<Features>& asked,
                           const AnalysisOptions& o) {
  check(std::ssize(known) == depth && std::ssize(asked) == depth, "analyse: features of ", known.size(), " and of ",
        asked.size(), " layers, expected ", depth);
  check(o.views.size() == 2, "analyse: AnalysisOptions::views holds ", o.views.size(),
        " views; expected the two that training brought together, such as two_views(byol_augmentation(32))");
  for (const Features* of : {&known.back(), &asked.back()})
    check(std::ssize(of->places) == of->images() && std::ssize(of->labels) == of->images(), "analyse: ", of->images(),
          " images, ", of->places.size(), " of their numbers in the data set and ", of->labels.size(),
          " labels; expected features as extract_features makes them");
}

}  // namespace detail

/// Analyses the features of a network's layers: `known` of training images and `asked` of images of `test`, with
/// `places` that are numbers in the data sets. How far heads look is said of a ViT alone. Throws Error unless
/// `points` is 20 or more and there are as many test images.
///
///   const Analyses found = analyse(encoder, known, asked, test, {.views = two_views(byol_augmentation(32))});
template <class Network>
[[nodiscard]] Analyses analyse(const Network& network, const std::vector<Features>& known,
                               const std::vector<Features>& asked, const Dataset& test, const AnalysisOptions& options,
                               const EvaluationProgress& progress = {}) {
  const std::vector<int> numbers = chosen_layers(options.layers, network.depth());
  detail::check_analysis(std::ssize(numbers), known, asked, options);
  const long all = asked[0].images(), count = std::min(options.points, all);
  check(count >= 20, "analyse: ", count, " test images (AnalysisOptions::points ", options.points, " of ", all,
        "); expected 20 or more");
  const auto images_at = [&](const std::vector<long>& rows) {
    return select_images(test, select_rows(asked.back(), rows).places);
  };
  const std::vector<long> rows = detail::evenly_spread(all, count);
  std::vector<Features> layers;
  for (const Features& layer : asked) layers.push_back(select_rows(layer, rows));
  const Dataset images = images_at(rows);
  detail::report(progress, {"two views", 0, count, 2});
  const auto done = [&](long seen) { detail::report(progress, {"two views", seen, count, 2}); };
  const auto views = extract_features(network, images, count, options.views, {.layers = numbers, .done = done});
  Analyses out;
  out.images = count;
  std::vector<std::vector<double>> distances(static_cast<std::size_t>(network.depth()));
  if constexpr (VisionTransformer<Network>) {
    out.attention_distance_images = std::min(count, 128l);  // as many as Dosovitskiy et al. took
    distances = detail::attention_distances(
        network, images_at(detail::evenly_spread(all, out.attention_distance_images)), options.view, progress);
  }
  PrincipalAxes axes;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Features &x = views[0][i], &y = views[1][i];
    const PairSimilarity cosine = pair_similarity(x, y);
    axes = principal_axes(layers[i]);
    out.layers.push_back({numbers[i], alignment(x, y), (uniformity(x) + uniformity(y)) / 2, cosine.positive,
                          cosine.negative, effective_rank(axes), explained_variance(axes),
                          std::move(distances[static_cast<std::size_t>(numbers[i] - 1)])});
  }
  out.cka = cka_table(layers, layers);
  if (options.against) out.cka_against = cka_table(layers, options.against(images));
  out.classes = test.classes();
  out.labels = layers.back().labels;
  out.pca = project(axes, layers.back());
  TsneOptions plane;
  plane.perplexity = std::min(plane.perplexity, static_cast<double>(count) / 4);  // few have fewer neighbours
  out.perplexity = plane.perplexity;
  detail::report(progress, {"t-SNE", 0, plane.iterations, 0});
  out.tsne = tsne(layers.back(), out.pca, plane, [&](int done, double) {
               detail::report(progress, {"t-SNE", done, plane.iterations, 0});
             }).points;
  out.neighbours = detail::nearest_images(known.back(), asked.back(), detail::first_of_each_class(asked.back()));
  for (std::size_t i = 0; i < std::min<std::size_t>(4, out.neighbours.size()); ++i)
    out.attention_images.push_back(out.neighbours[i].image);
  return out;
}

}}  // namespace vitral
