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

/// The mean over the classes of the share of their images that are classified correctly, the score of Flowers-102 and
/// Pets: a rare class counts as much as a common one. Classes without an image do not count.
class ClassMean {
 public:
  void add(int label, bool is_right) {
    const auto at = static_cast<std::size_t>(label);
    if (at >= images_.size()) images_.resize(at + 1), right_.resize(at + 1);
    ++images_[at];
    right_[at] += is_right;
  }
  [[nodiscard]] double value() const {
    double sum = 0;
    int classes = 0;
    for (std::size_t i = 0; i < images_.size(); ++i) {
      if (images_[i] == 0) continue;
      sum += static_cast<double>(right_[i]) / static_cast<double>(images_[i]);
      ++classes;
    }
    check(classes > 0, "accuracy: no image was classified");
    return sum / classes;
  }

 private:
  std::vector<long> images_, right_;  // of each class
};

/// Counts images, and for how many the label was the first guess or among the first five.
struct TopCount {
  long images = 0, first = 0, first_five = 0;

  void add(int rank) {
    ++images;
    first += rank == 0;
    first_five += rank < 5;
  }
  [[nodiscard]] double top1() const { return share(first); }
  [[nodiscard]] double top5() const { return share(first_five); }

 private:
  [[nodiscard]] double share(long right) const {
    check(images > 0, "accuracy: no image was classified");
    return static_cast<double>(right) / static_cast<double>(images);
  }
};

}}  // namespace vitral
