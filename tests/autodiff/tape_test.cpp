// The tape itself: what is recorded, when it is freed, how gradients accumulate.
#include "../random_tensor.hpp"

#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/losses.hpp>
#include <vitral/autodiff/matmul.hpp>
#include <vitral/autodiff/recompute.hpp>
#include <vitral/autodiff/reduce.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

const auto x = normal(Dyn<2>{3, 4}, 1), w = normal(Dyn<2>{4, 4}, 2);

const auto layer = [](const auto& a) { return matmul(tanh(a * 2), w); };

std::vector<double> twice(std::vector<double> values) {
  for (double& v : values) v *= 2;
  return values;
}

}  // namespace

TEST_CASE("a product's gradient is written by hand here") {
  Tape tape;
  const auto a = tape.watch(Tensor<double, Shape<2>>::from({3, 5}, {})),
             b = tape.watch(Tensor<double, Shape<2>>::from({7, 11}, {}));
  tape.backward(sum(a * b * a));
  CHECK(a.grad().to_vector() == std::vector<double>{42, 110});
  CHECK(b.grad().to_vector() == std::vector<double>{9, 25});
}

TEST_CASE("the gradient of a leaf that nothing reached is zero") {
  Tape tape;
  const auto a = tape.watch(x), b = tape.watch(w);
  tape.backward(sum(a));
  CHECK(b.grad().to_vector() == std::vector<double>(16, 0.0));
  CHECK_FALSE(tape.has_grad(w.data()));
  CHECK(tape.has_grad(x.data()));
}

TEST_CASE("gradients accumulate over backward passes until zero_grad") {
  Tape tape;
  const auto a = tape.watch(x);
  const auto pass = [&] { tape.backward(sum(exp(a))); };
  pass();
  const auto once = a.grad().to_vector();
  pass();
  CHECK(a.grad().to_vector() == twice(once));
  tape.zero_grad();
  CHECK(a.grad().to_vector() == std::vector<double>(12, 0.0));
  pass();
  CHECK(a.grad().to_vector() == once);
}

TEST_CASE("gradients of weights accumulate over backward passes") {
  const Parameter<double, Dyn<2>> weight{w};
  Tape tape;
  const auto pass = [&] { tape.backward(sum(square(linear(tape.constant(x), weight)))); };
  pass();
  const auto once = tape.grad(weight).to_vector();
  pass();
  CHECK(distance(tape.grad(weight).to_vector(), twice(once)) < 1e-15);
}

TEST_CASE("a tensor has one gradient however often it is watched") {
  Tape tape;
  const auto a = tape.watch(x), b = tape.watch(x);
  tape.backward(sum(a + 2 * b));
  CHECK(a.grad().to_vector() == std::vector<double>(12, 3.0));
  CHECK(b.grad().to_vector() == std::vector<double>(12, 3.0));
}

TEST_CASE("nodes are freed when they were walked") {
  Tape tape;
  const auto a = tape.watch(x);
  const auto y = matmul(tanh(a), w);
  CHECK(tape.recorded_nodes() == 2);
  tape.backward(sum(y));
  CHECK(tape.recorded_nodes() == 0);
}

TEST_CASE("memory that a node saved is given back as soon as it was walked") {
  auto pool_blocks =
      [] {  // a fresh tensor of a size that nothing else has takes the block that is idle, if there is one
        const Tensor<double, Dyn<2>> probe({37, 411});
        return static_cast<const void*>(probe.data());
      };
  Tape tape;
  const auto a = tape.watch(normal(Dyn<2>{37, 411}, 3));
  const void* saved = nullptr;
  auto loss = [&] {
    const auto h = eval(exp(a));
    saved = h.value().data();
    return eval(sum(h * h));
  }();
  CHECK(pool_blocks() != saved);  // the tape holds it
  tape.backward(loss);
  tape.zero_grad();
  bool found = false;
  std::vector<Tensor<double, Dyn<2>>> kept;
  for (int i = 0; i < 8 && !found; ++i) {
    kept.emplace_back(Dyn<2>{37, 411});
    found = kept.back().data() == saved;
  }
  CHECK(found);
}

TEST_CASE("a node that the loss does not depend on is not run and is freed") {
  Tape tape;
  const auto a = tape.watch(x), b = tape.watch(w);
  const auto unused = eval(exp(b));
  tape.backward(sum(a));
  CHECK(tape.recorded_nodes() == 0);
  CHECK_FALSE(tape.has_grad(w.data()));
  CHECK(unused.extent(0) == 4);
}

