// The joint probabilities P of t-SNE (van der Maaten and Hinton 2008): how likely two images are picked as neighbours.
// Only an image's nearest ones have any (van der Maaten, "Accelerating t-SNE using Tree-Based Algorithms", 2014).
#pragma once

#include <vitral/eval/analyses/centred.hpp>
#include <vitral/eval/classifiers/knn.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// A symmetric sparse matrix [images, images].
struct Affinities {
  std::vector<long> begin;   ///< row i has the entries begin[i] to begin[i + 1] - 1
  std::vector<int> place;    ///< of each entry, its column; ascending in a row
  std::vector<float> value;  ///< of each entry

  [[nodiscard]] int images() const { return static_cast<int>(begin.size()) - 1; }
};

namespace detail {

/// The k other images that are nearest to each image by Euclidean distance.
struct NearImages {
  std::vector<int> place;        // [images, k]
  std::vector<double> distance;  // [images, k], squared
};

inline NearImages near_images(const Features& features, int k) {
  // The y nearest to x has the largest x y - |y|^2 / 2. That is the product of (x, 1) and (y, -|y|^2 / 2), so k-NN by
  // inner products finds it; numbers are scaled to 1 at most before they are squared.
  std::vector<float> x = centred<float>(features, column_means(features));
  float largest = 0;
  for (const float number : x) largest = std::max(largest, std::abs(number));
  if (largest > 0)
    for (float& number : x) number /= largest;
  const long images = features.images(), width = features.width;
  Features asked{{}, features.width + 1, {}, 0}, known = asked;
  for (long i = 0; i < images; ++i) {
    const auto row = x.begin() + i * width;
    double squares = 0;
    for (long c = 0; c < width; ++c) squares += static_cast<double>(row[c]) * static_cast<double>(row[c]);
    asked.rows.insert(asked.rows.end(), row, row + width);
    asked.rows.push_back(1);
    known.rows.insert(known.rows.end(), row, row + width);
    known.rows.push_back(static_cast<float>(-squares / 2));
  }
  NearImages out{nearest_neighbours(known, asked, k, true).place, {}};
  out.distance.resize(out.place.size());
  cpu::parallel_for(images, [&](long i) {
    for (long n = i * k; n < (i + 1) * k; ++n) {
      const float* const a = features.rows.data() + i * width;
      const float* const b = features.rows.data() + out.place[static_cast<std::size_t>(n)] * width;
      double squares = 0;
      for (long c = 0; c < width; ++c) {
        const double difference = static_cast<double>(a[c]) - static_cast<double>(b[c]);
        squares += difference * difference;
      }
      out.distance[static_cast<std::size_t>(n)] = squares;
    }
  });
  return out;
}

/// Replaces squared distances by probabilities proportional to exp(-beta distance). beta is the number at which their
/// entropy is log(perplexity), found by Newton's method on log beta between bounds. Where many distances are equal, the
/// entropy may not fall so low; then these have the same probability.
inline void to_probabilities(double* distance, int count, double perplexity) {
  const double least = *std::min_element(distance, distance + count), wanted = std::log(perplexity);
  double mean = 0;
  for (int i = 0; i < count; ++i) mean += (distance[i] - least) / count;
  double log_beta = mean > 0 ? -std::log(mean) : 0, low = -1e3, high = 1e3, beta = 0, sum = 0;
  for (int i = 0; i < 100; ++i) {
    beta = std::exp(log_beta);
    double first = 0, second = 0;  // moments of the exponent beta * distance
    sum = 0;
    for (int j = 0; j < count; ++j) {
      const double exponent = beta * (distance[j] - least), weight = std::exp(-exponent);
      sum += weight;
      first += weight * exponent;
      second += weight * exponent * exponent;
    }
    first /= sum;
    const double excess = std::log(sum) + first - wanted, slope = first * first - second / sum;
    if (std::abs(excess) < 1e-10) break;
    (excess > 0 ? low : high) = log_beta;
    // Where the function is flat, a step may be long; cut to 3, it does not lead out of the range of exp.
    const double step = slope < 0 ? std::clamp(-excess / slope, -3.0, 3.0) : 3;
    log_beta = log_beta + step > low && log_beta + step < high ? log_beta + step : (low + high) / 2;
    if (high - low < 1e-14 || log_beta > 500) break;
  }
  for (int j = 0; j < count; ++j) distance[j] = std::exp(-beta * (distance[j] - least)) / sum;
}

/// (C + C') divided by the sum of its entries, where C are conditional probabilities of k places in each row.
inline Affinities symmetric(const std::vector<int>& place, const std::vector<double>& probability, int k) {
  struct Entry {
    int place;
    double value;
  };
  const std::size_t images = place.size() / static_cast<std::size_t>(k);
  std::vector<std::vector<Entry>> rows(images);
  double sum = 0;
  for (std::size_t n = 0; n < place.size(); ++n) {
    const int i = static_cast<int>(n / static_cast<std::size_t>(k)), j = place[n];
    rows[static_cast<std::size_t>(i)].push_back({j, probability[n]});
    rows[static_cast<std::size_t>(j)].push_back({i, probability[n]});
    sum += 2 * probability[n];
  }
  Affinities out{{0}, {}, {}};
  for (std::vector<Entry>& row : rows) {
    std::sort(row.begin(), row.end(), [](const Entry& a, const Entry& b) { return a.place < b.place; });
    for (std::size_t e = 0; e < row.size();) {
      const int at = row[e].place;
      double value = 0;  // the sum of one entry, or of two where the images are each other's neighbours
      for (; e < row.size() && row[e].place == at; ++e) value += row[e].value;
      out.place.push_back(at);
      out.value.push_back(static_cast<float>(value / sum));
    }
    out.begin.push_back(static_cast<long>(out.place.size()));
  }
  return out;
}

}  // namespace detail

/// P, whose entries have the sum 1: p(i, j) = (p(j | i) + p(i | j)) / (2 images). p(. | i) is a Gaussian of the
/// Euclidean distances of image i to its 3 * perplexity + 1 nearest neighbours, and so wide that its perplexity, exp of
/// its entropy, is the one asked for. Throws Error unless 1 < perplexity < images / 3.
[[nodiscard]] inline Affinities affinities(const Features& features, double perplexity) {
  check_analysable(features);
  const int images = features.images();
  check(perplexity > 1 && 3 * perplexity < images, "the perplexity must be above 1 and below a third of the ", images,
        " images, not ", perplexity, "; choose a smaller one or take more images");
  const int k = std::min(images - 1, static_cast<int>(3 * perplexity + 1));
  detail::NearImages near = detail::near_images(features, k);
  cpu::parallel_for(images, [&](long i) { detail::to_probabilities(near.distance.data() + i * k, k, perplexity); });
  return detail::symmetric(near.place, near.distance, k);
}

}}  // namespace vitral
