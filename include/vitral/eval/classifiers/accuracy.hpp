// Top-1 and top-5 accuracy of a classifier that gives a score to each class, and top-1 accuracy as a mean over classes.
#pragma once

#include <vitral/core/error.hpp>

#include <cstddef>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// How many classes rank before `label`: 0 where the classifier is right. A higher score ranks first; of equal scores,
/// the lower class. A score that is NaN ranks before all, so that a classifier that diverged is never right.
[[nodiscard]] inline int rank_of_label(const float* scores, int classes, int label) {
  check(label >= 0 && label < classes, "accuracy: label ", label, " is not one of 0 to ", classes - 1);
  int before = 0;
  for (int c = 0; c < label; ++c) before += !(scores[c] < scores[label]);
  for (int c = label + 1; c < classes; ++c) before += !(scores[c] <= scores[label]);
  return before;
}

/// Counts images, and for how many the label was the first guess or among the first five.
struct TopCount {
  long images = 0, first = 0, first_five = 0;

  /// An image of the class `label`, before which `rank` classes were guessed.
  void add(int rank, int label) {
    ++images;
    first += rank == 0;
    first_five += rank < 5;
    const auto at = static_cast<std::size_t>(label);
    if (at >= of_class_.size()) of_class_.resize(at + 1);
    ++of_class_[at].images;
    of_class_[at].first += rank == 0;
  }
  [[nodiscard]] double top1() const { return share(first, images); }
  [[nodiscard]] double top5() const { return share(first_five, images); }
  /// The mean of the classes' own top-1 accuracies, the score of Flowers-102 and Pets: a rare class counts as much as a
  /// common one. Classes without an image do not count.
  [[nodiscard]] double mean_per_class() const {
    double sum = 0;
    int classes = 0;
    for (const OfClass& of : of_class_) {
      if (of.images == 0) continue;
      sum += share(of.first, of.images);
      ++classes;
    }
    check(classes > 0, "accuracy: no image was classified");
    return sum / classes;
  }

 private:
  struct OfClass {
    long images = 0, first = 0;
  };
  [[nodiscard]] static double share(long right, long all) {
    check(all > 0, "accuracy: no image was classified");
    return static_cast<double>(right) / static_cast<double>(all);
  }
  std::vector<OfClass> of_class_;
};

}}  // namespace vitral
