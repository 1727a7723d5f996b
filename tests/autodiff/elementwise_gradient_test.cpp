// Every element-wise operation against finite differences, behind a matrix product, so that the gradient has a way to
// go.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/matmul.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

/// The error of op(x w) as a function of x and w.
template <class Op>
double error_of(Op&& operation) {
  const auto f = [&](const auto& x, const auto& w) { return operation(matmul(x, w)); };
  return gradcheck(f, normal(Dyn<2>{3, 4}, 1), normal(Dyn<2>{4, 5}, 2));
}

/// The same for op(x w, b) with b of the product's shape or broadcast to it.
template <class Op, class S>
double error_of(Op&& operation, const S& shape) {
  const auto f = [&](const auto& x, const auto& w, const auto& b) { return operation(matmul(x, w), b); };
  return gradcheck(f, normal(Dyn<2>{3, 4}, 1), normal(Dyn<2>{4, 5}, 2), normal(shape, 3));
}

/// Positive and away from zero, where logarithms and roots are smooth.
auto positive(const auto& x) { return square(x) + 0.3; }

const Shape<dyn, dyn> same{3, 5};
const Shape<dyn> row{5};

}  // namespace

#define VITRAL_UNARY(name, expression)                                              \
  TEST_CASE("the gradient of " name " agrees with finite differences") {            \
    CHECK(error_of([](const auto& h) { return expression; }) < gradient_tolerance); \
  }
#define VITRAL_BINARY(name, expression)                                             \
  TEST_CASE("the gradient of " name " agrees with finite differences") {            \
    const auto operation = [](const auto& h, const auto& b) { return expression; }; \
    CHECK(error_of(operation, same) < gradient_tolerance);                          \
    CHECK(error_of(operation, row) < gradient_tolerance);                           \
  }

VITRAL_UNARY("negation", -h)
VITRAL_UNARY("square", square(h))
VITRAL_UNARY("exp", exp(h))
VITRAL_UNARY("log", log(positive(h)))
VITRAL_UNARY("log1p", log1p(positive(h)))
VITRAL_UNARY("sin", sin(h))
VITRAL_UNARY("cos", cos(h))
VITRAL_UNARY("silu", silu(h))
VITRAL_UNARY("softplus", softplus(h))
VITRAL_UNARY("sqrt", sqrt(positive(h)))
VITRAL_UNARY("rsqrt", rsqrt(positive(h)))
VITRAL_UNARY("tanh", tanh(h))
VITRAL_UNARY("erf", erf(h))
VITRAL_UNARY("gelu", gelu(h))
VITRAL_UNARY("sigmoid", sigmoid(h))
VITRAL_UNARY("relu", relu(h))
VITRAL_UNARY("abs", abs(h))
VITRAL_UNARY("clamp between numbers", clamp(h, -0.7, 0.9))
VITRAL_UNARY("a power by a number", pow(positive(h), 2.5))
VITRAL_UNARY("a number's power", pow(1.7, h))
VITRAL_UNARY("a cast to float and back", cast<double>(cast<double>(h)))
VITRAL_UNARY("a number minus a variable", 2 - h)
VITRAL_UNARY("a number over a variable", 1.5 / positive(h))

VITRAL_BINARY("addition", h + b)
VITRAL_BINARY("subtraction", h - b)
VITRAL_BINARY("multiplication", h* b)
VITRAL_BINARY("division", h / positive(b))
VITRAL_BINARY("minimum", minimum(h, b))
VITRAL_BINARY("maximum", maximum(h, b))
VITRAL_BINARY("a power", pow(positive(h), b))
VITRAL_BINARY("select by a comparison", select(h < b, exp(h), square(b)))
VITRAL_BINARY("clamp between variables", clamp(h, b - 0.5, b + 0.5))

TEST_CASE("comparisons pass no gradient") {
  const auto x = normal(same, 1), y = normal(same, 2);
  Tape tape;
  const auto a = tape.watch(x), b = tape.watch(y);
  tape.backward(sum((a < b) + (a <= b) + (a > b) + (a >= b) + equal(a, b) + not_equal(a, b)));
  CHECK(doubles(a.grad()) == std::vector<double>(15, 0.0));
  CHECK(doubles(b.grad()) == std::vector<double>(15, 0.0));
}

TEST_CASE("conventions at kinks are PyTorch's") {
  const auto slope_at = [](double at, auto&& f) {
    const auto x = Tensor<double, Shape<1>>::from({at}, {});
    Tape tape;
    const auto v = tape.watch(x);
    tape.backward(sum(f(v)));
    return v.grad().item();
  };
  CHECK(slope_at(0, [](const auto& v) { return relu(v); }) == 0);
  CHECK(slope_at(0, [](const auto& v) { return abs(v); }) == 0);
  CHECK(slope_at(1, [](const auto& v) { return clamp(v, -1, 1); }) == 1);
  CHECK(slope_at(1, [](const auto& v) { return maximum(v, 1); }) == 0.5);
  CHECK(slope_at(1, [](const auto& v) { return minimum(v, 1); }) == 0.5);
  CHECK(slope_at(0, [](const auto& v) { return pow(v, 2); }) == 0);
  CHECK(slope_at(3, [](const auto& v) { return pow(v, 0); }) == 0);
  const double nan = std::nan("");
  CHECK(slope_at(nan, [](const auto& v) { return relu(v); }) == 1);
  CHECK(slope_at(nan, [](const auto& v) { return abs(v); }) == 0);
  CHECK(slope_at(nan, [](const auto& v) { return clamp(v, -1, 1); }) == 0);
  CHECK(slope_at(nan, [](const auto& v) { return clamp(0, v, 1); }) == 0);
  CHECK(slope_at(nan, [](const auto& v) { return maximum(v, 1); }) == 1);
  CHECK(slope_at(0, [&](const auto& v) { return maximum(v, nan); }) == 1);
  CHECK(slope_at(nan, [](const auto& v) { return minimum(1, v); }) == 1);
  CHECK(std::isnan(slope_at(nan, [](const auto& v) { return pow(2, v); })));
}

TEST_CASE("a cast's gradient comes back in the type of its argument") {
  const auto x = normal<float>(same, 1);
  Tape tape;
  const auto v = tape.watch(x);
  const auto y = eval(cast<double>(v) * 3.0);
  tape.backward(sum(y));
  CHECK(doubles(v.grad()) == std::vector<double>(15, 3.0));
}

TEST_CASE("a random leaf draws the same numbers in the backward pass") {
  const Random random{5, 6, 7};
  CHECK(error_of([&](const auto& h) { return h * select(uniform(random, same) < 0.4, 0, square(h)); }) <
        gradient_tolerance);
}
