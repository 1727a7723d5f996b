#include "temporary.hpp"

#include <vitral/data/resize.hpp>

using namespace vitral;
using testing::Computed;

namespace {

std::vector<float> resized(const Image& image, const PixelBox& crop, int size, Interpolation kind, bool flip = false) {
  std::vector<float> planes(static_cast<std::size_t>(3 * size * size));
  resize(image, crop, size, kind, flip, planes.data());
  return planes;
}

// One row of gray pixels, repeated, so that only the horizontal filter matters.
Image row_of(const std::vector<int>& values) {
  const int n = static_cast<int>(values.size());
  Image image{n, n, {}};
  for (int y = 0; y < n; ++y)
    for (const int value : values) image.rgb.insert(image.rgb.end(), 3, static_cast<std::uint8_t>(value));
  return image;
}

}  // namespace

TEST_CASE("a crop resized to its own size is exact, with either filter") {
  const Image image = Computed{1, 12}.image(0);
  for (const auto kind : {Interpolation::bilinear, Interpolation::bicubic}) {
    const std::vector<float> planes = resized(image, {3, 2, 8, 8}, 8, kind);
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 8; ++y)
        for (int x = 0; x < 8; ++x)
          REQUIRE(planes[static_cast<std::size_t>((c * 8 + y) * 8 + x)] ==
                  static_cast<float>(image.rgb[static_cast<std::size_t>(((y + 3) * 12 + x + 2) * 3 + c)]) / 255);
  }
}

TEST_CASE("a constant image stays constant at every size") {
  Image image{9, 14, std::vector<std::uint8_t>(9 * 14 * 3, 100)};
  for (const auto kind : {Interpolation::bilinear, Interpolation::bicubic})
    for (const int size : {1, 3, 9, 14, 40})
      for (const float value : resized(image, {0, 0, 9, 14}, size, kind))
        REQUIRE(value == doctest::Approx(100.0 / 255).epsilon(1e-6));
}

TEST_CASE("bilinear resizing by half weighs four pixels 1, 3, 3, 1 and leaves out what lies beyond the border") {
  const std::vector<float> planes = resized(row_of({10, 20, 40, 80}), {0, 0, 4, 4}, 2, Interpolation::bilinear);
  CHECK(planes[0] * 255 == doctest::Approx((3 * 10 + 3 * 20 + 40) / 7.0));
  CHECK(planes[1] * 255 == doctest::Approx((20 + 3 * 40 + 3 * 80) / 7.0));
}

TEST_CASE("resizing to twice the size interpolates at quarter pixels") {
  const std::vector<float> linear = resized(row_of({10, 20, 40, 80}), {0, 0, 4, 4}, 8, Interpolation::bilinear);
  CHECK(linear[0] * 255 == doctest::Approx(10));
  CHECK(linear[3] * 255 == doctest::Approx(0.75 * 20 + 0.25 * 40));
  // Keys' cubic at distances 1.25, 0.25, 0.75 and 1.75 from the four pixels around
  const std::vector<float> cubic = resized(row_of({10, 20, 40, 80}), {0, 0, 4, 4}, 8, Interpolation::bicubic);
  CHECK(cubic[3] * 255 == doctest::Approx(-0.0703125 * 10 + 0.8671875 * 20 + 0.2265625 * 40 - 0.0234375 * 80));
}

TEST_CASE("nothing outside the crop is read") {
  Image image{6, 6, std::vector<std::uint8_t>(108, 255)};
  for (int y = 2; y < 4; ++y)
    for (int i = 6; i < 12; ++i) image.rgb[static_cast<std::size_t>(y * 18 + i)] = 0;
  for (const float value : resized(image, {2, 2, 2, 2}, 5, Interpolation::bicubic)) REQUIRE(value == 0);
}

TEST_CASE("the cubic filter's overshoot is cut off at black and white") {
  for (const float value : resized(row_of({0, 0, 255, 255}), {0, 0, 4, 4}, 16, Interpolation::bicubic)) {
    REQUIRE(value >= 0);
    REQUIRE(value <= 1);
  }
}

TEST_CASE("a flipped view is the exact mirror") {
  const Image image = Computed{1, 13}.image(0);
  const std::vector<float> plain = resized(image, {1, 2, 7, 9}, 8, Interpolation::bilinear);
  const std::vector<float> mirror = resized(image, {1, 2, 7, 9}, 8, Interpolation::bilinear, true);
  CHECK(plain != mirror);
  for (std::size_t row = 0; row < 24; ++row)
    for (std::size_t x = 0; x < 8; ++x) REQUIRE(mirror[row * 8 + x] == plain[row * 8 + 7 - x]);
}

TEST_CASE("a crop that leaves the image is an error") {
  const Image image = Computed{1}.image(0);
  for (const PixelBox& box : {PixelBox{0, 1, 8, 8}, PixelBox{1, 0, 8, 8}, PixelBox{-1, 0, 4, 4}, PixelBox{0, 0, 0, 4}})
    CHECK_THROWS_AS(resized(image, box, 4, Interpolation::bilinear), Error);
}
