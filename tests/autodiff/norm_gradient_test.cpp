// Softmax, losses and normalisations against finite differences, behind a matrix product.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/matmul.hpp>
#include <vitral/autodiff/norm.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

const auto x = normal(Dyn<2>{6, 3}, 1), w = normal(Dyn<2>{3, 5}, 2);
const auto scale = normal(Dyn<1>{5}, 3), bias = normal(Dyn<1>{5}, 4);

/// The error of op(x w) as a function of x and w.
template <class Op>
double error_of(Op&& operation) {
  return gradcheck([&](const auto& a, const auto& b) { return operation(matmul(a, b)); }, x, w);
}
/// The error of op(x w, scale, bias) as a function of all.
template <class Op>
double affine_error_of(Op&& operation) {
  const auto f = [&](const auto& a, const auto& b, const auto& s, const auto& t) {
    return operation(matmul(a, b), s, t);
  };
  return gradcheck(f, x, w, scale, bias);
}

const auto target = Tensor<int, Dyn<1>>::from({0, 4, 2, 2, 1, 3}, {6});

}  // namespace

TEST_CASE("the gradient of softmax agrees with finite differences") {
  CHECK(error_of([](const auto& h) { return softmax(h); }) < gradient_tolerance);
}

TEST_CASE("the gradient of log_softmax agrees with finite differences") {
  CHECK(error_of([](const auto& h) { return log_softmax(h); }) < gradient_tolerance);
}

TEST_CASE("the gradient of softmax over three extents agrees with finite differences") {
  const auto f = [](const auto& a) { return softmax(reshape(a, Dyn<3>{2, 3, 3})); };
  CHECK(gradcheck(f, x) < gradient_tolerance);
}

TEST_CASE("the gradient of cross_entropy agrees with finite differences") {
  CHECK(error_of([](const auto& h) { return cross_entropy(h, target); }) < gradient_tolerance);
}

TEST_CASE("the gradient of cross_entropy passes logits that are masked by minus infinity") {
  const auto mask = Tensor<double, Shape<5>>::from({0, 0, 0, 1, 0}, {});
  const auto other = Tensor<int, Dyn<1>>::from({0, 4, 2, 2, 1, 4}, {6});
  const auto masked = [&](const auto& h) {
    return cross_entropy(select(mask, -std::numeric_limits<double>::infinity(), h), other);
  };
  CHECK(error_of(masked) < gradient_tolerance);
}

TEST_CASE("a masked logit gets no gradient") {
  const double inf = std::numeric_limits<double>::infinity();
  const auto logits = Tensor<double, Shape<1, 3>>::from({1, -inf, 2}, {});
  Tape tape;
  const auto v = tape.watch(logits);
  tape.backward(sum(cross_entropy(v, Tensor<int, Shape<1>>::from({2}, {}))));
  CHECK(v.grad()(0, 1) == 0);
  CHECK(v.grad()(0, 0) == doctest::Approx(1 / (1 + std::exp(1.0))).epsilon(1e-14));
}

TEST_CASE("cross_entropy names a wrong number of targets") {
  CHECK_THROWS_WITH_AS(static_cast<void>(cross_entropy(normal(Dyn<2>{4, 3}, 1), Tensor<int, Dyn<1>>({5}))),
                       doctest::Contains("5 targets for logits of shape [4, 3]"), Error);
}

TEST_CASE("cross_entropy refuses a target that is no class") {
  CHECK_THROWS_AS(static_cast<void>(cross_entropy(normal(Dyn<2>{1, 3}, 1), Tensor<int, Dyn<1>>::from({3}, {1}))),
                  Error);
}

TEST_CASE("the gradient of l2_normalize agrees with finite differences") {
  CHECK(error_of([](const auto& h) { return l2_normalize(h); }) < gradient_tolerance);
}

TEST_CASE("l2_normalize leaves a row of zeros at zero") {
  const auto y = l2_normalize(Tensor<double, Shape<1, 3>>{});
  CHECK(y.to_vector() == std::vector<double>{0, 0, 0});
}

TEST_CASE("the gradient of layer_norm agrees with finite differences") {
  CHECK(error_of([](const auto& h) { return layer_norm(h); }) < gradient_tolerance);
  CHECK(affine_error_of([](const auto& h, const auto& s, const auto& b) { return layer_norm(h, s, b); }) <
        gradient_tolerance);
}

TEST_CASE("the gradient of layer_norm with a scale alone agrees with finite differences") {
  const auto f = [](const auto& a, const auto& b, const auto& s) { return layer_norm(matmul(a, b), s); };
  CHECK(gradcheck(f, x, w, scale) < gradient_tolerance);
}

TEST_CASE("the gradient of batch_norm in training mode agrees with finite differences") {
  const auto plain = [](const auto& h) {
    return batch_norm_train(h, None{}, None{}, Tensor<double, Shape<5>>{}, Tensor<double, Shape<5>>{});
  };
  CHECK(error_of(plain) < gradient_tolerance);
  const auto affine = [](const auto& h, const auto& s, const auto& b) {
    return batch_norm_train(h, s, b, Tensor<double, Shape<5>>{}, Tensor<double, Shape<5>>{});
  };
  CHECK(affine_error_of(affine) < gradient_tolerance);
}

TEST_CASE("batch_norm with a ReLU is the ReLU of batch_norm, and so are its gradients") {
  const Tensor<double, Shape<5>> none;
  const auto fused = [&](const auto& h, const auto& s, const auto& t) {
    return batch_norm_train<Activation::relu>(h, s, t, none, none, 0.1, 1e-5, 2);
  };
  const auto apart = [&](const auto& h, const auto& s, const auto& t) {
    return eval(relu(batch_norm_train(h, s, t, none, none, 0.1, 1e-5, 2)));
  };
  const auto up = normal(Dyn<2>{6, 5}, 7);
  const auto result_and_gradients = [&](const auto& f) {
    Tape tape;
    const auto h = tape.watch(matmul(x, w));
    const auto factor = tape.watch(scale), shift = tape.watch(bias);
    const auto y = f(h, factor, shift);
    tape.backward(y, up);
    auto numbers = y.value().to_vector();
    for (const auto& part : {h.grad().to_vector(), factor.grad().to_vector(), shift.grad().to_vector()})
      numbers.insert(numbers.end(), part.begin(), part.end());
    return numbers;
  };
  CHECK(distance(result_and_gradients(fused), result_and_gradients(apart)) < 1e-14);
}

TEST_CASE("the gradient of batch_norm in evaluation mode agrees with finite differences") {
  const auto mean = normal(Dyn<1>{5}, 5);
  const auto var = eval(square(normal(Dyn<1>{5}, 6)) + 0.5);
  CHECK(error_of([&](const auto& h) { return batch_norm_eval(h, None{}, None{}, mean, var); }) < gradient_tolerance);
  CHECK(affine_error_of([&](const auto& h, const auto& s, const auto& b) {
          return batch_norm_eval(h, s, b, mean, var);
        }) < gradient_tolerance);
}

TEST_CASE("gradients of row operations add to what is there") {
  const auto f = [](const auto& a, const auto& b) {
    const auto h = matmul(a, b);
    return softmax(h) + log_softmax(h) * l2_normalize(h) + layer_norm(h) * h;
  };
  CHECK(gradcheck(f, x, w) < gradient_tolerance);
}
