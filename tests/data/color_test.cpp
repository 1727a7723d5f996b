#include "temporary.hpp"

#include <vitral/data/blur.hpp>
#include <vitral/data/color.hpp>

#include <algorithm>
#include <cmath>

using namespace vitral;

namespace {

constexpr int count = 200;

std::vector<float> colors() {
  std::vector<float> planes(3 * count);
  for (std::size_t i = 0; i < planes.size(); ++i) planes[i] = static_cast<float>(i * i * 31 % 256) / 255;
  for (std::size_t i = 0; i < 3; ++i) planes[i * count] = planes[i * count + 1] = 0.4f;  // two gray pixels
  return planes;
}

constexpr float hue_step = 6.0f / 255;  // what one of PIL's steps of the hue moves a channel by, at most

void check_close(const std::vector<float>& a, const std::vector<float>& b, float tolerance = 2e-6f) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(std::abs(a[i] - b[i]) < tolerance);
}

}  // namespace

TEST_CASE("factors of 1 and a hue turn of 0 change nothing") {
  std::vector<float> planes = colors();
  adjust_brightness(planes.data(), count, 1);
  adjust_contrast(planes.data(), count, 1);
  adjust_saturation(planes.data(), count, 1);
  check_close(planes, colors());
  adjust_hue(planes.data(), count, 0);
  check_close(planes, colors(), hue_step);
}

TEST_CASE("brightness scales and stops at white") {
  std::vector<float> planes{0.2f, 0.5f, 0.9f};
  adjust_brightness(planes.data(), 1, 1.4f);
  check_close(planes, {0.28f, 0.7f, 1});
}

TEST_CASE("contrast scales about the mean luma of the whole image") {
  std::vector<float> planes{0.2f, 0.6f, 0.2f, 0.6f, 0.2f, 0.6f};
  adjust_contrast(planes.data(), 2, 0.5f);
  check_close(planes, {0.3f, 0.5f, 0.3f, 0.5f, 0.3f, 0.5f});
  adjust_contrast(planes.data(), 2, 0);
  check_close(planes, std::vector<float>(6, 0.4f));
}

TEST_CASE("saturation 0 is grayscale, which has three equal channels of BT.601 luma") {
  std::vector<float> gray = colors(), faded = colors();
  to_grayscale(gray.data(), count);
  adjust_saturation(faded.data(), count, 0);
  check_close(gray, faded);
  const std::vector<float> from = colors();
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(gray[i] == gray[i + count]);
    REQUIRE(gray[i] == gray[i + 2 * count]);
    REQUIRE(gray[i] == doctest::Approx(0.299 * from[i] + 0.587 * from[i + count] + 0.114 * from[i + 2 * count]));
  }
}

TEST_CASE("a third of the hue circle moves each channel to the next, and three of them back") {
  const std::vector<float> from = colors();
  std::vector<float> planes = from;
  adjust_hue(planes.data(), count, 1.0f / 3);
  std::vector<float> next(from.begin() + 2 * count, from.end());  // blue becomes red, red green, green blue
  next.insert(next.end(), from.begin(), from.begin() + 2 * count);
  check_close(planes, next, 2 * hue_step);
  adjust_hue(planes.data(), count, 1.0f / 3);
  adjust_hue(planes.data(), count, 1.0f / 3);
  check_close(planes, from, 5 * hue_step);  // each step cuts off, and PIL's circle has 256 of its 255ths
}

TEST_CASE("hue turns both ways, known colours") {
  std::vector<float> red{1, 0, 0};
  adjust_hue(red.data(), 1, 1.0f / 12);
  check_close(red, {1, 0.5f, 0}, hue_step);
  adjust_hue(red.data(), 1, -1.0f / 6);
  check_close(red, {1, 0, 0.5f}, 2 * hue_step);
  std::vector<float> pale{0.3f, 0.8f, 0.4f};  // opposite: hue + 180 degrees keeps the largest and smallest value
  adjust_hue(pale.data(), 1, -0.5f);
  check_close(pale, {0.8f, 0.3f, 0.7f}, hue_step);
}

TEST_CASE("solarize inverts from the threshold on and nothing below") {
  std::vector<float> planes{127.0f / 255, 128.0f / 255, 1};
  solarize(planes.data(), 1, 128.0f / 255);
  check_close(planes, {127.0f / 255, 127.0f / 255, 0});
}

TEST_CASE("a constant image stays constant under blur") {
  for (const double sigma : {0.1, 1.0, 2.0})
    for (const int size : {1, 5, 17, 32}) {
      std::vector<float> planes(static_cast<std::size_t>(3 * size * size), 0.7f);
      gaussian_blur(planes.data(), 3, size, sigma);
      check_close(planes, std::vector<float>(planes.size(), 0.7f));
    }
}

TEST_CASE("blurring a point gives the Gaussian of that sigma") {
  constexpr int size = 33;
  for (const double sigma : {0.5, 1.3, 2.0}) {
    std::vector<float> plane(size * size, 0.0f);
    plane[16 * size + 16] = 1;
    gaussian_blur(plane.data(), 1, size, sigma);
    double sum = 0, variance = 0;
    for (int y = 0; y < size; ++y)
      for (int x = 0; x < size; ++x) {
        const auto at = static_cast<double>(plane[static_cast<std::size_t>(y * size + x)]);
        sum += at;
        variance += at * (x - 16) * (x - 16);
        if (std::abs(x - 16) <= 3 * sigma && std::abs(y - 16) <= 3 * sigma)
          REQUIRE(at / static_cast<double>(plane[16 * size + 16]) ==
                  doctest::Approx(std::exp(-0.5 * ((x - 16) * (x - 16) + (y - 16) * (y - 16)) / (sigma * sigma)))
                      .epsilon(1e-4));
      }
    CHECK(sum == doctest::Approx(1).epsilon(1e-5));
    CHECK(std::sqrt(variance) == doctest::Approx(sigma).epsilon(0.03));
  }
}

TEST_CASE("blur repeats the border and treats the channels apart") {
  constexpr int size = 20;
  std::vector<float> planes(3 * size * size, 0.25f);
  std::fill(planes.begin() + size * size, planes.begin() + 2 * size * size, 1.0f);
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < 10; ++x) planes[static_cast<std::size_t>(y * size + x)] = 1;  // a vertical edge in red
  gaussian_blur(planes.data(), 3, size, 1.0);
  CHECK(planes[0] == doctest::Approx(1));
  CHECK(planes[9] + planes[10] == doctest::Approx(1.25));  // symmetric about the edge
  CHECK(planes[9 * size + 9] == doctest::Approx(planes[9]));
  CHECK(planes[size * size + 5] == doctest::Approx(1));
  CHECK(planes[2 * size * size + 5] == doctest::Approx(0.25));
}
