// k-nearest-neighbour classification by cosine similarity, with votes of weight exp(similarity / temperature) (Wu et
// al. 2018), as DINO and SDSSL use it.
#pragma once

#include <vitral/eval/classifiers/nearest_rows.hpp>
#include <vitral/eval/features.hpp>

#if !defined(__CUDACC__)
#include <vitral/backend/cpu/cpu.hpp>
#endif

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI {

/// Parameters of k-NN classification.
struct KnnOptions {
  int k = 20;
  double temperature = 0.07;
  bool leave_one_out = false;  ///< queries and training rows are the same, and no row is a neighbour of itself
};

/// The k training rows of the largest inner product with each query. `search` finds them in the rows of both, as
/// nearest_host_rows does. Throws Error where features are not finite, or there are fewer than k rows.
template <class Search>
[[nodiscard]] Neighbours nearest_neighbours(const Features& train, const Features& test, int k, bool leave_one_out,
                                            const Search& search) {
  check_rows(train, "k-NN: the training features");
  check_rows(test, "k-NN: the features to classify");
  const int rows = train.images(), queries = test.images(), width = train.width, others = rows - leave_one_out;
  check(k >= 1 && k <= others, "k-NN: k is ", k, ", but there are ", others,
        " training features; use a smaller k or more training features");
  check(width == test.width, "k-NN: training features have width ", width, ", test features ", test.width);
  check(!leave_one_out || queries == rows, "k-NN: leaving one out of ", rows,
        " features asks for all of them, not for ", queries);
  std::vector<float> known_copy, asked_copy;
  Neighbours out = search(all_rows(train, known_copy), all_rows(test, asked_copy), width, k, leave_one_out);
  for (std::size_t i = 0; i < out.place.size(); ++i)
    check(out.place[i] >= 0 && std::isfinite(out.similarity[i]), "k-NN: the features of query ",
          i / static_cast<std::size_t>(k), " are too large to be multiplied; scale them to unit length");
  return out;
}
/// The same, found by backend B: exactly, and of equal products the earlier row counts as nearer.
template <OffersNearestRows B = Cpu>
[[nodiscard]] Neighbours nearest_neighbours(const Features& train, const Features& test, int k,
                                            bool leave_one_out = false) {
  return nearest_neighbours(train, test, k, leave_one_out, nearest_host_rows<B>);
}

/// The `count` classes with the most votes of each query's first k neighbours, most votes first: [queries, count]. Of
/// equal votes the lower class is first. `labels` are those of the training rows, 0 to classes - 1.
[[nodiscard]] inline std::vector<int> voted_classes(const Neighbours& neighbours, const std::vector<int>& labels,
                                                    int classes, int k, double temperature, int count) {
  check(k >= 1 && k <= neighbours.k && count >= 1 && count <= classes, "k-NN: ", k, " of ", neighbours.k,
        " neighbours were asked for ", count, " of ", classes, " classes");
  check(temperature > 0, "k-NN: the temperature must be above 0, not ", temperature);
  check(neighbours.similarity.size() == neighbours.place.size(), "k-NN: ", neighbours.place.size(), " neighbours have ",
        neighbours.similarity.size(), " similarities");
  for (const int place : neighbours.place)
    check(place >= 0 && static_cast<std::size_t>(place) < labels.size(), "k-NN: a neighbour is training image ", place,
          ", and there are labels of ", labels.size());
  for (const int label : labels)
    check(label >= 0 && label < classes, "k-NN: label ", label, " is not one of 0 to ", classes - 1);
  const long queries = neighbours.queries();
  std::vector<int> out(static_cast<std::size_t>(queries * count));
  cpu::parallel_for(queries, [&](long query) {
    std::vector<double> votes(static_cast<std::size_t>(classes));
    // Similarities are taken relative to the nearest, so that no vote is infinite; the ranking stays the same.
    const auto nearest = static_cast<double>(neighbours.similarity[static_cast<std::size_t>(query * neighbours.k)]);
    for (long i = query * neighbours.k; i < query * neighbours.k + k; ++i) {
      const auto at = static_cast<std::size_t>(i);
      votes[static_cast<std::size_t>(labels[static_cast<std::size_t>(neighbours.place[at])])] +=
          std::exp((static_cast<double>(neighbours.similarity[at]) - nearest) / temperature);
    }
    std::vector<int> order(votes.size());
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int a, int b) {
      const double x = votes[static_cast<std::size_t>(a)], y = votes[static_cast<std::size_t>(b)];
      return x != y ? x > y : a < b;
    });
    std::copy_n(order.begin(), count, out.begin() + query * count);
  });
  return out;
}

/// The class that k-NN predicts for each test row; backend B looks for neighbours.
template <OffersNearestRows B = Cpu>
[[nodiscard]] std::vector<int> knn_classify(const Features& train, const Features& test,
                                            const KnnOptions& options = {}) {
  return voted_classes(nearest_neighbours<B>(train, test, options.k, options.leave_one_out), train.labels,
                       train.classes, options.k, options.temperature, 1);
}

/// The share of images whose label is among the first `top` of their guesses; `ranked` is [images, guesses], the best
/// guess first.
[[nodiscard]] inline double top_accuracy(const std::vector<int>& ranked, const std::vector<int>& labels, int top) {
  check(!labels.empty() && ranked.size() % labels.size() == 0, "accuracy: ", ranked.size(), " guesses for ",
        labels.size(), " images; expected as many for each");
  const std::size_t count = ranked.size() / labels.size();
  check(top >= 1 && static_cast<std::size_t>(top) <= count, "accuracy: the first ", top, " of ", count, " guesses");
  long right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = ranked.begin() + static_cast<std::ptrdiff_t>(i * count);
    right += std::find(row, row + top, labels[i]) != row + top;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

/// The share of test rows that k-NN classifies correctly; backend B looks for neighbours.
template <OffersNearestRows B = Cpu>
[[nodiscard]] double knn_accuracy(const Features& train, const Features& test, const KnnOptions& options = {}) {
  check(static_cast<int>(test.labels.size()) == test.images(), "k-NN: there are ", test.labels.size(), " labels of ",
        test.images(), " images to classify");
  return top_accuracy(knn_classify<B>(train, test, options), test.labels, 1);
}

/// The same for every layer of an encoder, on its backend, with `train_count` and `test_count` images drawn from the
/// two data sets and prepared by `view` (of the encoder's own size where view.size is 0).
///
///   const double last_layer = knn_accuracy(encoder, train, 2000, test, 500).back();
template <class Encoder>
[[nodiscard]] std::vector<double> knn_accuracy(const Encoder& encoder, const Dataset& train, long train_count,
                                               const Dataset& test, long test_count, const KnnOptions& options = {},
                                               const CenterView& view = {.size = 0}) {
  for (const Dataset& data : {train, test})
    check(!data.classes().empty(), "k-NN: the images of ", data.name(), " have no labels");
  const ImageViews seen{view_for(encoder, view)};
  const auto known = std::move(extract_features(encoder, train, train_count, seen)[0]);
  const auto asked = std::move(extract_features(encoder, test, test_count, seen)[0]);
  std::vector<double> accuracy;
  for (std::size_t layer = 0; layer < known.size(); ++layer)
    accuracy.push_back(knn_accuracy<typename Encoder::backend>(known[layer], asked[layer], options));
  return accuracy;
}

}}  // namespace vitral
