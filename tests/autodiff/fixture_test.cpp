// Element-wise operations against PyTorch, and the check that no case of the fixtures is left out.
#include "fixture.hpp"

#include <vitral/autodiff/reduce.hpp>

using namespace vitral_tests;
using namespace vitral_tests::pytorch;

namespace {

/// `pow` with the file's exponent.
void power(Fixture& c) {
  const double exponent = c.number("exponent");
  c.agrees<3>([&](const auto& x) { return pow(x, exponent); }, "x");
}

const std::vector<Case> cases{
    {"add", [](Fixture& c) { c.agrees<3, 1>([](const auto& a, const auto& b) { return a + b; }, "a", "b"); }},
    {"sub", [](Fixture& c) { c.agrees<3, 1>([](const auto& a, const auto& b) { return a - b; }, "a", "b"); }},
    {"mul", [](Fixture& c) { c.agrees<3, 1>([](const auto& a, const auto& b) { return a * b; }, "a", "b"); }},
    {"div", [](Fixture& c) { c.agrees<3, 1>([](const auto& a, const auto& b) { return a / b; }, "a", "b"); }},
    {"add.outer", [](Fixture& c) { c.agrees<3, 2>([](const auto& a, const auto& b) { return a + b; }, "a", "b"); }},
    {"mul.outer", [](Fixture& c) { c.agrees<3, 2>([](const auto& a, const auto& b) { return a * b; }, "a", "b"); }},
    {"sub.leading", [](Fixture& c) { c.agrees<1, 3>([](const auto& a, const auto& b) { return a - b; }, "a", "b"); }},
    {"min", [](Fixture& c) { c.agrees<3, 3>([](const auto& a, const auto& b) { return minimum(a, b); }, "a", "b"); }},
    {"max", [](Fixture& c) { c.agrees<3, 3>([](const auto& a, const auto& b) { return maximum(a, b); }, "a", "b"); }},
    {"max.broadcast",
     [](Fixture& c) { c.agrees<3, 1>([](const auto& a, const auto& b) { return maximum(a, b); }, "a", "b"); }},

    {"neg", [](Fixture& c) { c.agrees<3>([](const auto& x) { return -x; }, "x"); }},
    {"square", [](Fixture& c) { c.agrees<3>([](const auto& x) { return square(x); }, "x"); }},
    {"exp", [](Fixture& c) { c.agrees<3>([](const auto& x) { return exp(x); }, "x"); }},
    {"log", [](Fixture& c) { c.agrees<3>([](const auto& x) { return log(x); }, "x"); }},
    {"log1p", [](Fixture& c) { c.agrees<3>([](const auto& x) { return log1p(x); }, "x"); }},
    {"log1p.extreme", [](Fixture& c) { c.agrees<1>([](const auto& x) { return log1p(x); }, "x"); }},
    {"sin", [](Fixture& c) { c.agrees<3>([](const auto& x) { return sin(x); }, "x"); }},
    {"cos", [](Fixture& c) { c.agrees<3>([](const auto& x) { return cos(x); }, "x"); }},
    {"sqrt", [](Fixture& c) { c.agrees<3>([](const auto& x) { return sqrt(x); }, "x"); }},
    {"rsqrt", [](Fixture& c) { c.agrees<3>([](const auto& x) { return rsqrt(x); }, "x"); }},
    {"tanh", [](Fixture& c) { c.agrees<3>([](const auto& x) { return tanh(x); }, "x"); }},
    {"erf", [](Fixture& c) { c.agrees<3>([](const auto& x) { return erf(x); }, "x"); }},
    {"gelu", [](Fixture& c) { c.agrees<3>([](const auto& x) { return gelu(x); }, "x"); }},
    {"sigmoid", [](Fixture& c) { c.agrees<3>([](const auto& x) { return sigmoid(x); }, "x"); }},
    {"silu", [](Fixture& c) { c.agrees<3>([](const auto& x) { return silu(x); }, "x"); }},
    {"softplus", [](Fixture& c) { c.agrees<3>([](const auto& x) { return softplus(x); }, "x"); }},
    {"relu", [](Fixture& c) { c.agrees<3>([](const auto& x) { return relu(x); }, "x"); }},
    {"abs", [](Fixture& c) { c.agrees<3>([](const auto& x) { return abs(x); }, "x"); }},
    {"clamp",
     [](Fixture& c) {
       const double low = c.number("low"), high = c.number("high");
       c.agrees<3>([&](const auto& x) { return clamp(x, low, high); }, "x");
     }},
    {"pow", power},
    {"pow.integer", power},
    {"pow.negative", power},
    {"tanh.extreme", [](Fixture& c) { c.agrees<1>([](const auto& x) { return tanh(x); }, "x"); }},
    {"erf.extreme", [](Fixture& c) { c.agrees<1>([](const auto& x) { return erf(x); }, "x"); }},
    {"gelu.extreme", [](Fixture& c) { c.agrees<1>([](const auto& x) { return gelu(x); }, "x"); }},
    {"silu.extreme", [](Fixture& c) { c.agrees<1>([](const auto& x) { return silu(x); }, "x"); }},
    {"softplus.extreme", [](Fixture& c) { c.agrees<1>([](const auto& x) { return softplus(x); }, "x"); }},
    {"sigmoid.extreme", [](Fixture& c) { c.agrees<1>([](const auto& x) { return sigmoid(x); }, "x"); }},
    {"select",
     [](Fixture& c) {
       const auto a = c.tensor<3>("a");
       const auto b = c.tensor<1>("b");
       c.agrees<3, 1>([&](const auto& x, const auto& z) { return select(a > b, x, z); }, "x", "z");
     }},

    {"tanh_gelu",
     [](Fixture& c) {
       const double slope = std::sqrt(2 / 3.14159265358979323846);
       c.agrees<3>([&](const auto& x) { return 0.5 * x * (1 + tanh(slope * (x + 0.044715 * pow(x, 3)))); }, "x");
     }},
    {"silu_affine",
     [](Fixture& c) {
       const auto f = [&](const auto& x, const auto& weight, const auto& bias) { return silu(x * weight + bias); };
       c.agrees<3, 1, 1>(f, "x", "weight", "bias");
     }},
    {"normalise",
     [](Fixture& c) {
       const double eps = c.number("eps");
       const auto f = [&](const auto& x, const auto& m, const auto& v) { return (x - m) * rsqrt(v + eps); };
       c.agrees<3, 1, 1>(f, "x", "mean", "variance");
     }},
    {"reused_leaf", [](Fixture& c) { c.agrees<3>([](const auto& x) { return x * exp(-x) + x / (1 + x * x); }, "x"); }},
    {"mean_squared_error",
     [](Fixture& c) {
       c.agrees<2, 2>([](const auto& x, const auto& t) { return mean(square(x - t)); }, "x", "target");
     }},

    {"cast.bf16",
     [](Fixture& c) {
       // The numbers themselves, because infinities have no relative error.
       c.equals("y", doubles(eval(cast<bf16>(eval(cast<float>(c.tensor<1>("x")))))));
     }},
};

}  // namespace

TEST_CASE("element-wise operations and their gradients agree with PyTorch") { run_cases(cases, elementwise_cases); }

TEST_CASE("some test file answers for every case of the fixtures, and none for a case that is not there") {
  Names in_file, listed;
  for (const std::string& name : operations_file().names()) in_file.insert(name.substr(0, name.find('/')));
  for (const Names* list : {&elementwise_cases, &operation_cases, &layer_cases, &loss_cases, &evaluation_cases})
    for (const std::string& name : *list) {
      CAPTURE(name);
      CHECK(listed.insert(name).second);
      CHECK(in_file.contains(name));
    }
  for (const std::string& name : in_file) {
    CAPTURE(name);
    CHECK(listed.contains(name));
  }
}
