// t-SNE: images as points of a plane whose neighbourhoods are those of their features (van der Maaten and Hinton 2008),
// by Barnes and Hut's trees (van der Maaten 2014), with the rates and the start that Kobak and Berens (2019) recommend:
// the defaults of scikit-learn 1.2.
#pragma once

#include <vitral/eval/affinities.hpp>
#include <vitral/eval/principal.hpp>
#include <vitral/eval/repulsion.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

VITRAL_KERNELS_BEGIN
namespace vitral::inline VITRAL_ABI {

struct TsneOptions {
  double perplexity = 30;  ///< about how many neighbours an image has
  int iterations = 1000;
  double theta = 0.5;      ///< what is seen as one: cells narrower than theta times their distance; 0 = exact
};

/// Points of the plane, rows [images, 2], and how far their neighbourhoods are from those of the features.
struct Tsne {
  std::vector<float> points;
  double divergence = 0;  ///< Kullback and Leibler's, in nats
  int iterations = 0;     ///< that were done; fewer than asked for where nothing moves any more
};

/// KL(P || Q) for q_ij = 1 / (1 + |y_i - y_j|^2) over the sum of all; `repelled` is that of these points.
[[nodiscard]] inline double tsne_divergence(const Affinities& p, const std::vector<float>& points,
                                            const Repulsion& repelled) {
  std::vector<double> rows(static_cast<std::size_t>(p.images()));
  cpu::parallel_for(p.images(), [&](long i) {
    const auto at = static_cast<std::size_t>(i);
    for (auto n = static_cast<std::size_t>(p.begin[at]); n < static_cast<std::size_t>(p.begin[at + 1]); ++n) {
      const auto other = static_cast<std::size_t>(p.place[n]);
      const double dx = static_cast<double>(points[2 * at] - points[2 * other]),
                   dy = static_cast<double>(points[2 * at + 1] - points[2 * other + 1]),
                   likely = static_cast<double>(p.value[n]);
      if (likely > 0) rows[at] += likely * std::log(likely * (1 + dx * dx + dy * dy) * repelled.sum);
    }
  });
  return std::accumulate(rows.begin(), rows.end(), 0.0);
}

/// The gradient of KL(exaggeration * P || Q) by the points: [images, 2].
[[nodiscard]] inline std::vector<float> tsne_gradient(const Affinities& p, const std::vector<float>& points,
                                                      const Repulsion& repelled, double exaggeration = 1) {
  std::vector<float> out(points.size());
  const float *const y = points.data(), pull = static_cast<float>(4 * exaggeration),
              push = static_cast<float>(4 / repelled.sum);
  cpu::parallel_for(p.images(), [&](long i) {
    const long begin = p.begin[static_cast<std::size_t>(i)], end = p.begin[static_cast<std::size_t>(i + 1)];
    const int* const place = p.place.data();
    const float *const value = p.value.data(), at_x = y[2 * i], at_y = y[2 * i + 1];
    float x_sum = 0, y_sum = 0;
#pragma omp simd reduction(+ : x_sum, y_sum)
    for (long n = begin; n < end; ++n) {
      const float dx = at_x - y[2 * place[n]], dy = at_y - y[2 * place[n] + 1];
      const float weight = value[n] / (1 + dx * dx + dy * dy);
      x_sum += weight * dx;
      y_sum += weight * dy;
    }
    const auto at = static_cast<std::size_t>(2 * i);
    out[at] = pull * x_sum - push * repelled.force[at];
    out[at + 1] = pull * y_sum - push * repelled.force[at + 1];
  });
  return out;
}

namespace detail {

/// Gradient descent with momentum, and a gain for each number that grows while its gradient keeps its sign (Jacobs 1988).
class TsneDescent {
 public:
  explicit TsneDescent(std::size_t numbers) : step_(numbers), gain_(numbers, 1) {}

  /// Moves `points`; returns the length of the gradient times the gains.
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

/// The features' first two principal components, small: the first has the standard deviation 1e-4.
inline std::vector<float> tsne_start(const Features& features) {
  const PrincipalAxes axes = principal_axes(features);
  check(axes.variance[0] > 0, "t-SNE: the features of all ", features.images(), " images are the same");
  check(features.width >= 2, "t-SNE: features have width 1, but a plane needs two numbers");
  std::vector<float> points = project(axes, features, 2);
  const double images = features.images(), spread = std::sqrt(axes.variance[0] * (images - 1) / images);
  for (float& number : points) number = static_cast<float>(static_cast<double>(number) / spread * 1e-4);
  return points;
}

}  // namespace detail

/// The same numbers for any number of threads. `report(done, divergence)` hears of every 50th iteration.
[[nodiscard]] inline Tsne tsne(const Features& features, const TsneOptions& options = {},
                               const std::function<void(int, double)>& report = {}) {
  constexpr int exploration = 250, patience = 300, every = 50;
  constexpr double exaggeration = 12;
  check(options.iterations > exploration, "t-SNE: ", options.iterations, " iterations; the first ", exploration,
        " exaggerate, so more are needed");
  check(options.theta >= 0 && options.theta <= 1, "t-SNE: theta must be between 0 and 1, not ", options.theta);
  const Affinities p = affinities(features, options.perplexity);
  Tsne out{detail::tsne_start(features), 0, 0};
  const float rate = static_cast<float>(std::max(features.images() / exaggeration / 4, 50.0));
  detail::TsneDescent descent(out.points.size());
  double best = std::numeric_limits<double>::infinity();
  for (int best_at = 0; out.iterations < options.iterations;) {
    const int i = out.iterations++;
    const bool exploring = i < exploration;
    if (i == exploration) descent = detail::TsneDescent(out.points.size());
    const Repulsion repelled = repulsion(out.points, options.theta);
    const bool looked_at = out.iterations % every == 0 || out.iterations == options.iterations;
    if (looked_at) out.divergence = tsne_divergence(p, out.points, repelled);
    const double slope = descent.move(out.points, tsne_gradient(p, out.points, repelled, exploring ? exaggeration : 1),
                                      rate, exploring ? 0.5f : 0.8f);
    if (!looked_at) continue;
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

}  // namespace vitral::inline VITRAL_ABI
VITRAL_KERNELS_END
