// Costs of early exits, counted by hand for small networks.
#include <vitral/eval/classifiers/early_exit.hpp>

#include <doctest/doctest.h>

using namespace vitral;

TEST_CASE("multiply-adds are those of the products that the network makes") {
  const ViTSize size{8, 4, 16, 3, 2};  // 4 patches of 48 numbers and a class token
  const double embedding = 4 * 48 * 16, qkv = 5 * 16 * 48, scores = 5 * 5 * 16, projection = 5 * 16 * 16,
               mlp = 2 * 5 * 16 * 64, block = qkv + 2 * scores + projection + mlp;
  const double last = 5 * 16 * 32 + 16 * 16 + 2 * 5 * 16 + 16 * 16 + 2 * 16 * 64;  // keys, values; one query
  CHECK(multiply_adds(size, 1) == embedding + last);
  CHECK(multiply_adds(size, 3) == embedding + 2 * block + last);
  CHECK(multiply_adds(size, 3, true) == embedding + 3 * block);
}

TEST_CASE("images leave where the classifier is sure, and after the last layer at the latest") {
  const ViTSize size{8, 4, 16, 2, 2};
  const std::vector<std::vector<double>> probabilities{{0.9, 0.1, 0.6, 0.4, 0.3, 0.7},   // three images, two classes
                                                       {0.2, 0.8, 0.1, 0.9, 0.6, 0.4}};  // of two layers
  const std::vector<int> labels{0, 1, 0};
  const auto curve = adaptive_exits(probabilities, labels, 2, size, {0, 0.65, 1});
  REQUIRE(curve.size() == 3);
  CHECK(curve[0].accuracy == doctest::Approx(1.0 / 3));  // all after the first layer: only image 0 is right
  CHECK(curve[0].multiply_adds == multiply_adds(size, 1, true));
  CHECK(curve[1].accuracy == doctest::Approx(2.0 / 3));  // image 1 alone goes on
  CHECK(curve[1].layers == doctest::Approx(4.0 / 3));
  CHECK(curve[2].accuracy == doctest::Approx(2.0 / 3));  // all after the last
  CHECK(curve[2].multiply_adds == multiply_adds(size, 2));
  const auto chosen = adaptive_exits(probabilities, labels, 2, ViTSize{8, 4, 16, 5, 2}, {0.65}, {2, 4});
  CHECK(chosen[0].layers == doctest::Approx((2 + 4 + 2) / 3.0));
}

TEST_CASE("adaptive exits need a probability of every class for every image") {
  const ViTSize size{8, 4, 16, 3, 2};
  CHECK_THROWS_WITH_AS((void)adaptive_exits({{0.5, 0.5, 1}}, {0, 1}, 2, size, {0.5}),
                       doctest::Contains("3 probabilities, expected 2 for each of 2 images"), Error);
  CHECK_THROWS_WITH_AS((void)adaptive_exits({{0.5, 0.5}}, {0}, 2, size, {0.5}, {1, 3}),
                       doctest::Contains("2 numbers of layers for 1 layers' probabilities"), Error);
  CHECK_THROWS_AS((void)adaptive_exits({}, {0}, 2, size, {0.5}), Error);
  CHECK_THROWS_AS((void)adaptive_exits({{}}, {}, 2, size, {0.5}), Error);
  CHECK_THROWS_AS((void)multiply_adds({8, 0, 16, 3, 2}, 1), Error);
}
