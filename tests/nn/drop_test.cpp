#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/matmul.hpp>
#include <vitral/nn/drop.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

const Random random_stream{1, 2, 3};

Tensor<double, Dyn<2>> ones(int rows, int columns) { return eval(Tensor<double, Dyn<2>>({rows, columns}) + 1); }

}  // namespace

TEST_CASE("Dropout keeps a fraction 1 - p and scales it by 1 / (1 - p)") {
  const auto y = Dropout{0.3}(ones(100, 200), Training{random_stream});
  long kept = 0;
  for (const double v : y.to_vector()) {
    REQUIRE((v == 0 || v == doctest::Approx(1 / 0.7).epsilon(1e-7)));  // the mask is of floats
    kept += v != 0;
  }
  CHECK(static_cast<double>(kept) / 20000 == doctest::Approx(0.7).epsilon(0.02));  // its deviation is 0.0032
}

TEST_CASE("Dropout's gradient goes through the same mask") {
  const auto f = [](const auto& x, const auto& w) { return Dropout{0.4}(tanh(matmul(x, w)), Training{random_stream}); };
  CHECK(gradcheck(f, normal(Dyn<2>{3, 4}, 1), normal(Dyn<2>{4, 5}, 2)) < gradient_tolerance);
}

TEST_CASE("two layers of one step draw different masks, two runs of the step the same") {
  const auto two_masks = [] {
    const Training mode{random_stream};
    const auto first = Dropout{0.5}(ones(10, 10), mode), second = Dropout{0.5}(ones(10, 10), mode);
    return std::pair(first.to_vector(), second.to_vector());
  };
  const auto once = two_masks();
  CHECK(once.first != once.second);
  CHECK(two_masks() == once);
}

TEST_CASE("nothing is dropped in evaluation mode") {
  const auto x = normal(Dyn<2>{3, 4}, 1), y = normal(Dyn<2>{3, 4}, 2);
  CHECK(Dropout{0.5}(x).to_vector() == x.to_vector());
  CHECK(DropPath{0.5}.add(x, y).to_vector() == eval(x + y).to_vector());
}

TEST_CASE("a probability of zero drops nothing in training mode") {
  const auto x = normal(Dyn<2>{3, 4}, 1), y = normal(Dyn<2>{3, 4}, 2);
  CHECK(Dropout{0}(x, Training{random_stream}).to_vector() == x.to_vector());
  CHECK(DropPath{0}.add(x, y, Training{random_stream}).to_vector() == eval(x + y).to_vector());
}

TEST_CASE("DropPath drops the branch of whole samples and scales the others by 1 / (1 - p)") {
  const int batch = 5000;
  const Tensor<double, Dyn<3>> residual({batch, 2, 3});
  const auto y = DropPath{0.2}.add(residual + 10, residual + 1, Training{random_stream});
  long kept = 0;
  for (int i = 0; i < batch; ++i) {
    REQUIRE((y(i, 0, 0) == 10 || y(i, 0, 0) == doctest::Approx(11.25).epsilon(1e-7)));
    for (int j = 0; j < 2; ++j)
      for (int k = 0; k < 3; ++k) REQUIRE(y(i, j, k) == y(i, 0, 0));
    kept += y(i, 0, 0) != 10;
  }
  CHECK(static_cast<double>(kept) / batch == doctest::Approx(0.8).epsilon(0.03));  // its deviation is 0.0057
}

TEST_CASE("DropPath's gradient goes through the same mask") {
  const auto f = [](const auto& x, const auto& w) {
    const auto h = matmul(x, w);
    return DropPath{0.5}.add(h, tanh(h), Training{random_stream});
  };
  CHECK(gradcheck(f, normal(Dyn<3>{6, 2, 3}, 1), normal(Dyn<2>{3, 3}, 2)) < gradient_tolerance);
}

TEST_CASE("a probability outside [0, 1) is an error") {
  const auto x = normal(Dyn<2>{3, 4}, 1);
  CHECK_THROWS_WITH_AS(static_cast<void>(Dropout{1.0}(x, Training{random_stream})),
                       doctest::Contains("must be in [0, 1)"), Error);
  CHECK_THROWS_AS(static_cast<void>(Dropout{-0.1}(x, Training{random_stream})), Error);
  CHECK_THROWS_AS(static_cast<void>(DropPath{1.5}.add(x, x, Training{random_stream})), Error);
}
