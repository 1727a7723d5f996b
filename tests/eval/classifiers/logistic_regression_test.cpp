// Logistic regression against scikit-learn's (tests/fixtures/make_evaluation.py).
#include "evaluation.hpp"

#include <vitral/eval/classifiers/accuracy.hpp>
#include <vitral/eval/classifiers/logistic_regression.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>

using namespace vitral_tests;

TEST_CASE("L-BFGS finds the minimum of Rosenbrock's valley") {
  std::vector<double> x{-1.2, 1};
  const auto valley = [](const std::vector<double>& at, std::vector<double>& gradient) {
    const double a = 1 - at[0], b = at[1] - at[0] * at[0];
    gradient = {-2 * a - 400 * at[0] * b, 200 * b};
    return a * a + 100 * b * b;
  };
  const LbfgsResult result = lbfgs(x, valley, {.tolerance = 1e-8});
  CHECK(result.converged);
  CHECK(result.iterations < 100);
  CHECK(x[0] == doctest::Approx(1).epsilon(1e-7));
  CHECK(x[1] == doctest::Approx(1).epsilon(1e-7));
}

TEST_CASE("logistic regression has scikit-learn's weights and predictions") {
  for (const double c : {1.0, 100.0}) {
    CAPTURE(c);
    const std::string name = c == 1 ? "logistic1/" : "logistic100/";
    const LinearClassifier probe = logistic_regression(train_features(), c, {.tolerance = 1e-8});
    const auto weight = values(name + "weight"), bias = values(name + "bias");
    for (std::size_t i = 0; i < weight.size(); ++i)
      REQUIRE(probe.weight[i] == doctest::Approx(weight[i]).epsilon(1e-5));
    // The bias is free up to a constant, which scikit-learn's regularisation of nothing leaves where it began.
    const double shift = probe.bias[0] - bias[0];
    for (std::size_t i = 0; i < bias.size(); ++i)
      CHECK(probe.bias[i] - shift == doctest::Approx(bias[i]).epsilon(1e-5));
    std::vector<int> predicted;
    const auto ranked = ranked_classes(class_probabilities(probe, test_features()), probe.classes());
    for (std::size_t i = 0; i < ranked.size(); i += bias.size()) predicted.push_back(ranked[i]);
    CHECK(predicted == numbers(name + "predicted"));
  }
}

TEST_CASE("a label that is no class is an error") {
  Features wrong = train_features();
  wrong.labels[3] = wrong.classes;
  CHECK_THROWS_WITH_AS(static_cast<void>(logistic_regression(wrong)), doctest::Contains("label 7 is not one of 0 to 6"),
                       Error);
}

TEST_CASE("classifiers refuse features, labels and scores that they cannot use") {
  const auto refuses = [](const char* message, auto&& call) {
    CAPTURE(message);
    CHECK_THROWS_WITH_AS(call(), doctest::Contains(message), Error);
  };
  refuses("number 1 of the features of image 0 is inf", [] { (void)logistic_regression({{1, INFINITY}, 2, {0}, 2}); });
  refuses("there are no features", [] { (void)logistic_regression({{}, 2, {}, 2}); });
  refuses("label 2 is not one of 0 to 1", [] { (void)logistic_regression({{1, 1}, 2, {2}, 2}); });
  refuses("a label for each of the 2", [] { (void)logistic_regression({{1, 1}, 1, {0}, 2}); });
  refuses("does not take features of width 3", [] {
    (void)class_probabilities({{1, 2, 3, 4}, {0, 0}}, {{1, 2, 3}, 3, {}, 2});
  });
  refuses("0 scores", [] { (void)ranked_classes({}, 2); });
  refuses("no rows of 0 classes", [] { (void)ranked_classes({1}, 0); });
  refuses("not a number", [] { (void)ranked_classes({1, NAN}, 2); });
  refuses("label 2 is not one of 0 to 1", [] { (void)rank_of_label(std::array{1.0f, 2.0f}.data(), 2, 2); });
  refuses("no image was classified", [] { (void)TopCount{}.top1(); });
  refuses("no image was classified", [] { (void)TopCount{}.mean_per_class(); });
}

TEST_CASE("in the mean over classes a rare class counts as much as a common one, and an empty one not") {
  TopCount count;
  for (int i = 0; i < 8; ++i) count.add(i < 6 ? 0 : 2, 0);  // 6 of 8
  count.add(1, 3);                                          // 0 of 1
  for (int i = 0; i < 2; ++i) count.add(0, 1);              // 2 of 2
  CHECK(count.mean_per_class() == doctest::Approx((0.75 + 0 + 1) / 3));
  CHECK(count.top1() == doctest::Approx(8.0 / 11));
}
