// Top-1 and top-5 accuracy of a classifier that gives a score to each class.
#pragma once

#include <vitral/core/error.hpp>

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
