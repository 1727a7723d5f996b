// Linear probes by SGD against PyTorch's steps (tests/fixtures/make_probe.py).
#include "evaluation.hpp"
#include "probe_steps.hpp"

#include <vitral/eval/classifiers/logistic_regression.hpp>
#include <vitral/eval/classifiers/probe.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

const ProbeOptions quick{.rates = {0.01, 1, 10}, .epochs = 30, .batch = 64};

std::vector<LayerProbe> probe(const Features& train, const Features& test, const ProbeOptions& options = quick) {
  return sgd_probes({train}, {test}, options);
}

}  // namespace

TEST_CASE("classifiers of every rate make PyTorch's steps, with momentum, on a short last batch too") {
  const StepsFound found = steps_of<Cpu>(SafetensorsFile(VITRAL_TESTS_DIR "/fixtures/probe.safetensors"));
  CHECK(found.deviation < 1e-5);
  CHECK(found.same_counts);
}

TEST_CASE("weights start from N(0, 0.01) and biases at zero, the same for every rate") {
  const auto weight = weights_of(RateSweep<>(2, 40, 50, Seed{3}));
  double squares = 0;
  for (std::size_t i = 0; i < 40 * 51; ++i) {
    if (i % 51 == 50) CHECK(weight[i] == 0);
    CHECK(weight[i] == weight[40 * 51 + i]);
    squares += static_cast<double>(weight[i]) * static_cast<double>(weight[i]);
  }
  CHECK(std::sqrt(squares / 2000) == doctest::Approx(0.01).epsilon(0.05));
}

TEST_CASE("classes of equal scores rank by their number, and a score that is no number stands first") {
  const float nan = std::nanf("");
  const std::vector<float> scores{0.5f, 2, 0.5f, -1}, broken{0, nan, 1};
  CHECK(rank_of_label(scores.data(), 4, 0) == 1);
  CHECK(rank_of_label(scores.data(), 4, 1) == 0);
  CHECK(rank_of_label(scores.data(), 4, 2) == 2);
  CHECK(rank_of_label(broken.data(), 3, 2) == 1);
  CHECK(rank_of_label(broken.data(), 3, 1) == 2);
}

TEST_CASE("the best of a sweep comes near logistic regression") {
  const LayerProbe found = probe(train_features(), test_features())[0];
  const auto ranked = ranked_classes(class_probabilities(logistic_regression(train_features()), test_features()), 7);
  long right = 0;
  for (std::size_t i = 0; i < test_features().labels.size(); ++i) right += ranked[7 * i] == test_features().labels[i];
  CHECK(found.best.test.images == 150);
  CHECK(found.best.test.top1() == doctest::Approx(static_cast<double>(right) / 150).epsilon(0.06));
}

TEST_CASE("the images held out choose the rate, of equals the first, whatever the test images say") {
  const LayerProbe found = probe(train_features(), test_features())[0];
  long most = 0;
  for (const RateScores& scores : found.rates) most = std::max(most, scores.held_out.first);
  CHECK(found.best.held_out.first == most);
  Features other = test_features();
  for (int& label : other.labels) label = (label + 1) % 7;
  CHECK(probe(train_features(), other)[0].best.rate == found.best.rate);
}

TEST_CASE("images held out teach nothing") {
  // Two classes that look alike but for the images held out, each of which has a direction of its own: learnt from, it
  // would be known again.
  Features train{std::vector<float>(40 * 41), 41, std::vector<int>(40), 2};
  for (int i = 0; i < 40; ++i) train.labels[static_cast<std::size_t>(i)] = i % 2;
  const ProbeOptions options{.rates = {10}, .epochs = 40, .batch = 40, .held_out = 0.5};
  const auto held_out = share_of_each_class(train.labels, 2, 0.5, options.seed);
  for (int i = 0; i < 40; ++i) train.rows[static_cast<std::size_t>(41 * i + i)] = 1;
  const LayerProbe found = probe(train, train, options)[0];
  CHECK(found.best.held_out.images == 20);
  // The twenty others are known by heart; of those held out, whose features never met a slope, the constants decide.
  CHECK(found.best.test.first == 20 + found.best.held_out.first);
  CHECK(found.best.held_out.first < 20);
}

TEST_CASE("a rate that diverges is not chosen") {
  Features train = train_features(), test = test_features();
  for (Features* f : {&train, &test})
    for (float& x : f->rows) x *= 1e20f;  // one step at rate 1, and logits are no numbers any more
  const LayerProbe found = probe(train, test, {.rates = {1, 1e-37}, .epochs = 5, .batch = 64})[0];
  CHECK(found.rates[0].held_out.first == 0);
  CHECK(found.best.rate == 1e-37);
}

TEST_CASE("layers are probed side by side as they are alone, with any number of threads") {
  Features doubled = train_features(), doubled_test = test_features();
  for (Features* f : {&doubled, &doubled_test})
    for (float& x : f->rows) x *= 2;
  const auto all = [](const std::vector<LayerProbe>& layers) {
    std::vector<long> out;
    for (const LayerProbe& layer : layers)
      for (const RateScores& s : layer.rates)
        out.insert(out.end(), {s.held_out.first, s.test.first, s.test.first_five});
    return out;
  };
  const int threads = cpu::threads();
  std::vector<long> expected = all(probe(train_features(), test_features()));
  const std::vector<long> second = all(probe(doubled, doubled_test));
  expected.insert(expected.end(), second.begin(), second.end());
  for (const int n : {1, 2, 3}) {
    cpu::set_threads(n);
    CHECK(all(sgd_probes({train_features(), doubled}, {test_features(), doubled_test}, quick)) == expected);
  }
  cpu::set_threads(threads);
}

TEST_CASE("a step's weights have the same bits with any number of threads") {
  const Features known = train_features();
  const int threads = cpu::threads();
  std::vector<std::vector<float>> weights;
  for (const int n : {1, 2, 3}) {
    cpu::set_threads(n);
    const RateSweep<> sweep(2, known.classes, known.width - 1, Seed{0});  // a row ends in what the bias takes
    const int images = known.images();
    Steps(sweep, {0.1, 1})(RateSweep<>::Matrix::from(known.rows, {images, known.width}),
                           Tensor<int, Shape<dyn>>::from(known.labels, {images}), 1);
    weights.push_back(weights_of(sweep));
  }
  cpu::set_threads(threads);
  CHECK(weights[0] == weights[1]);
  CHECK(weights[0] == weights[2]);
}

TEST_CASE("features that do not belong together are refused") {
  Features wrong = train_features();
  CHECK_THROWS_WITH_AS(static_cast<void>(sgd_probes({wrong, wrong}, {test_features()})),
                       doctest::Contains("training features of 2 layers and test features of 1"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(probe(wrong, test_features(), {.rates = {}})),
                       doctest::Contains("0 rates, 90 epochs"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(probe(wrong, test_features(), {.held_out = 1})),
                       doctest::Contains("a share of 1 held out"), Error);
  wrong.labels[3] = wrong.classes;
  CHECK_THROWS_WITH_AS(static_cast<void>(probe(wrong, test_features())),
                       doctest::Contains("label 7 is not one of 0 to 6"), Error);
}
