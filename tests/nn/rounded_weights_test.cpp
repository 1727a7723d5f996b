// Weights rounded ahead of their use: the same bits, for as long as they are kept and no longer.
#include "../random_tensor.hpp"

#include <vitral/nn/mlp.hpp>
#include <vitral/nn/rounded_weights.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

struct Net {
  Mlp<dyn, dyn> mlp;
  Linear<5, 2> last;

  explicit Net(Initializer init = Initializer(Seed{1})) : mlp(5, 12, init), last(5, 2, init) {}
  [[nodiscard]] auto operator()(const Operand auto& x) const { return last(mlp(x)); }

  VITRAL_MEMBERS(mlp, last)
};

const auto x = normal<bf16>(Dyn<2>{7, 5}, 1);

/// The result, and the gradients of all parameters.
std::vector<std::vector<double>> pass(const Net& net, Tape& tape) {
  const auto y = net(tape.constant(x));
  std::vector<std::vector<double>> out{doubles(y.value())};
  tape.backward(y, normal<bf16>(y.shape(), 2));
  for_each_parameter(net, [&](const std::string&, const auto& p) { out.push_back(doubles(tape.grad(p))); });
  return out;
}

}  // namespace

TEST_CASE("weights rounded in one pass give the bits of weights rounded at their use") {
  Net net;
  Tape once, each;
  const auto expected = pass(net, each);
  const RoundedWeights rounded(net);
  CHECK(pass(net, once) == expected);
}

TEST_CASE("rounded weights are used while they are kept, by what was recorded even longer") {
  Net net;
  const auto before = doubles(net(x));
  Tape tape;
  const auto expected = pass(net, tape);
  tape.zero_grad();
  const auto y = [&] {
    const RoundedWeights rounded(net);
    auto recorded = net(tape.constant(x));
    for_each_parameter(net, [](const std::string&, const auto& p) {
      if (shape_of<decltype(p)>::rank == 2) assign(p.value, p.value * 2);
    });
    CHECK(doubles(net(x)) == before);
    const Net copy = net;  // one without rounded weights
    CHECK(doubles(copy(x)) != before);
    return recorded;
  }();
  CHECK(doubles(net(x)) != before);
  tape.backward(y, normal<bf16>(y.shape(), 2));
  CHECK(doubles(tape.grad(net.mlp.fc1.weight)) == expected[1]);
}

TEST_CASE("rounded weights are no weights of float or double activations") {
  Net net;
  const auto images = normal<float>(Dyn<2>{7, 5}, 1);
  const auto before = doubles(net(images));
  const RoundedWeights rounded(net);
  CHECK(doubles(net(images)) == before);
}
