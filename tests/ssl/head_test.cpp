// Projector and predictor heads: names, shapes and what they compute.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/ssl/head.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

using Names = std::vector<std::string>;

Head<double> make_head(int depth, LastNorm last) {
  Initializer init(Seed{1});
  return {depth, 4, 6, 3, last, init};
}
Names names_of(const Head<double>& head) {
  Names names;
  for_each_tensor(head, [&](const std::string& name, const auto&) { names.push_back(name); });
  return names;
}

const auto x = normal(Dyn<2>{5, 4}, 1);

}  // namespace

TEST_CASE("a head's members are named by their place in the sequence") {
  const Names inner{"0.weight", "1.weight", "1.bias",         "1.running_mean", "1.running_var", "3.weight",
                    "4.weight", "4.bias",   "4.running_mean", "4.running_var",  "6.weight"};
  Names with_norm = inner;
  with_norm.insert(with_norm.end(), {"7.running_mean", "7.running_var"});
  CHECK(names_of(make_head(3, LastNorm::yes)) == with_norm);
  CHECK(names_of(make_head(3, LastNorm::no)) == inner);
  CHECK(names_of(make_head(2, LastNorm::no)) ==
        Names{"0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var", "3.weight"});
  CHECK(names_of(make_head(1, LastNorm::yes)) == Names{"0.weight", "1.running_mean", "1.running_var"});
}

TEST_CASE("a head's layers have the widths asked for") {
  const auto head = make_head(3, LastNorm::yes);
  REQUIRE(head.linears.size() == 3);
  CHECK(to_string(head.linears[0].weight.shape()) == "[6, 4]");
  CHECK(to_string(head.linears[1].weight.shape()) == "[6, 6]");
  CHECK(to_string(head.linears[2].weight.shape()) == "[3, 6]");
  CHECK(to_string(head(x).shape()) == "[5, 3]");
}

/// The authors' MLP (byol_pytorch/byol_pytorch.py of hagiss/SDSSL) is made of nn.Linear(bias=False) and leaves
/// PyTorch's start: kaiming_uniform with a = sqrt(5), which is uniform within 1 / sqrt(fan-in), so that the variance is
/// 1 / (3 fan-in).
TEST_CASE("a head's weights start as those of PyTorch's Linear") {
  Initializer init(Seed{4});
  const Head<float> head(3, 96, 384, 48, LastNorm::yes, init);
  for (const auto& linear : head.linears) {
    const std::vector<double> weights = doubles(linear.weight.value);
    const double fan_in = linear.weight.value.extent(1), count = static_cast<double>(weights.size());
    double largest = 0, sum = 0, squares = 0;
    for (const double w : weights) largest = std::max(largest, std::abs(w)), sum += w, squares += w * w;
    CAPTURE(fan_in);
    CHECK(largest <= 1 / std::sqrt(fan_in) * (1 + 1e-6));
    CHECK(largest > 0.999 / std::sqrt(fan_in));
    // Four standard errors: the variance of w is b^2 / 3, that of w^2 is 4 b^4 / 45, with b = 1 / sqrt(fan-in).
    CHECK(std::abs(sum / count) < 4 * std::sqrt(1 / (3 * fan_in) / count));
    CHECK(std::abs(squares / count - 1 / (3 * fan_in)) < 4 * std::sqrt(4.0 / 45 / count) / fan_in);
  }
}

TEST_CASE("a head is linear, norm and ReLU in turn, without a ReLU at its end") {
  const auto head = make_head(2, LastNorm::no);
  const auto train = head.linears[1](relu(head.norms[0](head.linears[0](x), Training{})));
  CHECK(distance(head(x, Training{}).to_vector(), train.to_vector()) < 1e-14);
  const auto evaluate = head.linears[1](relu(head.norms[0](head.linears[0](x))));
  CHECK(distance(head(x).to_vector(), evaluate.to_vector()) < 1e-14);
  CHECK(distance(head(x).to_vector(), train.to_vector()) > 1e-3);
}

TEST_CASE("the last norm gives every channel mean zero and variance one") {
  const auto y = make_head(3, LastNorm::yes)(x, Training{});
  for (int c = 0; c < 3; ++c) {
    double sum = 0, squares = 0;
    for (int i = 0; i < 5; ++i) sum += y(i, c), squares += y(i, c) * y(i, c);
    CHECK(std::abs(sum) < 1e-12);
    CHECK(squares / 5 == doctest::Approx(1).epsilon(1e-2));  // less by the norm's eps
  }
}

TEST_CASE("a head's gradients agree with finite differences") {
  const auto head = make_head(2, LastNorm::yes);
  const auto f = [&](const auto& v, const auto&...) { return head(v, Training{}); };
  CHECK(gradcheck(f, x, head.linears[0].weight.value, head.norms[0].weight.value, head.linears[1].weight.value) <
        gradient_tolerance);
}

TEST_CASE("a head without width or depth is an error") {
  Initializer init(Seed{1});
  CHECK_THROWS_WITH_AS((Head<double>(0, 4, 6, 3, LastNorm::no, init)), doctest::Contains("1 or more, not 0"), Error);
  CHECK_THROWS_WITH_AS((Head<double>(2, 4, 0, 3, LastNorm::no, init)), doctest::Contains("1 or more, not 4, 0, 3"),
                       Error);
}
