// Matrix products with their epilogues, and attention, against finite differences.
#include "../random_tensor.hpp"

#include <vitral/autodiff/attention.hpp>
#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/matmul.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

const auto x = normal(Dyn<2>{4, 3}, 1), below = normal(Dyn<2>{3, 5}, 2), weight = normal(Dyn<2>{6, 5}, 3);
const auto bias = normal(Dyn<1>{6}, 4);

template <Activation Act>
double error_with_bias() {
  return gradcheck(
      [](const auto& a, const auto& w0, const auto& w, const auto& b) { return linear<Act>(matmul(a, w0), w, b); }, x,
      below, weight, bias);
}
template <Activation Act>
double error_without_bias() {
  return gradcheck([](const auto& a, const auto& w0, const auto& w) { return linear<Act>(tanh(matmul(a, w0)), w); }, x,
                   below, weight);
}

}  // namespace

TEST_CASE("the gradient of matmul agrees with finite differences") {
  const auto f = [](const auto& a, const auto& w0, const auto& w) { return matmul(tanh(matmul(a, w0)), w); };
  CHECK(gradcheck(f, x, below, normal(Dyn<2>{5, 2}, 5)) < gradient_tolerance);
}

TEST_CASE("the gradient of matmul of a tensor of three extents agrees with finite differences") {
  const auto f = [](const auto& a, const auto& w0) { return matmul(square(a), w0); };
  CHECK(gradcheck(f, normal(Dyn<3>{2, 4, 3}, 5), below) < gradient_tolerance);
}

TEST_CASE("the gradient of matmul of a variable by itself agrees with finite differences") {
  CHECK(gradcheck([](const auto& a) { return matmul(a, a); }, normal(Dyn<2>{3, 3}, 5)) < gradient_tolerance);
}

TEST_CASE("the gradient of linear agrees with finite differences for every activation") {
  CHECK(error_with_bias<Activation::none>() < gradient_tolerance);
  CHECK(error_with_bias<Activation::relu>() < gradient_tolerance);
  CHECK(error_with_bias<Activation::gelu>() < gradient_tolerance);
}

TEST_CASE("the gradient of linear without a bias agrees with finite differences for every activation") {
  CHECK(error_without_bias<Activation::none>() < gradient_tolerance);
  CHECK(error_without_bias<Activation::relu>() < gradient_tolerance);
  CHECK(error_without_bias<Activation::gelu>() < gradient_tolerance);
}

TEST_CASE("a fused activation equals the activation after the product") {
  CHECK(distance(doubles(linear<Activation::gelu>(matmul(x, below), weight, bias)),
                 doubles(eval(gelu(linear(matmul(x, below), weight, bias))))) < 1e-14);
  CHECK(distance(doubles(linear<Activation::relu>(matmul(x, below), weight, bias)),
                 doubles(eval(relu(linear(matmul(x, below), weight, bias))))) < 1e-14);
}

TEST_CASE("grouped_linear is linear of each group, with the gradient that finite differences give") {
  const auto w = normal(Dyn<2>{6, 3}, 6);
  const auto f = [](const auto& a, const auto& b) { return grouped_linear(tanh(a), square(b), 2); };
  CHECK(gradcheck(f, x, w) < gradient_tolerance);
  const auto group = [](const auto& t, int i) { return slice<0>(t, i * t.extent(0) / 2, t.extent(0) / 2); };
  const auto apart = concat<0>(linear(group(x, 0), group(w, 0)), linear(group(x, 1), group(w, 1)));
  CHECK(distance(doubles(grouped_linear(x, w, 2)), doubles(apart)) < 1e-14);
  CHECK_THROWS_WITH_AS(static_cast<void>(grouped_linear(x, w, 3)), doctest::Contains("3 groups"), Error);
}

TEST_CASE("the gradient of batched_matmul agrees with finite differences") {
  const auto f = [](const auto& a, const auto& b, const auto& w) { return batched_matmul(matmul(a, w), tanh(b)); };
  CHECK(gradcheck(f, normal(Dyn<3>{2, 4, 3}, 5), normal(Dyn<3>{2, 5, 2}, 6), below) < gradient_tolerance);
}

TEST_CASE("the gradient of attention agrees with finite differences") {
  const auto qkv = normal(Dyn<3>{2, 4, 3}, 5);
  const auto w = normal(Dyn<2>{3, 12}, 6);
  CHECK(gradcheck([](const auto& a, const auto& w0) { return attention(matmul(a, w0), 1); }, qkv, w) <
        gradient_tolerance);
  CHECK(gradcheck([](const auto& a, const auto& w0) { return attention(matmul(a, w0), 2); }, qkv, w) <
        gradient_tolerance);
}

TEST_CASE("the gradient of attention adds to one that is there") {
  const auto qkv = normal(Dyn<3>{2, 3, 6}, 5);
  CHECK(gradcheck([](const auto& a) { return attention(a, 1) * sum(square(a)); }, qkv) < gradient_tolerance);
}

TEST_CASE("a frozen weight gets no gradient and lets that of its input through") {
  const Parameter<double, Dyn<2>> frozen{weight, false};
  Tape tape;
  const auto h = tape.watch(normal(Dyn<2>{4, 5}, 7));
  tape.backward(sum(linear(h, frozen)));
  CHECK_FALSE(tape.has_grad(frozen.value.data()));
  const auto dh = h.grad();
  for (int j = 0; j < 5; ++j) {
    double expected = 0;
    for (int i = 0; i < 6; ++i) expected += weight(i, j);
    CHECK(dh(0, j) == doctest::Approx(expected).epsilon(1e-14));
  }
}

TEST_CASE("products whose extents differ are errors that name both shapes") {
  const auto message = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message([] { static_cast<void>(matmul(x, weight)); }).find("[4, 3] by [6, 5]") != std::string::npos);
  CHECK(message([] {
          static_cast<void>(linear(matmul(x, below), weight, normal(Dyn<1>{5}, 1)));
        }).find("bias of 5 for 6") != std::string::npos);
  CHECK(message([] {
          static_cast<void>(attention(normal(Dyn<3>{2, 4, 10}, 1), 2));
        }).find("3 x 2") != std::string::npos);
}
