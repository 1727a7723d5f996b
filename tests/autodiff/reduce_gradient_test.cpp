// Every reduction against finite differences.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/matmul.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

/// The error of a reduction of the expression x w * (1 + b) [2, 3, 4]; the last factor makes the operand an expression.
template <class Reduce>
double error_of(Reduce&& reduction) {
  const auto f = [&](const auto& x, const auto& w, const auto& b) { return reduction(matmul(x, w) * (1 + b)); };
  return gradcheck(f, normal(Dyn<3>{2, 3, 5}, 1), normal(Dyn<2>{5, 4}, 2), normal(Dyn<1>{4}, 3));
}

}  // namespace

#define VITRAL_REDUCTION(name)                                                                            \
  TEST_CASE("the gradient of " #name " agrees with finite differences along every axis") {                \
    CHECK(error_of([](const auto& h) { return name<0>(h); }) < gradient_tolerance);                       \
    CHECK(error_of([](const auto& h) { return name<1>(h); }) < gradient_tolerance);                       \
    CHECK(error_of([](const auto& h) { return name<-1>(h); }) < gradient_tolerance);                      \
    CHECK(error_of([](const auto& h) { return name(h); }) < gradient_tolerance);                          \
  }                                                                                                       \
  TEST_CASE("the gradient of " #name " with its axis kept agrees with finite differences") {              \
    CHECK(error_of([](const auto& h) { return name<1, Axes::keep>(h); }) < gradient_tolerance);           \
    CHECK(error_of([](const auto& h) { return eval(h) * name<2, Axes::keep>(h); }) < gradient_tolerance); \
  }

VITRAL_REDUCTION(sum)
VITRAL_REDUCTION(mean)
VITRAL_REDUCTION(vitral::max)
VITRAL_REDUCTION(variance)
VITRAL_REDUCTION(logsumexp)

TEST_CASE("of equal largest elements the first one gets the gradient") {
  const auto x = Tensor<double, Shape<2, 3>>::from({1, 5, 5, 7, 7, 7}, {});
  Tape tape;
  const auto v = tape.watch(x);
  tape.backward(sum(max<1>(v)));
  CHECK(v.grad().to_vector() == std::vector<double>{0, 1, 0, 1, 0, 0});
}

TEST_CASE("logsumexp of a row of minus infinities is minus infinity") {
  const double inf = std::numeric_limits<double>::infinity();
  const auto x = Tensor<double, Shape<2, 2>>::from({-inf, -inf, 0, -inf}, {});
  CHECK(logsumexp<1>(x).to_vector() == std::vector<double>{-inf, 0});
}
