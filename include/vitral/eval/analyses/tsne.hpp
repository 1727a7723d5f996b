// t-SNE: images as points of a plane whose neighbourhoods are those of their features (van der Maaten and Hinton 2008),
// by Barnes and Hut's trees (van der Maaten 2014), with the rates and the start that Kobak and Berens (2019) recommend:
// the defaults of scikit-learn 1.2.
#pragma once

#include <vitral/eval/analyses/affinities.hpp>
#include <vitral/eval/analyses/quadtree.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI {

/// Parameters of t-SNE; the defaults are scikit-learn's.
struct TsneOptions {
  double perplexity = 30;  ///< about how many neighbours an image has
  int iterations = 1000;
  double theta = 0.5;  ///< a cell narrower than theta times its distance is seen as one point; 0 = exact
};

/// A map of features.
struct Tsne {
  std::vector<float> points;  ///< of the plane: [images, 2]
  double divergence = 0;      ///< of the map's neighbourhoods from the features', KL(P || Q) in nats
  int iterations = 0;         ///< that were done: fewer than asked for where nothing moved any more
};

/// The forces on the points, with q_ij = 1 / (1 + |y_i - y_j|^2).
struct TsneForces {
  std::vector<float> pull;  ///< [images, 2], the sum over j of p_ij q_ij (y_i - y_j)
  std::vector<float> push;  ///< [images, 2], the sum over j of q_ij^2 (y_i - y_j)
  double sum = 0;           ///< of q_ij over all pairs i != j
};

/// The forces on `points` [images, 2]. `push` and `sum` are exact with theta 0 and within about 1 % with 0.5. The
/// result is the same for any number of threads.
[[nodiscard]] inline TsneForces tsne_forces(const Affinities& p, const std::vector<float>& points, double theta) {
  using detail::Quadtree;
  check(!points.empty() && points.size() == 2 * static_cast<std::size_t>(p.images()), "t-SNE: ", points.size() / 2,
        " points, but affinities of ", p.images(), " images");
  const Quadtree tree(points);
  TsneForces out{std::vector<float>(points.size()), std::vector<float>(points.size()), 0};
  std::vector<float> sums(points.size() / 2);
  std::vector<const Quadtree::Cell*> leaves;
  for (const Quadtree::Cell& cell : tree.cells)
    if (cell.leaf) leaves.push_back(&cell);
  const auto pull = [&](std::size_t i) {
    const float *const y = points.data(), *const likely = p.value.data(), at_x = y[2 * i], at_y = y[2 * i + 1];
    const int* const place = p.place.data();
    const long end = p.begin[i + 1];
    float x_sum = 0, y_sum = 0;
#pragma omp simd reduction(+ : x_sum, y_sum)
    for (long n = p.begin[i]; n < end; ++n) {
      const float dx = at_x - y[2 * place[n]], dy = at_y - y[2 * place[n] + 1];
      const float weight = likely[n] / (1 + dx * dx + dy * dy);
      x_sum += weight * dx;
      y_sum += weight * dy;
    }
    out.pull[2 * i] = x_sum;
    out.pull[2 * i + 1] = y_sum;
  };
  const auto push = [&](std::size_t i, const detail::Bodies& bodies) {
    const float at_x = points[2 * i], at_y = points[2 * i + 1], *const x = bodies.x.data(), *const y = bodies.y.data(),
                *const mass = bodies.mass.data();
    const std::size_t count = bodies.x.size();
    float sum = 0, x_sum = 0, y_sum = 0;
#pragma omp simd reduction(+ : sum, x_sum, y_sum)
    for (std::size_t b = 0; b < count; ++b) {
      const float dx = at_x - x[b], dy = at_y - y[b], q = 1 / (1 + dx * dx + dy * dy), weight = mass[b] * q;
      sum += weight;
      x_sum += weight * q * dx;
      y_sum += weight * q * dy;
    }
    sums[i] = sum - 1;  // without the point itself, at distance 0
    out.push[2 * i] = x_sum;
    out.push[2 * i + 1] = y_sum;
  };
  constexpr std::size_t few = 8;
  cpu::parallel_for(static_cast<long>((leaves.size() + few - 1) / few), [&](long task) {
    detail::Bodies bodies;
    const std::size_t first = static_cast<std::size_t>(task) * few;
    for (std::size_t l = first; l < std::min(leaves.size(), first + few); ++l) {
      detail::collect(tree, *leaves[l], static_cast<float>(theta), bodies);
      for (auto i = tree.order.begin() + leaves[l]->begin; i != tree.order.begin() + leaves[l]->end; ++i) {
        push(static_cast<std::size_t>(*i), bodies);
        pull(static_cast<std::size_t>(*i));
      }
    }
  });
  for (const float sum : sums) out.sum += static_cast<double>(sum);
  return out;
}

