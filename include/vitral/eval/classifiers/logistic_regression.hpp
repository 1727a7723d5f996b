// Softmax regression on frozen features by L-BFGS, with scikit-learn's objective.
#pragma once

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/eval/classifiers/lbfgs.hpp>
#include <vitral/eval/features.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace vitral { inline namespace VITRAL_ABI {

/// logits = weight x + bias.
struct LinearClassifier {
  std::vector<double> weight;  ///< [classes, width]
  std::vector<double> bias;    ///< [classes]

  [[nodiscard]] int classes() const { return static_cast<int>(bias.size()); }
};

namespace detail {

/// The rows [images, width].
inline std::vector<double> doubles_of(const Features& features) {
  std::vector<float> copy;
  const std::span<const float> rows = all_rows(features, copy);
  return {rows.begin(), rows.end()};
}

/// Replaces a row of logits by the gradient of its cross entropy, softmax - target; returns the cross entropy.
template <class T>
T to_slopes(T* logits, int classes, int label) {
  const T most = *std::max_element(logits, logits + classes), target = logits[label];
  T sum = 0;
  for (int c = 0; c < classes; ++c) sum += logits[c] = std::exp(logits[c] - most);
  for (int c = 0; c < classes; ++c) logits[c] /= sum;
  logits[label] -= 1;
  return most + std::log(sum) - target;
}

}  // namespace detail

/// The classifier that minimises C * (sum of cross entropies) + |weight|^2 / 2, scikit-learn's LogisticRegression(C).
/// The bias is not penalised. Throws Error where a label is missing or not one of the classes.
///
///   const LinearClassifier classifier = logistic_regression(known.back());
///   const auto guesses = ranked_classes(class_probabilities(classifier, asked.back()), classes);  // best first
[[nodiscard]] inline LinearClassifier logistic_regression(const Features& train, double c = 1,
                                                          const LbfgsOptions& options = {}) {
  detail::check_labels(train);
  check(c > 0, "logistic regression: C must be above 0, not ", c);
  const long rows = train.images(), width = train.width, classes = train.classes, weights = classes * width;
  const std::vector<double> x = detail::doubles_of(train);
  std::vector<double> parameters(static_cast<std::size_t>(weights + classes)),
      logits(static_cast<std::size_t>(rows * classes)), losses(static_cast<std::size_t>(rows));
  const auto objective = [&](const std::vector<double>& p, std::vector<double>& gradient) {
    for (long i = 0; i < rows; ++i) std::copy_n(p.data() + weights, classes, logits.data() + i * classes);
    Cpu::matmul(row_major(x.data(), rows, width), transposed(row_major(p.data(), classes, width)),
                row_major(logits.data(), rows, classes), true);
    cpu::parallel_for(rows, [&](long i) {
      const auto at = static_cast<std::size_t>(i);
      losses[at] = detail::to_slopes(logits.data() + i * classes, static_cast<int>(classes), train.labels[at]);
    });
    Cpu::matmul(transposed(row_major<const double>(logits.data(), rows, classes)), row_major(x.data(), rows, width),
                row_major(gradient.data(), classes, width), false);
    double squares = 0;
    for (long i = 0; i < weights; ++i) {
      const auto at = static_cast<std::size_t>(i);
      squares += p[at] * p[at];
      gradient[at] = c * gradient[at] + p[at];
    }
    for (long k = 0; k < classes; ++k) {
      double sum = 0;
      for (long i = 0; i < rows; ++i) sum += logits[static_cast<std::size_t>(i * classes + k)];
      gradient[static_cast<std::size_t>(weights + k)] = c * sum;
    }
    return c * std::accumulate(losses.begin(), losses.end(), 0.0) + squares / 2;
  };
  lbfgs(parameters, objective, options);
  const auto bias = parameters.begin() + weights;
  return {{parameters.begin(), bias}, {bias, parameters.end()}};
}

/// The probability of every class for each row of features: [rows, classes].
[[nodiscard]] inline std::vector<double> class_probabilities(const LinearClassifier& classifier, const Features& test) {
  check_rows(test, "a linear classifier");
  const long classes = classifier.classes(), rows = test.images(), width = test.width;
  check(classes > 0 && std::ssize(classifier.weight) == classes * width, "a linear classifier of ", classes,
        " classes with ", classifier.weight.size(), " weights does not take features of width ", width);
  const std::vector<double> x = detail::doubles_of(test);
  std::vector<double> out(static_cast<std::size_t>(rows * classes));
  for (long i = 0; i < rows; ++i) std::copy_n(classifier.bias.data(), classes, out.data() + i * classes);
  Cpu::matmul(row_major(x.data(), rows, width), transposed(row_major(classifier.weight.data(), classes, width)),
              row_major(out.data(), rows, classes), true);
  Cpu::softmax_forward(static_cast<const double*>(out.data()), out.data(), rows, classes);
  return out;
}

/// The classes of each row of `scores` [rows, classes], the highest score first; of equal scores, the lower class.
[[nodiscard]] inline std::vector<int> ranked_classes(const std::vector<double>& scores, int classes) {
  check(!scores.empty() && classes > 0 && std::ssize(scores) % classes == 0, "ranked classes: ", scores.size(),
        " scores are no rows of ", classes, " classes");
  for (const double score : scores) check(!std::isnan(score), "ranked classes: a score is not a number");
  std::vector<int> out(scores.size());
  cpu::parallel_for(static_cast<long>(scores.size()) / classes, [&](long i) {
    const auto row = out.begin() + i * classes;
    const auto score = scores.begin() + i * classes;
    std::iota(row, row + classes, 0);
    std::stable_sort(row, row + classes, [&](int a, int b) { return score[a] > score[b]; });
  });
  return out;
}

}}  // namespace vitral
