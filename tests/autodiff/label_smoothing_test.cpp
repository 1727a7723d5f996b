// Cross entropy with smoothed labels against PyTorch's (tests/fixtures/make_probe.py), and with targets that are shared
// out.
#include "../random_tensor.hpp"

#include <vitral/autodiff/softmax.hpp>
#include <vitral/io/safetensors.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

TEST_CASE("cross entropy with label smoothing has PyTorch's losses and gradient") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/probe.safetensors");
  for (const std::string name : {"smoothing0.1/", "smoothing0.5/"}) {
    CAPTURE(name);
    const auto values = [&](const char* entry) { return file.values<double>(name + entry); };
    const auto stored = file.values<std::int32_t>(name + "target");
    const auto logits = Tensor<double, Dyn<2>>::from(values("logits"), {7, 5});
    const auto target = Tensor<int, Dyn<1>>::from(std::vector<int>(stored.begin(), stored.end()), {7});
    Tape tape;
    const auto x = tape.watch(logits);
    const auto losses = cross_entropy(x, target, values("smoothing").at(0));
    CHECK(distance(losses.value().to_vector(), values("losses")) <= 1e-12);
    tape.backward(losses, Tensor<double, Dyn<1>>::from(values("dlosses"), {7}));
    CHECK(distance(x.grad().to_vector(), values("dlogits")) <= 1e-12);
  }
}

TEST_CASE("a smoothing of 1 or more leaves nothing to learn and is refused") {
  const auto logits = normal<double>(Dyn<2>(std::array<int, 2>{2, 3}), 1);
  const auto target = Tensor<int, Dyn<1>>::from({0, 2}, {2});
  CHECK_THROWS_WITH_AS(static_cast<void>(cross_entropy(logits, target, 1.0)), doctest::Contains("in [0, 1), not 1"),
                       Error);
}

TEST_CASE("cross entropy with shared targets is that of smoothed labels, and is linear in the targets") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/probe.safetensors");
  const auto values = [&](const char* entry) { return file.values<double>(std::string("smoothing0.1/") + entry); };
  const auto stored = file.values<std::int32_t>("smoothing0.1/target");
  Tensor<double, Dyn<2>> shared({7, 5});
  for (int i = 0; i < 7; ++i)
    for (int c = 0; c < 5; ++c) shared(i, c) = (stored[static_cast<std::size_t>(i)] == c ? 0.9 : 0.0) + 0.1 / 5;
  Tape tape;
  const auto x = tape.watch(Tensor<double, Dyn<2>>::from(values("logits"), {7, 5}));
  const auto losses = cross_entropy(x, shared);
  CHECK(distance(losses.value().to_vector(), values("losses")) <= 1e-12);
  tape.backward(losses, Tensor<double, Dyn<1>>::from(values("dlosses"), {7}));
  CHECK(distance(x.grad().to_vector(), values("dlogits")) <= 1e-12);

  const auto other = Tensor<int, Dyn<1>>::from({4, 3, 2, 1, 0, 1, 2}, {7});
  Tensor<double, Dyn<2>> mixed({7, 5});
  for (int i = 0; i < 7; ++i)
    for (int c = 0; c < 5; ++c) mixed(i, c) = 0.3 * shared(i, c) + (other(i) == c ? 0.7 : 0.0);
  const auto expected = eval(0.3 * cross_entropy(x.value(), shared) + 0.7 * cross_entropy(x.value(), other));
  CHECK(distance(cross_entropy(x.value(), mixed).to_vector(), expected.to_vector()) <= 1e-12);
  CHECK_THROWS_WITH_AS(static_cast<void>(cross_entropy(x.value(), Tensor<double, Dyn<2>>({7, 4}))),
                       doctest::Contains("[7, 4]"), Error);
}
