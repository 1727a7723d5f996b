// Losses against PyTorch and finite differences, and what they refuse.
#include "fixture.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/losses.hpp>
#include <vitral/autodiff/softmax.hpp>

using namespace vitral_tests;
using namespace vitral_tests::pytorch;

namespace {

const std::vector<Case> cases{
    {"mse", [](Fixture& c) { c.agrees<2, 2>(mse, "x", "target"); }},
    {"l1", [](Fixture& c) { c.agrees<2, 2>(l1, "x", "target"); }},
    {"huber", [](Fixture& c) { c.agrees<2, 2>(huber, "x", "target"); }},
    {"huber.delta",
     [](Fixture& c) {
       const double delta = c.number("delta");
       c.agrees<2, 2>([&](const auto& x, const auto& target) { return huber(x, target, delta); }, "x", "target");
     }},
    {"bce_with_logits", [](Fixture& c) { c.agrees<2, 2>(bce_with_logits, "x", "target"); }},
    {"bce_with_logits.extreme", [](Fixture& c) { c.agrees<1, 1>(bce_with_logits, "x", "target"); }},
};

template <class T = float>
Tensor<T, Dyn<1>> numbers(std::vector<T> values) {
  const int count = static_cast<int>(values.size());
  return Tensor<T, Dyn<1>>::from(values, {count});
}

}  // namespace

TEST_CASE("losses and their gradients agree with PyTorch") { run_cases(cases, loss_cases); }

TEST_CASE("the gradients of losses agree with finite differences") {
  const auto x = normal(Dyn<2>{3, 4}, 1), target = normal(Dyn<2>{3, 4}, 2);
  CHECK(gradcheck(mse, x, target) < gradient_tolerance);
  CHECK(gradcheck(l1, x, target) < gradient_tolerance);
  CHECK(gradcheck(huber, x, target) < gradient_tolerance);
  CHECK(gradcheck(bce_with_logits, x, target) < gradient_tolerance);
}

TEST_CASE("losses of a few numbers are written by hand here, where a prediction is its target too") {
  const auto target = numbers({1, 2, 3, 4});
  const auto x = numbers({1, 2.5f, 0, 4});
  CHECK(mse(x, target).item() == 9.25f / 4);
  CHECK(l1(x, target).item() == 3.5f / 4);
  CHECK(huber(x, target).item() == (0.125f + 2.5f) / 4);
  CHECK(huber(x, target, 3.0).item() == (0.125f + 4.5f) / 4);
  Tape tape;
  const auto v = tape.watch(x);
  const auto gradient = [&](const auto& loss) {
    tape.zero_grad();
    tape.backward(loss);
    return v.grad().to_vector();
  };
  CHECK(gradient(mse(v, target)) == std::vector<float>{0, 0.25f, -1.5f, 0});
  CHECK(gradient(l1(v, target)) == std::vector<float>{0, 0.25f, -0.25f, 0});
  CHECK(gradient(huber(v, target)) == std::vector<float>{0, 0.125f, -0.25f, 0});
  CHECK(gradient(mean(huber(v, target))) == gradient(huber(v, target)));  // where a mean is taken of any criterion
}

TEST_CASE("binary cross entropy neither overflows nor loses small values, and takes integers as targets") {
  const auto yes = Tensor<int, Dyn<1>>::from({1}, {1}), no = Tensor<int, Dyn<1>>::from({0}, {1});
  CHECK(bce_with_logits(numbers({0}), yes).item() == doctest::Approx(std::log(2.0)));
  CHECK(bce_with_logits(numbers({80}), no).item() == 80);
  CHECK(bce_with_logits(numbers({-80}), yes).item() == 80);
  CHECK(bce_with_logits(numbers({80}), yes).item() == doctest::Approx(std::exp(-80.0)).epsilon(1e-5));
  CHECK(bce_with_logits(numbers({-80}), no).item() == doctest::Approx(std::exp(-80.0)).epsilon(1e-5));
  CHECK(bce_with_logits(numbers<double>({700}), yes).item() == doctest::Approx(std::exp(-700.0)).epsilon(1e-12));
}

TEST_CASE("losses of bf16 are computed in float, and hand a NaN on") {
  const auto x = normal<bf16>(Dyn<1>{1000}, 1), target = normal<bf16>(Dyn<1>{1000}, 2);
  const auto loss = mse(x, target);
  static_assert(std::is_same_v<scalar_of<decltype(loss)>, float>);
  CHECK(loss.item() == mse(eval(cast<float>(x)), eval(cast<float>(target))).item());
  const auto bad = numbers({0, std::nanf("")}), good = numbers({0, 1});
  CHECK(std::isnan(mse(bad, good).item()));
  CHECK(std::isnan(l1(good, bad).item()));
  CHECK(std::isnan(huber(bad, good).item()));
  CHECK(std::isnan(bce_with_logits(bad, good).item()));
}

TEST_CASE("accuracy is the share of rows whose largest logit is their class's, on the tape and off it") {
  const auto logits = Tensor<double, Dyn<3>>::from({1, 2, 0, 3, 0, 0, 0, 0, 1, 5, 4, 3}, {2, 2, 3});
  const auto classes = Tensor<int, Dyn<2>>::from({1, 0, 2, 1}, {2, 2});
  CHECK(accuracy(logits, classes).item() == 0.75);
  Tape tape;
  CHECK(accuracy(tape.watch(logits), classes).item() == 0.75);
  CHECK_THROWS_WITH_AS(static_cast<void>(accuracy(logits, Tensor<int, Dyn<2>>({4, 1}))),
                       doctest::Contains("accuracy: the shapes [2, 2] and [4, 1] must be equal"), Error);
}

TEST_CASE("a prediction and a target of different shapes are refused") {
  const auto x = normal(Dyn<2>{3, 1}, 1), row = normal(Dyn<2>{1, 3}, 2);
  CHECK_THROWS_WITH_AS(static_cast<void>(mse(x, row)),
                       doctest::Contains("mse: the shapes [3, 1] and [1, 3] must be equal; reshape one of them"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(l1(x, row)), doctest::Contains("l1: the shapes"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(huber(x, row)), doctest::Contains("huber: the shapes"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(bce_with_logits(x, row)), doctest::Contains("bce_with_logits: the shapes"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(huber(x, x, 0)), doctest::Contains("huber: delta must be above 0, not 0"),
                       Error);
}
