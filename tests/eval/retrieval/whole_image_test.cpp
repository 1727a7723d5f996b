// Features of whole images: their shape, scales and pooling, as in DINO's eval_copy_detection.py and
// eval_image_retrieval.py and multi_scale of its utilities; the scales against PyTorch's numbers.
#include <vitral/eval/retrieval/whole_image.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <utility>

using namespace vitral;

namespace {

const ViT<Cpu, float>& network() {
  static const ViT<Cpu, float> vit({8, 4, 16, 2, 2}, Seed{1});
  return vit;
}

Image image(int height, int width) {
  Image out{height, width, {}};
  for (int i = 0; i < height * width * 3; ++i) out.rgb.push_back(static_cast<std::uint8_t>(i * i * 7 % 251));
  return out;
}

}  // namespace

TEST_CASE("a scale interpolates between the nearest pixels, as PyTorch's interpolate does") {
  detail::Planes planes{5, 7, {}};
  for (int i = 0; i < 3 * 5 * 7; ++i) planes.values.push_back(static_cast<float>(std::fmod(0.37 * i * i, 11.0)));
  // torch.nn.functional.interpolate(x, scale_factor=..., mode="bilinear", align_corners=False): the last row of each
  // plane.
  const auto last_rows = [&](double scale) {
    const detail::Planes small = detail::scaled(planes, scale);
    std::vector<float> out;
    for (long c = 0; c < 3; ++c) {
      const float* const row = small.values.data() + (c * small.height + small.height - 1) * small.width;
      out.insert(out.end(), row, row + small.width);
    }
    return out;
  };
  const std::vector<std::pair<double, std::vector<float>>> expected{
      {0.5, {6.255f, 6.875f, 4.95501f, 4.45502f, 4.62502f, 2.255f, 4.40497f, 6.87506f, 6.80499f}},
      {std::sqrt(0.5),
       {7.76597f, 6.46516f, 3.96948f, 3.86103f, 4.91207f, 2.29215f, 1.14636f, 1.60616f, 6.16716f, 9.06278f, 2.4325f,
        8.40759f}}};
  for (const auto& [scale, values] : expected) {
    const std::vector<float> found = last_rows(scale);
    REQUIRE(found.size() == values.size());
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(values[i]).epsilon(1e-4));
  }
}

TEST_CASE("an image keeps its shape, is never enlarged, and becomes a square where that is asked for") {
  const auto shape = [](const Image& of, const WholeImage& how) {
    const detail::Planes planes = detail::planes_of(of, how);
    return std::pair(planes.height, planes.width);
  };
  CHECK(shape(image(30, 20), {.size = 15}) == std::pair(15, 10));
  CHECK(shape(image(10, 20), {.size = 40}) == std::pair(10, 20));
  CHECK(shape(image(10, 20), {.size = 12, .squash = true}) == std::pair(12, 12));
}

TEST_CASE("of an image of the network's own size the feature is the last layer's class token") {
  const Image square = image(8, 8);
  const WholeImage how{.size = 8};
  const auto planes = detail::planes_of(square, how);
  const auto pixels = Tensor<float, Shape<dyn, 3, dyn, dyn>>::from(planes.values, {1, 8, 8});
  CHECK(whole_image_feature(network(), square, how) == network()(pixels).to_vector());
  // What makes no whole patch, at the right and below, is not looked at.
  Image larger{11, 9, std::vector<std::uint8_t>(11 * 9 * 3, 200)};
  for (int y = 0; y < 8; ++y)
    std::copy_n(square.rgb.begin() + y * 24, 24, larger.rgb.begin() + static_cast<std::ptrdiff_t>(y) * 27);
  CHECK(whole_image_feature(network(), larger, {.size = 11}) == whole_image_feature(network(), square, how));
}

TEST_CASE("behind the class token stands the generalised mean of the patches, with exponent 4 and 1e-6 at least") {
  const Image any = image(12, 8);
  const WholeImage how{.size = 12, .gem = true};
  const std::vector<float> found = whole_image_feature(network(), any, how);
  REQUIRE(found.size() == 32);
  const auto planes = detail::planes_of(any, how);
  const auto pixels = Tensor<float, Shape<dyn, 3, dyn, dyn>>::from(planes.values, {1, 12, 8});
  auto x = network().tokens(pixels, positions_for(network(), 3, 2));
  for (const auto& block : network().blocks) x = block(x);
  const std::vector<float> tokens = eval(network().norm(x)).to_vector();
  for (std::size_t c = 0; c < 16; ++c) {
    CHECK(found[c] == tokens[c]);
    double sum = 0;
    for (std::size_t p = 1; p <= 6; ++p) sum += std::pow(std::max<double>(tokens[p * 16 + c], 1e-6), 4);
    CHECK(found[16 + c] == doctest::Approx(std::pow(sum / 6, 0.25)).epsilon(1e-5));
  }
}

TEST_CASE("of several scales the feature is the mean, of unit length") {
  const Image any = image(16, 24);
  const auto at = [&](std::vector<double> scales) {
    return whole_image_feature(network(), any, {.size = 24, .scales = std::move(scales)});
  };
  const std::vector<float> one = at({1}), half = at({0.5}), both = at({1, 0.5});
  double length = 0, square = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    length += std::pow(static_cast<double>(one[i]) + half[i], 2);
    square += static_cast<double>(both[i]) * both[i];
  }
  CHECK(square == doctest::Approx(1).epsilon(1e-5));
  for (std::size_t i = 0; i < one.size(); ++i)
    CHECK(both[i] == doctest::Approx((one[i] + half[i]) / std::sqrt(length)).epsilon(1e-4));
}

TEST_CASE("a scale that leaves no patch, and settings that mean nothing, are refused") {
  const auto refuses = [](const WholeImage& how, const char* message) {
    try {
      static_cast<void>(whole_image_feature(network(), image(8, 8), how));
      FAIL("nothing was refused");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find(message) != std::string::npos);
    }
  };
  refuses({.size = 8, .scales = {1, 0.25}}, "2 x 2 pixels has no patch of 4 x 4");
  refuses({.size = 8, .scales = {}}, "WholeImage::scales is empty");
  refuses({.size = 8, .scales = {0}}, "WholeImage::scales holds 0");
  refuses({.size = 0}, "WholeImage::size is 0");
}
