// J and F by hand, and against distances that SciPy computes.
#include "segmentation.hpp"

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

/// A map of one object from lines of text: '#' is the object, '?' is void.
LabelMap drawn(const std::vector<std::string>& lines) {
  LabelMap map{static_cast<int>(lines.size()), static_cast<int>(lines[0].size()), {}};
  for (const std::string& line : lines)
    for (const char c : line) map.label.push_back(c == '#' ? 1 : c == '?' ? 255 : 0);
  return map;
}

}  // namespace

TEST_CASE("J is the intersection over the union") {
  const LabelMap truth = drawn({"##..", "##..", "...."}), found = drawn({".##.", ".##.", "...."});
  CHECK(region_similarity(found, truth, 1) == doctest::Approx(2.0 / 6));
  CHECK(region_similarity(truth, truth, 1) == 1);
}

TEST_CASE("an object that neither has is right, and one that only either has is wrong") {
  const LabelMap nothing = drawn({"....", "...."}), something = drawn({".#..", "...."});
  for (const auto measure : {region_similarity, contour_accuracy}) {
    CHECK(measure(nothing, nothing, 1) == 1);
    CHECK(measure(something, nothing, 1) == 0);
    CHECK(measure(nothing, something, 1) == 0);
  }
}

TEST_CASE("void pixels of the truth belong to no object, whatever was found there") {
  const LabelMap truth = drawn({"##??", "##??"}), found = drawn({"###.", "####"});
  CHECK(region_similarity(found, truth, 1) == 1);
  CHECK(contour_accuracy(found, truth, 1) == 1);
}

TEST_CASE("the boundary is where a pixel differs from those to the right and below") {
  const LabelMap map = drawn({"....", ".##.", ".##.", "...#"});
  const auto boundary = detail::boundary(map.label, 4, 4);
  CHECK(boundary == drawn({"###.", "#.#.", "####", "..#."}).label);
}

TEST_CASE("F counts boundary pixels within the tolerance, which is a disk") {
  // The diagonal is 5: pixels 1 away match, those diagonally beside do not.
  const std::vector<std::uint8_t> one = drawn({"....", ".#..", "...."}).label,
                                  side = drawn({"....", "..#.", "...."}).label,
                                  corner = drawn({"....", "....", "..#."}).label;
  CHECK(detail::matched_share(one, side, 3, 4, 1) == 1);
  CHECK(detail::matched_share(one, corner, 3, 4, 1) == 0);
  CHECK(detail::matched_share(one, corner, 3, 4, 2) == 1);
}

TEST_CASE("J and F of wavy objects are those of SciPy's distances") {
  const LabelMap truth = map_of("masks/truth"), found = map_of("masks/found");
  const auto j = segmentation_file().values<double>("masks/j"), f = segmentation_file().values<double>("masks/f");
  for (std::size_t i = 0; i < j.size(); ++i) {
    const int object = static_cast<int>(i) + 1;
    CAPTURE(object);
    CHECK(region_similarity(found, truth, object) == doctest::Approx(j[i]).epsilon(1e-12));
    CHECK(contour_accuracy(found, truth, object) == doctest::Approx(f[i]).epsilon(1e-12));
  }
}

TEST_CASE("mean, recall and decay are those of NumPy, of short videos and of long ones") {
  for (const std::string count : {"1", "7", "30"}) {
    CAPTURE(count);
    const auto frames = segmentation_file().values<double>("statistics" + count + "/frames"),
               expected = segmentation_file().values<double>("statistics" + count + "/score");
    const SegmentationScore score = segmentation_score(frames);
    CHECK(score.mean == doctest::Approx(expected[0]).epsilon(1e-12));
    CHECK(score.recall == doctest::Approx(expected[1]).epsilon(1e-12));
    CHECK(score.decay == doctest::Approx(expected[2]).epsilon(1e-12));
  }
}

TEST_CASE("masks of two sizes cannot be compared") {
  const LabelMap wide = drawn({"...."}), high = drawn({".", "."});
  CHECK_THROWS_WITH_AS(static_cast<void>(region_similarity(wide, high, 1)),
                       doctest::Contains("a mask of 1 x 4 pixels cannot be compared with one of 2 x 1"), Error);
}
