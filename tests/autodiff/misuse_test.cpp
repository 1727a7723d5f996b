// Mistakes with tapes and variables: each is an Error at the first wrong call, and the tape goes on afterwards.
#include "../random_tensor.hpp"

#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/reduce.hpp>
#include <vitral/autodiff/softmax.hpp>

#include <doctest/doctest.h>

#include <optional>

using namespace vitral_tests;

namespace {

const auto x = normal(Dyn<2>{3, 4}, 1);

/// The tape still gives d(sum(3 a)) = 3.
void check_goes_on(Tape& tape) {
  tape.zero_grad();
  const auto a = tape.watch(x);
  tape.backward(sum(3 * a));
  CHECK(a.grad().to_vector() == std::vector<double>(12, 3.0));
}

}  // namespace

TEST_CASE("a result cannot be computed with after backward") {
  Tape tape;
  const auto a = tape.watch(x);
  const auto h = eval(a * 2);
  const auto loss = eval(sum(h));
  tape.backward(loss);
  CHECK(h.value()(0, 0) == 2 * x(0, 0));
  CHECK_THROWS_WITH_AS(static_cast<void>(eval(h * 2)),
                       doctest::Contains("variable of shape [3, 4] was used after backward"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(eval(a + h)),
                       doctest::Contains("variable of shape [3, 4] was used after backward"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(softmax(h)),
                       doctest::Contains("variable of shape [3, 4] was used after backward"), Error);
  CHECK_THROWS_WITH_AS(tape.backward(loss), doctest::Contains("variable of shape [] was used after backward"), Error);
  CHECK_THROWS_WITH_AS(tape.backward(loss), doctest::Contains("variable of shape [] was used after backward"), Error);
  static_cast<void>(eval(detach(h) * a));
  check_goes_on(tape);
}

TEST_CASE("a result cannot be computed with after clear, even where the next record has one in its place") {
  Tape tape;
  const auto a = tape.watch(x);
  const auto h = eval(a * 2);
  tape.clear();
  const auto other = eval(exp(a));
  CHECK_THROWS_WITH_AS(static_cast<void>(eval(h * other)), doctest::Contains("was used after backward (or clear)"),
                       Error);
  check_goes_on(tape);
}

TEST_CASE("leaves and constants are used over many backward passes") {
  Tape tape;
  const auto a = tape.watch(x), c = tape.constant(x);
  for (int i = 1; i <= 3; ++i) {
    tape.backward(sum(a * c));
    CHECK(a.grad()(1, 1) == doctest::Approx(i * x(1, 1)));
  }
}

TEST_CASE("a variable that outlives its tape is an error wherever it is used") {
  std::optional<Tape> tape(std::in_place);
  const auto a = tape->watch(x), c = tape->constant(x);
  const auto h = eval(exp(a));
  tape.reset();
  const Tape next;  // may take the place of the first
  CHECK(a.value()(0, 0) == x(0, 0));
  for (const auto& v : {a, c, h}) {
    CHECK_THROWS_WITH_AS(static_cast<void>(eval(v * 2)), doctest::Contains("after its tape was destroyed"), Error);
    CHECK_THROWS_WITH_AS(static_cast<void>(v.grad()), doctest::Contains("after its tape was destroyed"), Error);
    CHECK_THROWS_WITH_AS(static_cast<void>(detach(v)), doctest::Contains("after its tape was destroyed"), Error);
  }
}

TEST_CASE("a variable that was moved from is an error") {
  Tape tape;
  auto a = tape.watch(x);
  const auto b = std::move(a);
  CHECK_THROWS_WITH_AS(static_cast<void>(eval(a * b)), doctest::Contains("was used after it was moved from"),
                       Error);  // NOLINT(bugprone-use-after-move)
  check_goes_on(tape);
}

TEST_CASE("an upstream gradient has the shape of the variable") {
  Tape tape;
  const auto a = tape.watch(x);
  CHECK_THROWS_WITH_AS((tape.backward(eval(a * 2), Tensor<double, Dyn<2>>({2, 4}))),
                       doctest::Contains("a gradient of shape [2, 4] was given for a variable of shape [3, 4]"), Error);
  check_goes_on(tape);
}

TEST_CASE("a backward pass that no gradient could reach is an error") {
  Tape tape;
  CHECK_THROWS_WITH_AS(tape.backward(sum(tape.constant(x))), doctest::Contains("no gradient is wanted"), Error);
  const auto a = tape.watch(x);
  CHECK_THROWS_WITH_AS(tape.backward(sum(detach(eval(a * 2)))), doctest::Contains("no gradient is wanted"), Error);
  check_goes_on(tape);
}

TEST_CASE("a gradient that is not kept is not zeros but an error") {
  Tape tape;
  const auto a = tape.watch(x), c = tape.constant(x);
  const auto h = eval(a * 2);
  tape.backward(sum(h * c));
  CHECK_THROWS_WITH_AS(static_cast<void>(h.grad()),
                       doctest::Contains("[3, 4] is an operation's result, whose gradient is not kept"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(c.grad()), doctest::Contains("[3, 4] is a constant, which has no gradient"),
                       Error);
  CHECK_THROWS_WITH_AS((static_cast<void>(tape.grad(Tensor<double, Shape<2>>()))),
                       doctest::Contains("has never watched this tensor of shape [2]"), Error);
}

TEST_CASE("one memory is watched with one size") {
  Tape tape;
  const auto a = tape.watch(x);
  const Tensor<double, Dyn<2>> part(x.buffer(), {2, 4});
  CHECK_THROWS_WITH_AS(static_cast<void>(tape.watch(part)),
                       doctest::Contains("shape [2, 4] shares the memory of one that the tape watches with 12"), Error);
  tape.backward(sum(a));
  CHECK_THROWS_WITH_AS(static_cast<void>(tape.grad(part)),
                       doctest::Contains("shape [2, 4] shares the memory of one that was watched with 12"), Error);
  CHECK_THROWS_WITH_AS((static_cast<void>(tape.watch(Tensor<double, Dyn<2>>()))),
                       doctest::Contains("without elements was watched"), Error);
}

TEST_CASE("a tape lets go of leaves that nobody else holds") {
  Tape tape;
  auto w = normal(Dyn<2>{30, 40}, 2);
  std::size_t held = 0;
  for (int i = 0; i < 20; ++i) {
    const auto v = tape.watch(w);
    tape.backward(mean(square(v)));
    w = eval(w - 0.1 * v.grad());
    if (i == 4) held = detail::Pool<Cpu>::instance().held();
  }
  CHECK(detail::Pool<Cpu>::instance().held() == held);
}

TEST_CASE("a leaf whose place is taken anew has a gradient of its own") {
  Tape tape;
  const auto kept = tape.watch(x);
  for (int i = 0; i < 3; ++i) {
    const auto fresh = tape.watch(normal(Dyn<2>{3, 4}, 7));
    tape.backward(sum(fresh * 2 + kept));
    CHECK(fresh.grad().to_vector() == std::vector<double>(12, 2.0));
  }
  CHECK(kept.grad().to_vector() == std::vector<double>(12, 3.0));
}

TEST_CASE("what a tape has saved must not be changed before backward") {
  const auto said = "was changed in place since";
  const auto fresh = [] { return clone(x); };
  Tape tape;
  SUBCASE("a leaf of an expression") {
    const auto a = fresh();
    const auto v = tape.watch(a);
    const auto y = eval(square(v));
    assign(a, a * 10);
    CHECK_THROWS_WITH_AS(tape.backward(sum(y)), doctest::Contains(said), Error);
  }
  SUBCASE("an operation's input") {
    const auto a = fresh();
    const auto y = sum(l2_normalize(tape.watch(a)));
    assign(a, a * 10);
    CHECK_THROWS_WITH_AS(tape.backward(y), doctest::Contains(said), Error);
  }
  SUBCASE("an operation's result") {
    const auto y = softmax(tape.watch(fresh()));
    assign(y.value(), y.value() * 10);
    CHECK_THROWS_WITH_AS(tape.backward(sum(square(y))), doctest::Contains(said), Error);
  }
  SUBCASE("an index") {
    const auto index = Tensor<int, Shape<2>>::from({0, 1}, {});
    const auto y = gather(tape.watch(fresh()), index);
    assign(index, index * 0);
    CHECK_THROWS_WITH_AS(tape.backward(sum(y)), doctest::Contains(said), Error);
  }
  SUBCASE("what is not read again may change") {
    const auto a = fresh();
    const auto y = eval(tape.watch(a) + tape.watch(x));
    const auto z = eval(exp(y));
    assign(a, a * 10);
    tape.backward(sum(z + y));
  }
  SUBCASE("after backward it may change") {
    const auto a = fresh();
    for (int i = 0; i < 2; ++i) {
      tape.backward(sum(square(tape.watch(a))));
      assign(a, a - tape.grad(a));
    }
  }
  check_goes_on(tape);
}