TEST_CASE("clear forgets what was recorded, and the tape goes on") {
  Tape tape;
  const auto a = tape.watch(x);
  static_cast<void>(eval(exp(a)));
  CHECK(tape.recorded_nodes() == 1);
  tape.clear();
  CHECK(tape.recorded_nodes() == 0);
  tape.backward(sum(3 * a));
  CHECK(a.grad().to_vector() == std::vector<double>(12, 3.0));
}

TEST_CASE("a constant records nothing") {
  Tape tape;
  const auto a = tape.constant(x);
  const auto y = layer(a);
  CHECK(tape.recorded_nodes() == 0);
  CHECK(y.value().to_vector() == layer(x).to_vector());
}

TEST_CASE("anything can be a constant: an expression, a view, a parameter, a variable of another tape") {
  Tape tape, other;
  const Parameter<double, Dyn<2>> weight{w};
  const auto a = other.watch(x);
  const auto h = eval(a * 2);
  CHECK(tape.constant(x * 2 + 1).value().to_vector() == eval(x * 2 + 1).to_vector());
  CHECK(tape.constant(transpose_view<1, 0>(x)).value().to_vector() == eval(transpose_view<1, 0>(x)).to_vector());
  CHECK(tape.constant(weight).value().data() == w.data());
  CHECK(tape.constant(h).value().data() == h.value().data());
  CHECK(tape.constant(exp(a) + h).value().to_vector() == eval(exp(x) + x * 2).to_vector());
  CHECK(tape.constant(transpose<1, 0>(weight)).value().to_vector() == eval(transpose_view<1, 0>(w)).to_vector());
  CHECK(tape.recorded_nodes() == 0);
  CHECK(other.recorded_nodes() == 1);
  tape.backward(sum(tape.watch(x) * tape.constant(h)));  // no gradient goes to the other tape
  CHECK(tape.grad(x).to_vector() == h.value().to_vector());
  CHECK_FALSE(other.has_grad(x.data()));
}

TEST_CASE("nothing is recorded of what is computed from a value") {
  const Parameter<double, Dyn<2>> weight{w};
  const auto network = [&](const auto& images) { return matmul(tanh(images), weight); };
  Tape tape;
  const auto images = tape.watch(x);
  const auto target = network(value_of(images));  // a tensor, whether `images` are on a tape or not
  static_assert(!is_recorded<decltype(target)>);
  CHECK(network(value_of(images * 2)).to_vector() == network(x * 2).to_vector());
  CHECK(value_of(transpose<1, 0>(weight)).to_vector() == eval(transpose_view<1, 0>(w)).to_vector());
  CHECK(value_of(x).data() == x.data());
  CHECK(tape.recorded_nodes() == 0);
  tape.backward(mse(network(images), target));
  CHECK(tape.grad(weight).to_vector() == std::vector<double>(16, 0.0));  // the two are equal
}

TEST_CASE("a change by *= is found by a tape that has saved the tensor") {
  const auto a = clone(x);
  Tape tape;
  const auto y = eval(square(tape.watch(a)));
  a *= 10;
  CHECK_THROWS_WITH_AS(tape.backward(sum(y)), doctest::Contains("was changed in place since"), Error);
}

TEST_CASE("a constant beside a trainable parameter is recorded, beside a frozen one it is not") {
  Parameter<double, Dyn<2>> weight{w};
  Tape tape;
  static_cast<void>(linear(tape.constant(x), weight));
  CHECK(tape.recorded_nodes() == 1);
  weight.trainable = false;
  static_cast<void>(linear(tape.constant(x), weight));
  static_cast<void>(eval(tape.constant(w) + weight));
  CHECK(tape.recorded_nodes() == 1);
}

TEST_CASE("a frozen parameter gets no gradient in an expression, its neighbour does") {
  const Parameter<double, Dyn<2>> frozen{w, false}, trained{normal(Dyn<2>{4, 4}, 5)};
  Tape tape;
  tape.backward(sum(frozen * trained * tape.constant(normal(Dyn<2>{4, 4}, 6))));
  CHECK_FALSE(tape.has_grad(frozen.value.data()));
  CHECK(tape.has_grad(trained.value.data()));
}

