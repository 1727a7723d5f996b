// Steps of a RateSweep on any backend beside PyTorch's (tests/fixtures/make_probe.py).
#pragma once

#include <vitral/eval/classifiers/rate_sweep.hpp>
#include <vitral/io/safetensors.hpp>
#include <vitral/optim/optimizers.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

namespace vitral_tests {

using namespace vitral;

/// A step of the classifiers at `factor` times each rate, as a trainer makes it.
template <class B>
struct Steps {
  Steps(const RateSweep<B>& trained, const std::vector<double>& rates) : sweep(trained) {
    auto parameters = trainable_parameters(sweep);
    for (std::size_t r = 0; r < rates.size(); ++r) parameters[r].rate = rates[r];
    optimizer.emplace(Sgd{}, parameters);
  }
  void operator()(const typename RateSweep<B>::Matrix& x, const Tensor<int, Shape<dyn>, B>& labels, double factor) {
    tape.zero_grad();
    tape.backward(sweep.add_losses(tape.constant(Tensor<float, Shape<>, B>()), x, labels));
    optimizer->set_lr(factor);
    optimizer->step(tape);
  }
  RateSweep<B> sweep;
  std::optional<Optimizer<float, B>> optimizer{};
  Tape tape{};
};

template <class B>
std::vector<float> weights_of(const RateSweep<B>& sweep) {
  std::vector<float> out;
  for (const auto& weight : sweep.weights)
    for (const float w : weight.value.to_vector()) out.push_back(w);
  return out;
}

/// How far weights are from PyTorch's after any of its steps, as a part of 1 or of the weight where that is larger, and
/// whether the classifiers are right as often.
struct StepsFound {
  double deviation = 0;
  bool same_counts = true;
};
template <class B>
StepsFound steps_of(const SafetensorsFile& file) {
  const auto numbers = file.values<float>("sgd/x");
  const auto stored = file.values<std::int32_t>("sgd/labels");
  const std::vector<int> labels(stored.begin(), stored.end());
  const auto factors = file.values<double>("sgd/factors"), rates = file.values<double>("sgd/rates");
  const int images = static_cast<int>(labels.size()), inputs = static_cast<int>(numbers.size()) / images, classes = 6;
  RateSweep<B> classifiers(rates.size(), classes, inputs - 1, Seed{0});
  const auto start = file.values<float>("sgd/weight");
  for (std::size_t r = 0; r < rates.size(); ++r) {
    const auto from = start.begin() + static_cast<long>(r) * classes * inputs;
    classifiers.weights[r].value =
        RateSweep<B>::Matrix::from(std::vector<float>(from, from + classes * inputs), {classes, inputs});
  }
  Steps<B> step_with(classifiers, rates);
  StepsFound out;
  for (int step = 0; step < 4; ++step) {
    const int begin = 15 * step, rows = std::min(15, images - begin);
    const auto x = numbers.begin() + long{begin} * inputs;
    step_with(RateSweep<B>::Matrix::from(std::vector<float>(x, x + long{rows} * inputs), {rows, inputs}),
              Tensor<int, Shape<dyn>, B>::from(std::vector<int>(labels.begin() + begin, labels.begin() + begin + rows),
                                               {rows}),
              factors[static_cast<std::size_t>(step)]);
    const auto expected = file.values<double>("sgd/weight_after" + std::to_string(step + 1));
    const auto found = weights_of(classifiers);
    check(found.size() == expected.size(), "there are ", found.size(), " weights, not ", expected.size());
    check(std::all_of(found.begin(), found.end(), [](float w) { return std::isfinite(w); }), "a weight is no number");
    for (std::size_t i = 0; i < found.size(); ++i)
      out.deviation = std::max(
          out.deviation, std::abs(static_cast<double>(found[i]) - expected[i]) / std::max(1.0, std::abs(expected[i])));
  }
  std::vector<TopCount> counts(rates.size());
  classifiers.count(RateSweep<B>::Matrix::from(numbers, {images, inputs}), labels.data(), counts);
  for (std::size_t r = 0; r < rates.size(); ++r)
    out.same_counts = out.same_counts && counts[r].first == file.values<std::int32_t>("sgd/top1")[r] &&
                      counts[r].first_five == file.values<std::int32_t>("sgd/top5")[r];
  return out;
}

}  // namespace vitral_tests
