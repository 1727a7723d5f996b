#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/matmul.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

/// y = 3 x whose backward claims `slope`.
struct Triple {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  double slope;
  auto forward(auto, const auto& x) { return eval(3 * x); }
  void backward(const auto& dy, const auto&, const auto& x) { put(x.gradient(), slope * dy); }
};

/// Gives other values on the tape than off it.
struct TwoFaced {
  static constexpr int keeps_inputs = 0;
  static constexpr bool keeps_result = false;
  template <bool Recorded>
  auto forward(std::bool_constant<Recorded>, const auto& x) {
    return eval(x + (Recorded ? 0.5 : 0));
  }
  void backward(const auto& dy, const auto&, const auto& x) { put(x.gradient(), dy + 0); }
};

const auto x = normal(Dyn<2>{2, 3}, 1);

}  // namespace

TEST_CASE("gradcheck passes a correct gradient") {
  CHECK(gradcheck([](const auto& a) { return apply(Triple{3}, a); }, x) < gradient_tolerance);
}

TEST_CASE("gradcheck finds a gradient that is wrong by a factor") {
  CHECK(gradcheck([](const auto& a) { return apply(Triple{3.001}, a); }, x) > 1e-4);
}

TEST_CASE("gradcheck finds a gradient that is no number") {
  CHECK(std::isinf(gradcheck([](const auto& a) { return apply(Triple{std::nan("")}, a); }, x)));
}

TEST_CASE("gradcheck refuses a gradient of zeros unless told otherwise") {
  const auto constant = [](const auto& a) { return a < 100.0; };
  CHECK_THROWS_AS(static_cast<void>(gradcheck(constant, x)), Error);
  CHECK(gradcheck({.allow_zero = true}, constant, x) == 0);
}

TEST_CASE("gradcheck refuses when one of several inputs has no gradient") {
  const auto y = normal(Dyn<2>{2, 3}, 2);
  const auto first_only = [](const auto& a, const auto& b) { return a * detach(b); };
  CHECK_THROWS_AS(static_cast<void>(gradcheck(first_only, x, y)), Error);
}

TEST_CASE("gradcheck refuses a function whose values differ on and off the tape") {
  CHECK_THROWS_AS(static_cast<void>(gradcheck([](const auto& a) { return apply(TwoFaced{}, a); }, x)), Error);
}

TEST_CASE("gradcheck leaves its inputs as they were") {
  const auto a = normal(Dyn<2>{2, 3}, 3);
  const auto before = a.to_vector();
  CHECK(gradcheck([](const auto& v) { return exp(v); }, a) < gradient_tolerance);
  CHECK(a.to_vector() == before);
}

TEST_CASE("gradcheck reaches a parameter through its tensor") {
  const Parameter<double, Dyn<2>> weight{normal(Dyn<2>{3, 4}, 4)};
  const auto layer = [&](const auto& a, const auto&) { return matmul(a, weight); };
  CHECK(gradcheck(layer, x, weight.value) < gradient_tolerance);
}