TEST_CASE("detach stops the gradient and keeps the value") {
  Tape tape;
  const auto a = tape.watch(x);
  const auto h = eval(exp(a));
  tape.backward(sum(detach(h) * a));
  CHECK(a.grad().to_vector() == h.value().to_vector());
}

TEST_CASE("two tapes live side by side") {
  Tape first, second;
  const auto a = first.watch(x), b = second.watch(x);
  const auto ya = eval(sum(a * 2)), yb = eval(sum(b * 3));
  first.backward(ya);
  CHECK(second.recorded_nodes() > 0);
  second.backward(yb);
  CHECK(a.grad().to_vector() == std::vector<double>(12, 2.0));
  CHECK(b.grad().to_vector() == std::vector<double>(12, 3.0));
}

TEST_CASE("mixing two tapes is an error") {
  Tape first, second;
  const auto a = first.watch(w), b = second.watch(w);
  CHECK_THROWS_WITH_AS(static_cast<void>(eval(a + b)), doctest::Contains("two tapes"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(matmul(a, b)), doctest::Contains("two tapes"), Error);
  CHECK_THROWS_WITH_AS(first.backward(eval(sum(b))), doctest::Contains("another tape"), Error);
}

TEST_CASE("a loss must be one number") {
  Tape tape;
  const auto a = tape.watch(x);
  CHECK_THROWS_WITH_AS(tape.backward(exp(a)), doctest::Contains("[3, 4]; reduce it to one number"), Error);
}

TEST_CASE("an upstream gradient stands in for a loss") {
  Tape tape;
  const auto a = tape.watch(x);
  const auto upstream = normal(Dyn<2>{3, 4}, 9);
  tape.backward(eval(2 * a), upstream);
  CHECK(a.grad().to_vector() == twice(upstream.to_vector()));
}

TEST_CASE("the upstream gradient stays the caller's") {
  Tape tape;
  const auto a = tape.watch(x);
  const auto upstream = normal(Dyn<2>{3, 4}, 9);
  const auto before = upstream.to_vector();
  const auto h = eval(2 * a);
  const auto y = eval(h * h);
  tape.backward(y, upstream);
  CHECK(upstream.to_vector() == before);
}

TEST_CASE("the watched tensor may be changed between passes: the next one sees the new numbers") {
  const auto values = clone(x);
  Tape tape;
  const auto a = tape.watch(values);
  assign(values, values * 0 + 2);
  tape.backward(sum(square(a)));
  CHECK(a.grad().to_vector() == std::vector<double>(12, 4.0));
}

// Summands take the gradient of their sum as it is, without a copy. Factors of one forbid that and change no bit.
namespace {

constexpr auto as_it_is = [](const auto& a) { return a; };
constexpr auto times_one = [](const auto& a) { return a * 1; };

/// The gradients of x and w under `loss`, which passes each summand through its last argument, over two passes.
template <class T = double>
std::vector<double> gradients_of_sums(const auto& loss, const auto& summand) {
  const auto a = normal<T>(Dyn<2>{4, 4}, 11), b = normal<T>(Dyn<2>{4, 4}, 12);
  Tape tape;
  std::vector<double> out;
  for (int pass = 0; pass < 2; ++pass) {
    tape.backward(loss(tape.watch(a), tape.watch(b), summand));
    for (const auto& x : {a, b})
      for (const T g : tape.grad(x).to_vector()) out.push_back(static_cast<double>(g));
  }
  return out;
}

void check_sums(const auto& loss) {
  CHECK(gradients_of_sums(loss, as_it_is) == gradients_of_sums(loss, times_one));
  CHECK(gradients_of_sums<bf16>(loss, as_it_is) == gradients_of_sums<bf16>(loss, times_one));
}

}  // namespace

TEST_CASE("a residual's gradient is that of its sum and what its branch adds") {
  check_sums([](const auto& a, const auto& b, const auto& s) {
    auto x = eval(tanh(a));
    for (int i = 0; i < 3; ++i) x = eval(s(x) + s(matmul(tanh(x), b)));
    return mean(cast<double>(square(x)));
  });
}

TEST_CASE("what a summand is given besides does not reach the other summands") {
  check_sums([](const auto& a, const auto& b, const auto& s) {
    const auto p = eval(tanh(a)), q = eval(exp(b)), r = eval(a * b);
    const auto early = eval(p * 3), late = eval(s(p) + s(q) + s(r));
    return mean(cast<double>(square(late) + early * q));
  });
  check_sums([](const auto& a, const auto& b, const auto& s) {  // the branch is the residual itself, times two
    const auto p = eval(tanh(a) * b), q = eval(p * 2);
    return mean(cast<double>(square(eval(s(p) + s(q)))));
  });
}

TEST_CASE("a variable may be a summand several times") {
  check_sums([](const auto& a, const auto& b, const auto& s) {
    const auto p = eval(tanh(a) + b);
    return mean(cast<double>(square(eval(s(p) + s(p)))));
  });
  check_sums([](const auto& a, const auto& b, const auto& s) {
    const auto p = eval(tanh(a)), q = eval(exp(b));
    return mean(cast<double>(square(eval(s(p) + s(q) + s(p) * 3 + s(q)))));
  });
  check_sums([](const auto& a, const auto& b, const auto& s) {  // a chain of sums that all hold the same
    const auto p = eval(tanh(a)), q = eval(exp(b)), r = eval(s(p) + s(q)), t = eval(s(r) + s(p)), u = eval(s(t) + s(q));
    return mean(cast<double>(square(u)));
  });
}

TEST_CASE("broadcast summands and summands of another type get gradients of their own") {
  check_sums([](const auto& a, const auto& b, const auto& s) {
    const auto row = eval(sum<0>(b));
    return mean(cast<double>(square(eval(s(eval(tanh(a))) + row))));
  });
  check_sums([](const auto& a, const auto& b, const auto& s) {
    const auto wide = eval(cast<compute_t<scalar_of<decltype(b)>>>(b));  // where b is bf16, the result is not
    return mean(cast<double>(square(eval(s(eval(tanh(a))) + s(wide)))));
  });
}

TEST_CASE("gradients of leaves never share memory, with each other or with the upstream gradient") {
  Tape tape;
  const auto a = tape.watch(x), b = tape.watch(clone(x));
  const auto upstream = normal(Dyn<2>{3, 4}, 9);
  tape.backward(eval(a + b + detach(a)), upstream);
  const auto expected = upstream.to_vector();
  CHECK(a.grad().to_vector() == expected);
  CHECK(b.grad().to_vector() == expected);
  assign(a.grad(), a.grad() * 5);  // as clipping does
  CHECK(b.grad().to_vector() == expected);
  CHECK(upstream.to_vector() == expected);
}

TEST_CASE("a sum makes no copy of its gradient and keeps none of its summands") {
  const Tensor<double, Dyn<2>> start({1024, 307});  // larger than what else is in the pool
  auto& pool = detail::Pool<Cpu>::instance();
  const std::size_t one = detail::size_of_class(detail::size_class_of(static_cast<std::size_t>(start.size()) * 8));
  Tape tape;
  const auto a = tape.watch(start);
  const std::size_t before = pool.held();
  const auto loss = [&] {
    const auto y = [&] { return eval(eval(exp(a)) + eval(tanh(a))); }();
    const Tensor<double, Dyn<2>> second(start.shape()), third(start.shape());  // where the summands were
    CHECK(pool.held() - before == 3 * one);
    return eval(sum(y));
  }();
  const Tensor<double, Dyn<2>> first(start.shape());
  tape.backward(loss);  // of y and of both summands: one block; of the leaf: another
  CHECK(pool.held() - before == 3 * one);
}

// A node may stand for a computation that backward records when it gets there.
namespace {

/// f(x), which the tape does not keep.
template <class X, class F>
auto once_more(const X& x, const F& f) {
  if constexpr (is_variable<X>)
    return recomputed(x.tape(), f(x.value()), [x, f] { return f(x); });
  else
    return f(x);
}

/// The loss and the gradients of x and w over two passes; `loss` sends parts of it through its last argument.
std::vector<double> gradients_of_parts(const auto& loss, const auto& through) {
  const Parameter<double, Dyn<2>> weight{w};
  const auto start = clone(x);
  Tape tape;
  std::vector<double> out;
  for (int pass = 0; pass < 2; ++pass) {
    const auto y = eval(loss(tape.watch(start), weight, through));
    tape.backward(y);
    CHECK(tape.recorded_nodes() == 0);
    out.push_back(y.item());
    for (const auto& g : {tape.grad(start), tape.grad(weight)})
      for (const double number : g.to_vector()) out.push_back(number);
  }
  return out;
}

void check_recomputed(const auto& loss) {
  const auto kept = gradients_of_parts(loss, [](const auto& a, const auto& f) { return f(a); });
  CHECK(gradients_of_parts(loss, [](const auto& a, const auto& f) { return once_more(a, f); }) == kept);
}

}  // namespace

TEST_CASE("what is recomputed gives the gradients of what is kept") {
  check_recomputed([](const auto& a, const auto& b, const auto& through) {  // one after the other, with residuals
    const auto f = [&](const auto& h) { return eval(h + linear(tanh(h), b)); };
    return mean(square(through(through(through(a, f), f), f)));
  });
  check_recomputed([](const auto& a, const auto& b, const auto& through) {  // a result and an input with other users
    const auto h = eval(exp(a));
    const auto y = through(h, [&](const auto& v) { return linear(tanh(v), b); });
    return mean(square(y + h) * tanh(y));
  });
  check_recomputed([](const auto& a, const auto&, const auto& through) {  // nothing is computed at all
    const auto same = [](const auto& v) { return v; };
    const auto second =
        through(eval(tanh(a)), same);  // recorded before the first, whichever operand a compiler begins with
    const auto first = through(a, same);
    return mean(square(first) + exp(second));
  });
  check_recomputed([](const auto& a, const auto&, const auto& through) {  // no gradient goes further
    return mean(square(a) + through(a, [](const auto& v) { return detach(v); }));
  });
}

TEST_CASE("what is recomputed may recompute parts of itself") {
  check_recomputed([](const auto& a, const auto& b, const auto& through) {
    const auto inner = [&](const auto& h) { return eval(h + linear(tanh(h), b)); };
    const auto outer = [&through, inner](const auto& h) {
      return eval(through(exp(h), inner) * through(h, inner) + h);
    };
    return mean(square(through(through(a, outer), outer)));
  });
}

TEST_CASE("what is recomputed and reaches no loss is not computed again") {
  int calls = 0;
  Tape tape;
  const auto a = tape.watch(x);
  const auto f = [&](const auto& v) { return ++calls, eval(exp(v)); };
  const auto used = once_more(a, f), unused = once_more(a, f);
  CHECK(calls == 2);
  CHECK(tape.recorded_nodes() == 2);
  tape.backward(sum(used));
  CHECK(calls == 3);
  CHECK(unused.value().to_vector() == used.value().to_vector());
}

TEST_CASE("of what is recomputed the input alone is kept, and one computation is there at a time") {
  const auto start = normal(Dyn<2>{512, 301}, 3);  // of a size that nothing else has
  auto& pool = detail::Pool<Cpu>::instance();
  const std::size_t one = detail::size_of_class(detail::size_class_of(static_cast<std::size_t>(start.size()) * 8));
  const auto held = [&](const auto& through) {
    pool.trim();
    const std::size_t before = pool.held();
    Tape tape;
    const auto layer = [](const auto& v) {
      auto h = eval(tanh(v));
      for (int i = 0; i < 6; ++i) h = eval(tanh(h));
      return h;
    };
    const auto loss = [&] { return eval(sum(through(through(through(tape.watch(start), layer), layer), layer))); }();
    tape.backward(loss);
    return (pool.held() - before) / one;
  };
  CHECK(held([](const auto& a, const auto& f) { return f(a); }) >= 21);
  CHECK(held([](const auto& a, const auto& f) { return once_more(a, f); }) <= 12);  // 7 + 3 results, and gradients
}

TEST_CASE("tensors alone need no tape and record nothing") {
  static_assert(!is_recorded<decltype(matmul(x, w))>);
  static_assert(!is_recorded<decltype(x * 2 + 1)>);
  static_assert(is_recorded<Variable<float, Shape<2>>>);
}

TEST_CASE("a long chain needs more than one block of the arena") {
  Tape tape;
  const auto a = tape.watch(Tensor<double, Shape<1>>::from({1}, {}));
  auto h = eval(a * 1.0);
  for (int i = 0; i < 5000; ++i) h = eval(h * 1.0);
  CHECK(tape.recorded_nodes() == 5001);
  tape.backward(sum(h));
  CHECK(a.grad().item() == 1);
}
