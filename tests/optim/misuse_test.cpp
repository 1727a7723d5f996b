// Parameters that would not be trained without a word: each way is an Error, or works.
#include "../random_tensor.hpp"

#include <vitral/autodiff/reduce.hpp>
#include <vitral/nn/linear.hpp>
#include <vitral/optim/optimizers.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

const auto x = normal<float>(Dyn<2>{2, 4}, 1);
const Sgd plain{.lr = 1, .momentum = 0};

struct Net {
  Linear<4, 4> a{Seed{1}};
  VITRAL_MEMBERS(a)
};
struct Tied : Net {
  static void visit(auto& self, auto&& f) {
    f("embedding", self.a);
    f("head", self.a);
  }
};
struct Forgetful : Net {
  Linear<4, 4> b{Seed{2}};
};

struct Pair {
  Linear<4, 4> a, b;
  VITRAL_MEMBERS(a, b)
};
struct Empty {
  Parameter<float, Shape<dyn>> scale;
  VITRAL_MEMBERS(scale)
};

void backward(Tape& tape, const auto&... layers) { tape.backward((sum(layers(tape.constant(x))) + ...)); }

}  // namespace

TEST_CASE("a layer that is visited twice is trained once") {
  Tied net;
  auto optimizer = make_optimizer(plain, net);
  CHECK(optimizer.parameters().size() == 2);
  CHECK(optimizer.parameters()[0].name == "embedding.weight");
  Tape tape;
  backward(tape, net.a);
  optimizer.step(tape);
  CHECK(net.a.bias.value.to_vector() == std::vector<float>(4, -2));
}

TEST_CASE("what members share they share in a copy of the module") {
  const Tied net;
  const Tied copy = clone_module(net);
  CHECK(copy.a.weight.value.data() != net.a.weight.value.data());
  CHECK(copy.a.weight.value.to_vector() == net.a.weight.value.to_vector());
  const Pair tied = clone_module(Pair{net.a, net.a});
  CHECK(tied.a.weight.value.data() == tied.b.weight.value.data());
}

TEST_CASE("a member that its module does not name is named at the first step") {
  Forgetful net;
  auto optimizer = make_optimizer(plain, net);
  Tape tape;
  backward(tape, net.a, net.b);
  CHECK_THROWS_WITH_AS(optimizer.step(tape),
                       doctest::Contains("a parameter of 16 elements has a gradient, but no optimiser"), Error);
}

TEST_CASE("two optimisers may train two modules on one tape") {
  Net first;
  const Linear<4, 4> second(Seed{3});
  Net other{second};
  auto one = make_optimizer(plain, first), two = make_optimizer(plain, other);
  Tape tape;
  backward(tape, first.a, other.a);
  one.step(tape);
  two.step(tape);
  CHECK(first.a.bias.value.to_vector() == std::vector<float>(4, -2));
  CHECK(second.bias.value.to_vector() == std::vector<float>(4, -2));
}

TEST_CASE("a value that was assigned anew is found at the first step") {
  Net net;
  const Linear<4, 4> keeps_the_old_one = net.a;
  auto optimizer = make_optimizer(plain, net);
  net.a.weight.value = clone(net.a.weight.value);
  Tape tape;
  backward(tape, net.a);
  CHECK_THROWS_WITH_AS(optimizer.step(tape), doctest::Contains("assigned anew after make_optimizer"), Error);
}

TEST_CASE("a step with a tape that has no gradients is an error") {
  Net net;
  auto optimizer = make_optimizer(plain, net);
  Tape tape, other;
  CHECK_THROWS_WITH_AS(optimizer.step(tape), doctest::Contains("none of the optimiser's 2 parameters"), Error);
  backward(tape, net.a);
  CHECK_THROWS_WITH_AS(optimizer.step(other), doctest::Contains("none of the optimiser's 2 parameters"), Error);
  CHECK(optimizer.steps() == 0);
}

TEST_CASE("a step between the forward and the backward pass is found") {
  Net net;
  auto optimizer = make_optimizer(plain, net);
  Tape tape;
  const auto loss = sum(square(net.a(tape.constant(x))));
  backward(tape, net.a);
  optimizer.step(tape);
  CHECK_THROWS_AS(tape.backward(loss), Error);  // the first backward has walked its record
  const auto again = sum(square(net.a(net.a(tape.constant(x)))));
  optimizer.step(tape);
  CHECK_THROWS_WITH_AS(tape.backward(again), doctest::Contains("was changed in place"), Error);
}

TEST_CASE("layers that are given no seed start apart") {
  const Linear<4, 4> a, b;
  CHECK(a.weight.value.to_vector() != b.weight.value.to_vector());
  CHECK(Linear<4, 4>(Seed{1}).weight.value.to_vector() == Linear<4, 4>(Seed{1}).weight.value.to_vector());
}

TEST_CASE("a parameter without elements is named") {
  CHECK_THROWS_WITH_AS(static_cast<void>(make_optimizer(plain, Empty{})),
                       doctest::Contains("parameter scale has no elements"), Error);
}
