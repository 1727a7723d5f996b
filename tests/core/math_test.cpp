#include <vitral/core/math.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>

using namespace vitral;

namespace {

// The distance between the computed and the true value in units of the true value's last place.
double ulps(float computed, double truth) {
  const float near = std::fabs(static_cast<float>(truth));
  const double unit = static_cast<double>(std::nextafter(near, INFINITY)) - static_cast<double>(near);
  return std::fabs(static_cast<double>(computed) - truth) / unit;
}

template <class Function, class Truth>
double worst_ulps(Function function, Truth truth, float low, float high, int points = 200001) {
  double worst = 0;
  for (int i = 0; i < points; ++i) {
    const float x = low + (high - low) * static_cast<float>(i) / static_cast<float>(points - 1);
    worst = std::fmax(worst, ulps(function(x), truth(static_cast<double>(x))));
  }
  return worst;
}

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("exp of a float is within two units in the last place and saturates") {
  const auto function = [](float x) { return math::exp(x); };
  const auto truth = [](double x) { return std::exp(x); };
  CHECK(worst_ulps(function, truth, -103.0f, 88.7f) < 2);
  CHECK(worst_ulps(function, truth, -1.0f, 1.0f) < 2);
  CHECK(math::exp(0.0f) == 1.0f);
  CHECK(math::exp(-inf) == 0.0f);
  CHECK(math::exp(-200.0f) == 0.0f);
  CHECK(math::exp(inf) == inf);
  CHECK(math::exp(89.0f) == inf);
  CHECK(std::isnan(math::exp(not_a_number)));
  CHECK(std::isnan(math::exp(-not_a_number)));
}

TEST_CASE("log of a float is within two units in the last place, also for subnormal numbers") {
  const auto function = [](float x) { return math::log(x); };
  const auto truth = [](double x) { return std::log(x); };
  CHECK(worst_ulps(function, truth, 1e-3f, 0.9f) < 2);
  CHECK(worst_ulps(function, truth, 0.9f, 1.1f) < 2);
  CHECK(worst_ulps(function, truth, 1.1f, 1e6f) < 2);
  CHECK(ulps(math::log(1e-42f), std::log(static_cast<double>(1e-42f))) < 2);
  CHECK(ulps(math::log(3e38f), std::log(static_cast<double>(3e38f))) < 2);
  CHECK(math::log(1.0f) == 0.0f);
  CHECK(math::log(0.0f) == -inf);
  CHECK(math::log(inf) == inf);
  CHECK(std::isnan(math::log(-1.0f)));
  CHECK(std::isnan(math::log(not_a_number)));
}

TEST_CASE("log1p of a float is within three units in the last place, near zero too") {
  const auto function = [](float x) { return math::log1p(x); };
  const auto truth = [](double x) { return std::log1p(x); };
  CHECK(worst_ulps(function, truth, -0.9999f, 1.0f) < 3);
  CHECK(worst_ulps(function, truth, -1e-6f, 1e-6f, 20001) < 3);
  CHECK(worst_ulps(function, truth, 1.0f, 1e6f) < 3);
  CHECK(ulps(math::log1p(1e-42f), std::log1p(static_cast<double>(1e-42f))) < 2);
  CHECK(ulps(math::log1p(3e38f), std::log1p(static_cast<double>(3e38f))) < 2);
  CHECK(math::log1p(0.0f) == 0.0f);
  CHECK(math::log1p(-1.0f) == -inf);
  CHECK(math::log1p(inf) == inf);
  CHECK(std::isnan(math::log1p(-1.5f)));
  CHECK(std::isnan(math::log1p(-inf)));
  CHECK(std::isnan(math::log1p(not_a_number)));
}

TEST_CASE("tanh of a float is within three units in the last place") {
  const auto function = [](float x) { return math::tanh(x); };
  CHECK(worst_ulps(
            function, [](double x) { return std::tanh(x); }, -20.0f, 20.0f) < 3);
  CHECK(worst_ulps(
            function, [](double x) { return std::tanh(x); }, 1e-6f, 1e-2f) < 3);
  CHECK(math::tanh(inf) == 1.0f);
  CHECK(math::tanh(-inf) == -1.0f);
  CHECK(std::isnan(math::tanh(not_a_number)));
}

TEST_CASE("erf of a float is accurate everywhere and relatively accurate near zero") {
  const auto function = [](float x) { return math::erf(x); };
  const auto truth = [](double x) { return std::erf(x); };
  CHECK(worst_ulps(function, truth, -6.0f, 6.0f) < 2);
  CHECK(worst_ulps(function, truth, 1e-8f, 1e-3f) < 2);
  CHECK(math::erf(0.0f) == 0.0f);
  CHECK(math::erf(inf) == 1.0f);
  CHECK(math::erf(-inf) == -1.0f);
  CHECK(std::isnan(math::erf(not_a_number)));
}

TEST_CASE("gelu is x times the normal distribution and gelu_grad its derivative") {
  for (double x = -6; x <= 6; x += 0.01) {
    const double truth = x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    CHECK(math::gelu(x) == doctest::Approx(truth).epsilon(1e-12));
    CHECK(std::fabs(static_cast<double>(math::gelu(static_cast<float>(x))) - truth) < 1e-6);
    const double slope = (math::gelu(x + 1e-5) - math::gelu(x - 1e-5)) / 2e-5;
    CHECK(std::fabs(math::gelu_grad(x) - slope) < 1e-9);
    CHECK(std::fabs(static_cast<double>(math::gelu_grad(static_cast<float>(x))) - slope) < 5e-7);
  }
  CHECK(math::sigmoid(0.0f) == 0.5f);
  CHECK(math::sigmoid(-200.0f) == 0.0f);
  CHECK(math::sigmoid(200.0f) == 1.0f);
}

TEST_CASE("softplus is accurate relative to itself and neither overflows nor vanishes early") {
  const auto function = [](float x) { return math::softplus(x); };
  const auto truth = [](double x) { return x > 40 ? x : std::log1p(std::exp(x)); };
  CHECK(worst_ulps(function, truth, -80.0f, 100.0f) < 4);
  CHECK(math::softplus(1e30f) == 1e30f);
  CHECK(math::softplus(-inf) == 0.0f);
  CHECK(math::softplus(inf) == inf);
  CHECK(math::softplus(-700.0) == doctest::Approx(std::exp(-700.0)).epsilon(1e-14));
  CHECK(math::softplus(800.0) == 800.0);
  CHECK(std::isnan(math::softplus(not_a_number)));
}

TEST_CASE("silu is x times the sigmoid and silu_grad its derivative") {
  const auto function = [](float x) { return math::silu(x); };
  CHECK(worst_ulps(
            function, [](double x) { return x / (1 + std::exp(-x)); }, -80.0f, 80.0f) < 4);
  for (double x = -9; x <= 9; x += 0.01) {
    const double slope = (math::silu(x + 1e-5) - math::silu(x - 1e-5)) / 2e-5;
    CHECK(std::fabs(math::silu_grad(x) - slope) < 1e-9);
    CHECK(std::fabs(static_cast<double>(math::silu_grad(static_cast<float>(x))) - slope) < 1e-6);
  }
  CHECK(math::silu_grad(-1e38f) == 0.0f);
  CHECK(math::silu_grad(1e38f) == 1.0f);
  CHECK(std::isnan(math::silu(not_a_number)));
}

TEST_CASE("sine and cosine are within one unit in the last place, of large angles too") {
  const auto sine = [](float x) { return math::sin(x); };
  const auto cosine = [](float x) { return math::cos(x); };
  for (const float reach : {10.0f, 1e9f}) {
    CHECK(worst_ulps(
              sine, [](double x) { return std::sin(x); }, -reach, reach) < 1);
    CHECK(worst_ulps(
              cosine, [](double x) { return std::cos(x); }, -reach, reach) < 1);
  }
  CHECK(std::isnan(math::sin(inf)));
  CHECK(std::isnan(math::cos(not_a_number)));
}
