// Labels carried through a drifting field, against PyTorch in float64.
#include "segmentation.hpp"

#include <vitral/eval/video/propagation.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

struct Video {
  std::vector<PatchFeatures> frames;
  std::vector<std::vector<double>> labels;
  int classes;
};

Video video() {
  const std::string name = "propagation/features";
  const auto values = segmentation_file().values<float>(name);
  const auto labels = segmentation_file().values<double>("propagation/labels");
  const int frames = extent(name, 0), rows = extent(name, 1), columns = extent(name, 2), width = extent(name, 3);
  Video out{{}, {}, extent("propagation/labels", 2)};
  const long count = long{rows} * columns * width, marks = long{rows} * columns * out.classes;
  for (int t = 0; t < frames; ++t) {
    out.frames.push_back({rows, columns, width, {values.begin() + t * count, values.begin() + (t + 1) * count}});
    out.labels.emplace_back(labels.begin() + t * marks, labels.begin() + (t + 1) * marks);
  }
  return out;
}

const PropagationOptions as_fixture{.last_frames = 2, .top = 5, .radius = 2, .temperature = 0.1f};

}  // namespace

TEST_CASE("labels of every frame are PyTorch's, from the first frame and the last two") {
  const Video v = video();
  LabelPropagation propagation(v.frames[0], {v.labels[0].begin(), v.labels[0].end()}, v.classes, as_fixture);
  for (std::size_t t = 1; t < v.frames.size(); ++t) {
    CAPTURE(t);
    const PatchLabels& labels = propagation.next(v.frames[t]);
    double most = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) most = std::max(most, std::abs(double{labels[i]} - v.labels[t][i]));
    CHECK(most < 1e-5);
  }
}

TEST_CASE("labels do not depend on the number of threads") {
  const Video v = video();
  const int before = cpu::threads();
  std::vector<PatchLabels> last;
  for (const int threads : {1, 2}) {
    cpu::set_threads(threads);
    LabelPropagation propagation(v.frames[0], {v.labels[0].begin(), v.labels[0].end()}, v.classes, as_fixture);
    for (std::size_t t = 1; t + 1 < v.frames.size(); ++t) propagation.next(v.frames[t]);
    last.push_back(propagation.next(v.frames.back()));
  }
  cpu::set_threads(before);
  CHECK(last[0] == last[1]);
}

TEST_CASE("a patch takes its label from the most similar patch, but from none outside the radius") {
  // Four patches in a row, each alike to its mirror image.
  const PatchFeatures first{1, 4, 2, {1, 0, 0, 1, 1, 1, -1, 1}}, mirrored{1, 4, 2, {-1, 1, 1, 1, 0, 1, 1, 0}};
  const PatchLabels ends{0, 1, 1, 0, 1, 0, 1, 0};  // class 1 at the left end
  const auto class1 = [&](int radius) {
    LabelPropagation propagation(first, ends, 2, {.last_frames = 1, .top = 1, .radius = radius});
    const PatchLabels labels = propagation.next(mirrored);
    return std::vector{labels[1], labels[3], labels[5], labels[7]};
  };
  CHECK(class1(3) == std::vector<float>{0, 0, 0, 1});
  CHECK(class1(2) == std::vector<float>{0, 0, 0, 0});
  CHECK(class1(0) == std::vector<float>{1, 0, 0, 0});
}

TEST_CASE("the class of a pixel is that of PyTorch's enlarged and stretched labels") {
  const Video v = video();
  const LabelMap map =
      label_map({v.labels.back().begin(), v.labels.back().end()}, v.frames[0].rows, v.frames[0].columns, v.classes, 4);
  CHECK(map.height == 24);
  CHECK(map.label == map_of("propagation/map").label);
}

TEST_CASE("masks become smaller and larger pixel by pixel as in PIL") {
  for (const std::string name : {"masks/smaller", "masks/larger"}) {
    CAPTURE(name);
    const LabelMap expected = map_of(name);
    CHECK(resize_nearest(map_of("masks/truth"), expected.height, expected.width).label == expected.label);
  }
}

TEST_CASE("every pixel of a mask has one class; void is background") {
  CHECK(one_hot({1, 3, {2, 0, 255}}, 3) == PatchLabels{0, 0, 1, 1, 0, 0, 1, 0, 0});
  CHECK_THROWS_WITH_AS(static_cast<void>(one_hot({1, 1, {3}}, 3)), doctest::Contains("label 3 is not one of 0 to 2"),
                       Error);
}

TEST_CASE("frames of other sizes, and labels that do not fit, are refused with both sizes") {
  const PatchFeatures first{1, 2, 1, {1, 1}};
  CHECK_THROWS_WITH_AS(LabelPropagation(first, {1, 0, 0}, 2),
                       doctest::Contains("3 labels, expected 2 for each of 2 patches"), Error);
  LabelPropagation propagation(first, {1, 0, 0, 1}, 2);
  CHECK_THROWS_WITH_AS(propagation.next({2, 1, 1, {1, 1}}),
                       doctest::Contains("a frame of 2 x 1 patches of width 1 follows one of 1 x 2 of width 1"), Error);
}

TEST_CASE("masks and frames without pixels, or with too few numbers, are refused") {
  CHECK_THROWS_AS(LabelPropagation({0, 0, 4, {}}, {}, 1), Error);
  CHECK_THROWS_AS(LabelPropagation({1, 1, 0, {}}, {1}, 1), Error);
  CHECK_THROWS_AS((void)resize_nearest({2, 2, {0, 0, 0}}, 1, 1), Error);
  CHECK_THROWS_AS((void)resize_nearest({0, 0, {}}, 1, 1), Error);
  CHECK_THROWS_AS((void)resize_nearest({1, 1, {0}}, 0, 1), Error);
  CHECK_THROWS_AS((void)label_map({1}, 1, 1, 0, 1), Error);
  CHECK_THROWS_AS((void)label_map({1}, 1, 2, 1, 1), Error);
  CHECK_THROWS_AS((void)region_similarity({1, 2, {0}}, {1, 2, {0}}, 1), Error);
  CHECK_THROWS_AS((void)contour_accuracy({0, 0, {}}, {0, 0, {}}, 1), Error);
}
