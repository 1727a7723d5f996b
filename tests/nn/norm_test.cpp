// LayerNorm and BatchNorm1d against numbers worked out by hand.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/layout.hpp>
#include <vitral/nn/norm.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

/// Means 3 and 5, sums of squared deviations 14 and 0.
const auto x = Tensor<double, Shape<dyn, 2>>::from({1, 5, 2, 5, 3, 5, 6, 5}, {4});

template <class S>
void set(const Tensor<double, S>& tensor, const std::vector<double>& values) {
  Cpu::copy_from_host(values.data(), tensor.data(), tensor.size());
}
std::vector<std::string> names_of(const auto& module) {
  std::vector<std::string> names;
  for_each_tensor(module, [&](const std::string& name, const auto&) { names.push_back(name); });
  return names;
}

}  // namespace

TEST_CASE("BatchNorm1d in training mode normalises by the batch's mean and biased variance") {
  const BatchNorm1d<2, double> norm;
  const double s = 1 / std::sqrt(14.0 / 4 + 1e-5);
  CHECK(distance(norm(x, Training{}).to_vector(), {-2 * s, 0, -s, 0, 0, 0, 3 * s, 0}) < 1e-14);
}

TEST_CASE("BatchNorm1d's running statistics move by the momentum, the variance unbiased") {
  const BatchNorm1d<2, double> norm;
  static_cast<void>(norm(x, Training{}));
  CHECK(distance(norm.running_mean.value.to_vector(), {0.3, 0.5}) < 1e-14);
  CHECK(distance(norm.running_var.value.to_vector(), {0.9 + 0.1 * 14 / 3, 0.9}) < 1e-14);
  static_cast<void>(norm(x, Training{}));
  CHECK(distance(norm.running_mean.value.to_vector(), {0.57, 0.95}) < 1e-14);
  CHECK(distance(norm.running_var.value.to_vector(), {0.81 + 0.19 * 14 / 3, 0.81}) < 1e-14);
}

TEST_CASE("BatchNorm1d in evaluation mode uses the running statistics and leaves them alone") {
  const BatchNorm1d<2, double> norm;
  set(norm.running_mean.value, {1, 3});
  set(norm.running_var.value, {4, 0.25});
  set(norm.weight.value, {2, -1});
  set(norm.bias.value, {0.5, 10});
  const double a = 2 / std::sqrt(4 + 1e-5), b = -1 / std::sqrt(0.25 + 1e-5);
  const std::vector<double> expected{0.5,         10 + 2 * b, 0.5 + a,     10 + 2 * b,
                                     0.5 + 2 * a, 10 + 2 * b, 0.5 + 5 * a, 10 + 2 * b};
  CHECK(distance(norm(x).to_vector(), expected) < 1e-14);
  CHECK(norm.running_mean.value.to_vector() == std::vector<double>{1, 3});
  CHECK(norm.running_var.value.to_vector() == std::vector<double>{4, 0.25});
}

TEST_CASE("BatchNorm1d without scale and shift has running statistics alone") {
  const BatchNorm1d<dyn, double, Cpu, Affine::no> norm(2);
  CHECK(names_of(norm) == std::vector<std::string>{"running_mean", "running_var"});
  CHECK(names_of(BatchNorm1d<2>()) == std::vector<std::string>{"weight", "bias", "running_mean", "running_var"});
  CHECK(count_parameters(norm) == 0);
  CHECK(count_parameters(BatchNorm1d<2>()) == 4);
  const double s = 1 / std::sqrt(14.0 / 4 + 1e-5);
  CHECK(distance(norm(x, Training{}).to_vector(), {-2 * s, 0, -s, 0, 0, 0, 3 * s, 0}) < 1e-14);
}

TEST_CASE("BatchNorm1d refuses to train on a single row") {
  const BatchNorm1d<2, double> norm;
  CHECK_THROWS_WITH_AS(static_cast<void>(norm(normal(Shape<1, 2>{}, 1), Training{})),
                       doctest::Contains("2 or more rows"), Error);
}