/// The gradient of KL(exaggeration * P || Q) with respect to the points: [images, 2].
[[nodiscard]] inline std::vector<float> tsne_gradient(const TsneForces& forces, double exaggeration = 1) {
  const float pull = static_cast<float>(4 * exaggeration), push = static_cast<float>(4 / forces.sum);
  std::vector<float> out(forces.pull.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = pull * forces.pull[i] - push * forces.push[i];
  return out;
}

/// KL(P || Q), with Q the q_ij divided by their sum.
[[nodiscard]] inline double tsne_divergence(const Affinities& p, const std::vector<float>& points, double sum) {
  std::vector<double> rows(static_cast<std::size_t>(p.images()));
  cpu::parallel_for(p.images(), [&](long i) {
    const auto at = static_cast<std::size_t>(i);
    for (auto n = static_cast<std::size_t>(p.begin[at]); n < static_cast<std::size_t>(p.begin[at + 1]); ++n) {
      const auto other = static_cast<std::size_t>(p.place[n]);
      const double dx = static_cast<double>(points[2 * at] - points[2 * other]),
                   dy = static_cast<double>(points[2 * at + 1] - points[2 * other + 1]),
                   likely = static_cast<double>(p.value[n]);
      if (likely > 0) rows[at] += likely * std::log(likely * (1 + dx * dx + dy * dy) * sum);
    }
  });
  return std::accumulate(rows.begin(), rows.end(), 0.0);
}

namespace detail {

/// Gradient descent with momentum. Each number has a gain, which grows while it moves in one direction (Jacobs 1988).
class TsneDescent {
 public:
  explicit TsneDescent(std::size_t numbers) : step_(numbers), gain_(numbers, 1) {}

  /// Moves `points`; returns the length of the gradient after the gains.
  double move(std::vector<float>& points, const std::vector<float>& gradient, float rate, float momentum) {
    double squares = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      gain_[i] = std::max(step_[i] * gradient[i] < 0 ? gain_[i] + 0.2f : gain_[i] * 0.8f, 0.01f);
      const float slope = gain_[i] * gradient[i];
      squares += static_cast<double>(slope) * static_cast<double>(slope);
      step_[i] = momentum * step_[i] - rate * slope;
      points[i] += step_[i];
    }
    return std::sqrt(squares);
  }

 private:
  std::vector<float> step_, gain_;
};

/// The points moved to the centre 0 and scaled so that the first coordinates have the standard deviation 1e-4.
inline std::vector<float> shrunk(const std::vector<float>& points) {
  for (const float number : points) check(std::isfinite(number), "t-SNE: a point to start from is at ", number);
  const double count = static_cast<double>(points.size()) / 2;
  double mean[2] = {}, squares = 0;
  for (std::size_t i = 0; i < points.size(); ++i) mean[i % 2] += static_cast<double>(points[i]) / count;
  for (std::size_t i = 0; i < points.size(); i += 2) squares += std::pow(static_cast<double>(points[i]) - mean[0], 2);
  const double spread = std::sqrt(squares / count);
  check(spread > 0, "t-SNE: the first numbers of the points to start from spread by ", spread,
        "; are the features of all images the same?");
  std::vector<float> out;
  for (std::size_t i = 0; i < points.size(); ++i)
    out.push_back(static_cast<float>((static_cast<double>(points[i]) - mean[i % 2]) / spread * 1e-4));
  return out;
}

}  // namespace detail

/// A map of features by t-SNE, from the points `start` [images, 2] on; their scale does not matter. `report(done,
/// divergence)` is called after every 50th iteration. The result is the same for any number of threads.
///
///   const Tsne map = tsne(features, project(principal_axes(features), features));
[[nodiscard]] inline Tsne tsne(const Features& features, const std::vector<float>& start,
                               const TsneOptions& options = {}, const std::function<void(int, double)>& report = {}) {
  constexpr int exploration = 250, patience = 300, every = 50;
  constexpr double exaggeration = 12;
  check(options.iterations > exploration, "t-SNE: ", options.iterations, " iterations; the first ", exploration,
        " exaggerate, so more are needed");
  check(options.theta >= 0 && options.theta <= 1, "t-SNE: theta must be between 0 and 1, not ", options.theta);
  const Affinities p = affinities(features, options.perplexity);
  check(start.size() == 2 * static_cast<std::size_t>(features.images()), "t-SNE: ", start.size() / 2,
        " points to start from, but features of ", features.images(), " images");
  Tsne out{detail::shrunk(start), 0, 0};
  const float rate = static_cast<float>(std::max(features.images() / exaggeration / 4, 50.0));
  detail::TsneDescent descent(out.points.size());
  double best = std::numeric_limits<double>::infinity();
  for (int best_at = 0; out.iterations < options.iterations;) {
    const int i = out.iterations++;
    const bool exploring = i < exploration;
    if (i == exploration) descent = detail::TsneDescent(out.points.size());
    const TsneForces forces = tsne_forces(p, out.points, options.theta);
    const bool looked_at = out.iterations % every == 0 || out.iterations == options.iterations;
    if (looked_at) out.divergence = tsne_divergence(p, out.points, forces.sum);
    const double slope =
        descent.move(out.points, tsne_gradient(forces, exploring ? exaggeration : 1), rate, exploring ? 0.5f : 0.8f);
    if (!looked_at) continue;
    check(std::isfinite(out.divergence), "t-SNE: the divergence became ", out.divergence, " at iteration ",
          out.iterations);
    if (report) report(out.iterations, out.divergence);
    if (exploring) continue;
    if (out.divergence < best) {
      best = out.divergence;
      best_at = i;
    } else if (i - best_at > patience) {
      break;
    }
    if (slope <= 1e-7) break;
  }
  return out;
}

}}  // namespace vitral
VITRAL_KERNELS_END
