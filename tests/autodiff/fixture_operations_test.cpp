// Reductions, products and moving elements against PyTorch.
#include "fixture.hpp"

#include <vitral/autodiff/matmul.hpp>
#include <vitral/autodiff/reduce.hpp>

using namespace vitral_tests;
using namespace vitral_tests::pytorch;

namespace {

template <int Rank, Activation Act>
void affine(Fixture& c) {
  const auto f = [](const auto& x, const auto& weight, const auto& bias) { return linear<Act>(x, weight, bias); };
  c.agrees<Rank, 2, 1>(f, "x", "weight", "bias");
}

template <int Axis>
void add_reductions(std::vector<Case>& cases) {
  const std::string suffix = ".axis" + std::to_string(Axis);
  const std::vector<Case> along{
      {"sum", [](Fixture& c) { c.agrees<3>([](const auto& x) { return sum<Axis>(x); }, "x"); }},
      {"mean", [](Fixture& c) { c.agrees<3>([](const auto& x) { return mean<Axis>(x); }, "x"); }},
      {"reduce_max", [](Fixture& c) { c.agrees<3>([](const auto& x) { return max<Axis>(x); }, "x"); }},
      {"variance", [](Fixture& c) { c.agrees<3>([](const auto& x) { return variance<Axis>(x); }, "x"); }},
      {"logsumexp", [](Fixture& c) { c.agrees<3>([](const auto& x) { return logsumexp<Axis>(x); }, "x"); }},
      {"argmax", [](Fixture& c) { c.equals("y", argmax<Axis>(c.tensor<3>("x")).to_vector()); }},
  };
  for (const Case& c : along) cases.push_back({c.name + suffix, c.run});
}

const std::vector<Case> single_cases{
    {"sum.all", [](Fixture& c) { c.agrees<3>([](const auto& x) { return sum(x); }, "x"); }},
    {"mean.all", [](Fixture& c) { c.agrees<3>([](const auto& x) { return mean(x); }, "x"); }},
    {"variance.shifted", [](Fixture& c) { c.agrees<2>([](const auto& x) { return variance<1>(x); }, "x"); }},
    {"logsumexp.large", [](Fixture& c) { c.agrees<2>([](const auto& x) { return logsumexp<1>(x); }, "x"); }},
    {"mean_of_product",
     [](Fixture& c) { c.agrees<3, 1>([](const auto& a, const auto& b) { return mean<0>(a * b); }, "a", "b"); }},

    {"matmul", [](Fixture& c) { c.agrees<2, 2>([](const auto& a, const auto& b) { return matmul(a, b); }, "a", "b"); }},
    {"matmul.transposed",
     [](Fixture& c) {
       c.agrees<2, 2>([](const auto& a, const auto& b) { return matmul(a, transpose<1, 0>(b)); }, "a", "b");
     }},
    {"matmul.rank3",
     [](Fixture& c) { c.agrees<3, 2>([](const auto& a, const auto& b) { return matmul(a, b); }, "a", "b"); }},
    {"batched_matmul",
     [](Fixture& c) { c.agrees<3, 3>([](const auto& a, const auto& b) { return batched_matmul(a, b); }, "a", "b"); }},
    {"batched_matmul.transposed",
     [](Fixture& c) {
       c.agrees<3, 3>([](const auto& a, const auto& b) { return batched_matmul(a, transpose<0, 2, 1>(b)); }, "a", "b");
     }},
    {"linear", affine<2, Activation::none>},
    {"linear.no_bias",
     [](Fixture& c) { c.agrees<2, 2>([](const auto& x, const auto& w) { return linear(x, w); }, "x", "weight"); }},
    {"linear.relu", affine<2, Activation::relu>},
    {"linear.gelu", affine<2, Activation::gelu>},
    {"linear.rank3", affine<3, Activation::none>},

    {"gather",
     [](Fixture& c) {
       const auto rows = c.integers("index");
       const auto index = Tensor<int, Dyn<1>>::from(rows, {static_cast<int>(rows.size())});
       c.agrees<2>([&](const auto& x) { return gather(x, index); }, "x");
     }},
    {"concat.axis0",
     [](Fixture& c) { c.agrees<2, 2>([](const auto& a, const auto& b) { return concat<0>(a, b); }, "a", "b"); }},
    {"concat.axis1",
     [](Fixture& c) { c.agrees<2, 2>([](const auto& a, const auto& b) { return concat<1>(a, b); }, "a", "b"); }},
    {"concat.class_token",
     [](Fixture& c) {
       const Tensor<double, Dyn<3>> zeros({c.tensor<3>("b").extent(0), 1, 1});
       c.agrees<3, 3>([&](const auto& a, const auto& b) { return concat<1>(zeros + a, b); }, "a", "b");
     }},
    {"slice",
     [](Fixture& c) {
       const auto begin = c.integers("begin"), end = c.integers("end");
       const auto rows = [&](const auto& x) { return slice<0>(x, begin[0], end[0] - begin[0]); };
       c.agrees<2>([&](const auto& x) { return slice<1>(rows(x), begin[1], end[1] - begin[1]); }, "x");
     }},
    {"slice.first_token", [](Fixture& c) { c.agrees<3>([](const auto& x) { return select<1>(x, 0); }, "x"); }},
    {"transpose", [](Fixture& c) { c.agrees<2>([](const auto& x) { return transpose<1, 0>(x); }, "x"); }},
    {"permute", [](Fixture& c) { c.agrees<3>([](const auto& x) { return transpose<2, 0, 1>(x); }, "x"); }},
    {"permute.heads", [](Fixture& c) { c.agrees<4>([](const auto& x) { return transpose<0, 2, 1, 3>(x); }, "x"); }},
    {"reshape",
     [](Fixture& c) {
       c.agrees<3>([](const auto& x) { return reshape(x, Dyn<2>{6, 10}); }, "x");
     }},
};

}  // namespace

TEST_CASE("reductions, products, moving operations and their gradients agree with PyTorch") {
  auto cases = single_cases;
  add_reductions<0>(cases);
  add_reductions<1>(cases);
  add_reductions<2>(cases);
  run_cases(cases, operation_cases);
}
