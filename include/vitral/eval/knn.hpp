// Weighted k-nearest-neighbour classification (Wu et al. 2018) as DINO and SDSSL use it: cosine similarity, and weights
// exp(similarity / temperature).
#pragma once

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/eval/features.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace vitral::inline VITRAL_ABI {

struct KnnOptions {
  int k = 20;
  double temperature = 0.07;
};

namespace detail {

/// The k largest of `count` similarities with their places, largest first; of equals the earlier place.
inline std::vector<std::pair<float, int>> nearest_rows(const float* similarity, int count, int k) {
  std::vector<std::pair<float, int>> best(static_cast<std::size_t>(k), {-std::numeric_limits<float>::infinity(), -1});
  for (int place = 0; place < count; ++place) {
    if (!(similarity[place] > best.back().first)) continue;  // nearly always, once the first few are in
    auto at = best.end() - 1;
    for (; at != best.begin() && similarity[place] > (at - 1)->first; --at) *at = *(at - 1);
    *at = {similarity[place], place};
  }
  return best;
}

}  // namespace detail

/// The predicted class of each test row. Exact; memory grows with one block of test rows times the training rows.
/// Equal similarities count by the earlier training row, equal votes by the lower class.
[[nodiscard]] inline std::vector<int> knn_classify(const Features& train, const Features& test,
                                                   const KnnOptions& options = {}) {
  const int neighbours = train.images(), queries = test.images(), width = train.width;
  check(options.k >= 1 && options.k <= neighbours, "k-NN: k is ", options.k, ", but there are ", neighbours,
        " training features; use a smaller --k or a larger --knn-train");
  check(width == test.width, "k-NN: training features have width ", width, ", test features ", test.width);
  constexpr int block = 256;
  std::vector<float> similarity(static_cast<std::size_t>(std::min(block, queries)) *
                                static_cast<std::size_t>(neighbours));
  std::vector<int> predicted(static_cast<std::size_t>(queries));
  for (int first = 0; first < queries; first += block) {
    const int rows = std::min(block, queries - first);
    Cpu::matmul(row_major(test.rows.data() + static_cast<long>(first) * width, rows, width),
                transposed(row_major(train.rows.data(), neighbours, width)),
                row_major(similarity.data(), rows, neighbours), false);
    cpu::parallel_for(rows, [&](long row) {
      const auto nearest = detail::nearest_rows(similarity.data() + row * neighbours, neighbours, options.k);
      std::vector<double> votes(static_cast<std::size_t>(train.classes));
      for (const auto& [s, place] : nearest)
        votes[static_cast<std::size_t>(train.labels[static_cast<std::size_t>(place)])] +=
            std::exp(static_cast<double>(s) / options.temperature);
      predicted[static_cast<std::size_t>(first + row)] =
          static_cast<int>(std::max_element(votes.begin(), votes.end()) - votes.begin());
    });
  }
  return predicted;
}

/// The share of test rows that k-NN classifies correctly.
[[nodiscard]] inline double knn_accuracy(const Features& train, const Features& test, const KnnOptions& options = {}) {
  const auto predicted = knn_classify(train, test, options);
  long right = 0;
  for (std::size_t i = 0; i < predicted.size(); ++i) right += predicted[i] == test.labels[i];
  return static_cast<double>(right) / static_cast<double>(predicted.size());
}

/// The same for the class tokens of an encoder's every layer.
template <class Encoder>
[[nodiscard]] std::vector<double> knn_accuracy(const Encoder& encoder, const Dataset& train, long train_count,
                                               const Dataset& test, long test_count, const KnnOptions& options = {}) {
  for (const Dataset& data : {train, test})
    check(!data.classes().empty(), "k-NN: the images of ", data.name(), " have no labels");
  const auto known = extract_features(encoder, train, train_count);
  const auto asked = extract_features(encoder, test, test_count);
  std::vector<double> accuracy;
  for (std::size_t layer = 0; layer < known.size(); ++layer)
    accuracy.push_back(knn_accuracy(known[layer], asked[layer], options));
  return accuracy;
}

}  // namespace vitral::inline VITRAL_ABI
