// Random erasing against timm's definition (timm/data/random_erasing.py: RandomErasing with mode "pixel", which draws
// the sides of a rectangle by area and ratio up to ten times, and takes one that is smaller than the image), and for
// given draws (tests/fixtures/make_mixup.py made the answers).
#include <vitral/data/erasing.hpp>
#include <vitral/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace vitral;

namespace {

/// The draws of one view, as Random would make them: four for each attempt, after the one that lets it be erased.
struct GivenDraws {
  const double* draws;
  double uniform(std::uint64_t index) const {
    return index == detail::draw_erasing ? 0 : draws[index - detail::draw_erasing - 1];
  }
  std::uint32_t below(std::uint64_t index, std::uint32_t n) const {
    return static_cast<std::uint32_t>(uniform(index) * n);
  }
};

}  // namespace

TEST_CASE("the same draws erase the rectangle that timm erases, the first one that fits") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/mixup.safetensors");
  int none = 0;
  for (const std::string kind : {"erasing.usual/", "erasing.large/"}) {
    const auto area = file.values<double>(kind + "area"), draws = file.values<double>(kind + "draws");
    const auto boxes = file.values<int>(kind + "box");
    const RandomErasing erasing{.probability = 1,
                                .area_min = area[0],
                                .area_max = area[1],
                                .ratio_min = file.values<double>(kind + "ratio")[0]};
    for (std::size_t i = 0; 4 * i < boxes.size(); ++i) {
      CAPTURE(kind);
      CAPTURE(i);
      const PixelBox box = erasing.draw(file.values<int>(kind + "side")[0], GivenDraws{&draws[40 * i]});
      CHECK(box.top == boxes[4 * i]);
      CHECK(box.left == boxes[4 * i + 1]);
      CHECK(box.height == boxes[4 * i + 2]);
      CHECK(box.width == boxes[4 * i + 3]);
      none += box.height == 0;
    }
  }
  CHECK(none > 0);  // ten attempts in vain are among them
  const auto view = file.values<double>("erase/view"), noise = file.values<double>("erase/noise");
  const auto box = file.values<int>("erase/box");
  std::vector<float> planes(view.begin(), view.end());
  erase(planes.data(), 5, {box[0], box[1], box[2], box[3]}, [&](std::uint64_t i) { return noise[i]; });
  const auto after = file.values<double>("erase/after");
  CHECK(std::vector<double>(planes.begin(), planes.end()) == after);
}

TEST_CASE("a quarter of the views is erased, by rectangles of timm's areas and ratios, anywhere") {
  const RandomErasing erasing{.probability = 0.25};
  CHECK(erasing.area_min == 0.02);
  CHECK(erasing.area_max == doctest::Approx(1.0 / 3));
  CHECK(erasing.ratio_min == 0.3);
  constexpr int side = 224;
  int erased = 0, tall = 0;
  double area = 0, smallest = 1, largest = 0, top = 0, left = 0, lowest = 10, highest = 0;
  for (std::uint64_t i = 0; i < 8000; ++i) {
    const PixelBox box = erasing.draw(side, {7, 1, i});
    if (box.height == 0) continue;
    ++erased;
    REQUIRE(box.top >= 0);
    REQUIRE(box.left >= 0);
    REQUIRE(box.top + box.height <= side);
    REQUIRE(box.left + box.width <= side);
    const double share = static_cast<double>(box.height) * box.width / (side * side),
                 ratio = static_cast<double>(box.height) / box.width;
    area += share;
    smallest = std::min(smallest, share);
    largest = std::max(largest, share);
    lowest = std::min(lowest, ratio);
    highest = std::max(highest, ratio);
    tall += box.height > box.width;
    top += static_cast<double>(box.top) / (side - box.height);
    left += static_cast<double>(box.left) / (side - box.width);
  }
  CHECK(erased == doctest::Approx(2000).epsilon(0.06));
  CHECK(area / erased == doctest::Approx((0.02 + 1.0 / 3) / 2).epsilon(0.03));
  CHECK(smallest > 0.019);
  CHECK(smallest < 0.022);
  CHECK(largest < 0.336);
  CHECK(largest > 0.33);
  CHECK(lowest == doctest::Approx(0.3).epsilon(0.05));
  CHECK(highest == doctest::Approx(1 / 0.3).epsilon(0.05));
  CHECK(tall == doctest::Approx(erased / 2.0).epsilon(0.06));
  CHECK(top / erased == doctest::Approx(0.5).epsilon(0.04));
  CHECK(left / erased == doctest::Approx(0.5).epsilon(0.04));
  CHECK(RandomErasing{}.draw(side, {7, 1, 0}).height == 0);
}

TEST_CASE("what is erased is standard normal noise, a number for each value, and nothing else changes") {
  constexpr int side = 64;
  const RandomErasing erasing{.probability = 1};
  double sum = 0, squares = 0;
  long count = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const Random random{7, 1, i};
    const PixelBox box = erasing.draw(side, random);
    std::vector<float> planes(3 * side * side, 100);
    erasing(planes.data(), side, random);
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x) {
          const auto value = static_cast<double>(planes[static_cast<std::size_t>((c * side + y) * side + x)]);
          const bool inside = y >= box.top && y < box.top + box.height && x >= box.left && x < box.left + box.width;
          REQUIRE((value == 100) == !inside);
          if (!inside) continue;
          sum += value;
          squares += value * value;
          ++count;
        }
  }
  CHECK(sum / static_cast<double>(count) == doctest::Approx(0).epsilon(0.02));
  CHECK(squares / static_cast<double>(count) == doctest::Approx(1).epsilon(0.02));
  CHECK_THROWS_WITH_AS(check_erasing({.probability = 2}), doctest::Contains("a probability of 2; expected 0 to 1"),
                       Error);
}