TEST_CASE("BatchNorm1d's gradients agree with finite differences in both modes") {
  const BatchNorm1d<dyn, double> norm(3);
  set(norm.weight.value, {0.5, -1.5, 2});
  set(norm.running_mean.value, {0.1, -0.2, 0.3});
  set(norm.running_var.value, {0.5, 1.5, 2.5});
  const auto input = normal(Dyn<2>{5, 3}, 1);
  const auto training = [&](const auto& v, const auto&...) { return norm(v, Training{}); };
  const auto evaluation = [&](const auto& v, const auto&...) { return norm(v); };
  CHECK(gradcheck(evaluation, input, norm.weight.value, norm.bias.value) < gradient_tolerance);
  CHECK(gradcheck(training, input, norm.weight.value, norm.bias.value) < gradient_tolerance);
}

TEST_CASE("LayerNorm normalises each row, then scales and shifts it") {
  const LayerNorm<4, double> norm;
  set(norm.weight.value, {1, 2, 1, 1});
  set(norm.bias.value, {0, 0, 7, 0});
  const double s = 1 / std::sqrt(14.0 / 4 + 1e-6);
  const auto rows = Tensor<double, Shape<2, 4>>::from({1, 2, 3, 6, 5, 5, 5, 5}, {});
  CHECK(distance(norm(rows).to_vector(), {-2 * s, -2 * s, 7, 3 * s, 0, 0, 7, 0}) < 1e-14);
  CHECK(names_of(norm) == std::vector<std::string>{"weight", "bias"});
}

TEST_CASE("LayerNorm's gradients agree with finite differences") {
  const LayerNorm<dyn, double> norm(4);
  set(norm.weight.value, {0.5, -1.5, 2, 1});
  const auto f = [&](const auto& v, const auto&...) { return norm(v); };
  CHECK(gradcheck(f, normal(Dyn<3>{2, 3, 4}, 1), norm.weight.value, norm.bias.value) < gradient_tolerance);
}

TEST_CASE("BatchNorm1d normalises each view apart, as if they came one after the other") {
  const auto first = normal(Shape<dyn, 2>{5}, 1), second = normal(Shape<dyn, 2>{5}, 2);
  const auto upstream = normal(Shape<dyn, 2>{10}, 3);
  const auto gradients = [&](const BatchNorm1d<2, double>& norm, auto&& run) {
    Tape tape;
    const auto a = tape.watch(first), b = tape.watch(second);
    tape.backward(run(a, b), upstream);
    return std::vector{tape.grad(first).to_vector(),        tape.grad(second).to_vector(),
                       tape.grad(norm.weight).to_vector(),  tape.grad(norm.bias).to_vector(),
                       norm.running_mean.value.to_vector(), norm.running_var.value.to_vector()};
  };
  for (const int passes : {1, 2}) {
    CAPTURE(passes);
    const BatchNorm1d<2, double> together, apart;
    const auto expected = gradients(apart, [&](const auto& a, const auto& b) {
      const auto ya = apart(a, Training{}), yb = apart(b, Training{});
      for (int pass = 1; pass < passes; ++pass) {
        static_cast<void>(apart(first, Training{}));
        static_cast<void>(apart(second, Training{}));
      }
      return concat<0>(ya, yb);
    });
    const auto got = gradients(together, [&](const auto& a, const auto& b) {
      return together(concat<0>(a, b), Training{}.of_views(2, passes));
    });
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(i);
      CHECK(distance(got[i], expected[i]) < 1e-12);
    }
  }
  CHECK_THROWS_WITH_AS(static_cast<void>(BatchNorm1d<2, double>()(x, Training{}.of_views(3))),
                       doctest::Contains("4 rows are not 3 views of equal size"), Error);
}
