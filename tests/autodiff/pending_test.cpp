// What is computed from parameters alone, before any tape is in sight, is recorded where it meets a variable.
#include "../random_tensor.hpp"

#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/matmul.hpp>
#include <vitral/autodiff/norm.hpp>
#include <vitral/autodiff/reduce.hpp>
#include <vitral/autodiff/softmax.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

using Weight = Parameter<double, Dyn<2>>;

const auto one = Tensor<double, Shape<1, 1>>::from({1}, {});
const auto rows = Tensor<int, Shape<dyn>>::from({2, 0, 2}, {3});

/// The gradient of sum(f(p) * c) for the bare parameter is that for the watched one, and not zero.
template <class F>
void check_reaches(F&& f) {
  const Weight p{normal(Dyn<2>{3, 3}, 1)};
  Tape tape;
  const auto c = tape.constant(one);
  const auto weigh = [](const auto& y) { return sum(y * y); };
  tape.backward(weigh(f(tape.watch(p)) * c));
  const auto expected = tape.grad(p).to_vector();
  tape.zero_grad();
  tape.backward(weigh(f(p) * c));
  CHECK(distance(tape.grad(p).to_vector(), expected) < 1e-15);
  CHECK(expected != std::vector<double>(9, 0.0));
}

}  // namespace

TEST_CASE("a bare parameter is recorded through every operation") {
  check_reaches([](const auto& p) { return gather(p, rows); });
  check_reaches([](const auto& p) { return transpose<1, 0>(p); });
  check_reaches([](const auto& p) { return slice<0>(p, 1, 2); });
  check_reaches([](const auto& p) { return select<1>(p, 0); });
  check_reaches([](const auto& p) { return concat<0>(p, p); });
  check_reaches([](const auto& p) { return reshape(p, Dyn<2>{1, 9}); });
  check_reaches([](const auto& p) { return softmax(p); });
  check_reaches([](const auto& p) { return matmul(p, p); });
  check_reaches([](const auto& p) { return mean<0>(p); });
  check_reaches([](const auto& p) { return max<0>(p); });
  check_reaches([](const auto& p) { return eval(exp(p * 2)); });
  check_reaches([](const auto& p) { return variance<0>(p); });
}

TEST_CASE("operations on parameters follow each other") {
  check_reaches([](const auto& p) { return transpose<1, 0>(gather(p, rows)); });
  check_reaches([](const auto& p) { return matmul(eval(p * 0.5), transpose<1, 0>(p)); });
  check_reaches([](const auto& p) { return sum(square(p)) + mean(gather(p, rows)) * p; });
}

TEST_CASE("a penalty on the weights reaches them") {
  const Weight w{normal(Dyn<2>{4, 3}, 1)};
  const auto x = normal(Dyn<2>{2, 3}, 2);
  Tape tape;
  tape.backward(sum(linear(tape.constant(x), w)) * 0 + 0.5 * sum(square(w)));
  CHECK(distance(tape.grad(w).to_vector(), w.value.to_vector()) < 1e-15);
}

TEST_CASE("a result that meets two variables is recorded twice, and both gradients arrive") {
  const Weight w{normal(Dyn<2>{3, 3}, 1)};
  Tape tape;
  const auto t = transpose<1, 0>(w);
  const auto c = tape.constant(one);
  tape.backward(sum(t * c) + sum(t * 2 * c));
  CHECK(tape.grad(w).to_vector() == std::vector<double>(9, 3.0));
}

TEST_CASE("a result of parameters that have changed since is an error, unless it shares their memory") {
  const Weight w{normal(Dyn<2>{3, 3}, 1)};
  Tape tape;
  const auto c = tape.constant(one);
  const auto t = transpose<1, 0>(w);
  const auto e = eval(w * 2);
  const auto r = reshape(w, Dyn<2>{1, 9});
  assign(w.value, w.value * 2);
  CHECK_THROWS_WITH_AS(static_cast<void>(eval(t * c)), doctest::Contains("parameters that have changed since"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(eval(e * c)), doctest::Contains("parameters that have changed since"), Error);
  CHECK(eval(r * c).value().to_vector() == w.value.to_vector());
}

TEST_CASE("what comes from a frozen parameter is not recorded") {
  const Weight w{normal(Dyn<2>{3, 3}, 1), false};
  Tape tape;
  static_cast<void>(eval(transpose<1, 0>(w) * tape.constant(one)));
  static_cast<void>(matmul(tape.constant(normal(Dyn<2>{2, 3}, 2)), transpose<1, 0>(w)));
  CHECK(tape.recorded_nodes() == 0);
}

TEST_CASE("without a tape the results are plain tensors") {
  const Weight w{normal(Dyn<2>{3, 3}, 1)};
  const auto x = normal(Dyn<2>{2, 3}, 2);
  const auto y = matmul(x, transpose<1, 0>(w));
  static_assert(is_tensor<std::remove_cvref_t<decltype(y)>>);
  CHECK(y.to_vector() == linear(x, w).to_vector());
  // A layer after an embedding is inference: nothing waits for a tape any more.
  const auto y2 = linear(gather(w, rows), w);
  static_assert(is_tensor<std::remove_cvref_t<decltype(y2)>>);
  CHECK(y2.extent(0) == 3);
}

TEST_CASE("it takes the scalar type of what it meets, as a parameter does") {
  const Parameter<float, Dyn<2>> w{normal<float>(Dyn<2>{3, 3}, 1)};
  Tape tape;
  const auto y = eval(transpose<1, 0>(w) * tape.constant(eval(cast<bf16>(normal<float>(Dyn<2>{3, 3}, 2)))));
  static_assert(std::is_same_v<scalar_of<decltype(y)>, bf16>);
  tape.backward(sum(y));
  CHECK(tape.has_grad(w.value.data()));
}

TEST_CASE("an index on a tape brings the table there") {
  const Weight table{normal(Dyn<2>{3, 3}, 1)};
  Tape tape;
  tape.backward(sum(gather(table, tape.constant(rows))));
  CHECK(tape.grad(table).to_vector() == std::vector<double>{1, 1, 1, 0, 0, 0, 2, 2, 2});
}
