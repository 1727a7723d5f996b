#include "../random_tensor.hpp"

#include <vitral/tensor/layout.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

Tensor<float, Dyn<1>> numbers(std::vector<float> values) {
  const int count = static_cast<int>(values.size());
  return Tensor<float, Dyn<1>>::from(values, {count});
}

}  // namespace

TEST_CASE("assign writes into the tensor's memory, which all handles see") {
  const auto x = numbers({1, 2, 3}), other = x;
  assign(x, numbers({4, 5, 6}) * 2);
  CHECK(other.to_vector() == std::vector<float>{8, 10, 12});
}

TEST_CASE("an assignment may read the tensor that it writes") {
  const auto x = numbers({1, 2, 3});
  assign(x, x * x + x);
  CHECK(x.to_vector() == std::vector<float>{2, 6, 12});
}

TEST_CASE("a smaller expression is broadcast to the tensor") {
  const Tensor<float, Dyn<2>> x({2, 3});
  assign(x, numbers({1, 2, 3}) + 0);
  CHECK(x.to_vector() == std::vector<float>{1, 2, 3, 1, 2, 3});
}

TEST_CASE("a larger expression does not fit") {
  const auto x = numbers({1, 2, 3});
  CHECK_THROWS_WITH_AS(assign(x, Tensor<float, Dyn<2>>({2, 3}) + 0),
                       doctest::Contains("[2, 3] does not fit a tensor of shape [3]"), Error);
  CHECK_THROWS_AS(assign(Tensor<float, Dyn<1>>({1}), x + 0), Error);
}

TEST_CASE("+=, -=, *= and /= change the elements that all handles see, by operands that broadcast") {
  const auto x = Tensor<float, Dyn<2>>::from({1, 2, 3, 4, 5, 6}, {2, 3});
  const auto other = x;
  const auto version = x.buffer().version();
  x += numbers({10, 20, 30});
  CHECK(other.to_vector() == std::vector<float>{11, 22, 33, 14, 25, 36});
  x -= 1;
  x *= x - 12;  // an expression that reads x itself
  CHECK(other.to_vector() == std::vector<float>{-20, 189, 640, 13, 288, 805});
  (x /= 2) += 0.5;
  CHECK(other.to_vector() == std::vector<float>{-9.5f, 95, 320.5f, 7, 144.5f, 403});
  CHECK(x.data() == other.data());
  CHECK(x.buffer().version() == version + 5);
  const auto count = Tensor<int, Shape<2>>::from({7, 8}, {});
  count *= 3;
  CHECK(count.to_vector() == std::vector<int>{21, 24});
  const auto half = Tensor<bf16, Shape<2>>::from({1.0f, 2.0f}, {});
  half += numbers({0.5f, 0.25f});
  CHECK(doubles(half) == std::vector<double>{1.5, 2.25});
}

TEST_CASE("a tensor does not grow by += and reads itself at the same places only") {
  const auto x = numbers({1, 2, 3});
  CHECK_THROWS_WITH_AS((x += Tensor<float, Dyn<2>>({2, 3})),
                       doctest::Contains("+=: an expression of shape [2, 3] does not fit a tensor of shape [3]"),
                       Error);
  CHECK_THROWS_WITH_AS((numbers({1}) *= x), doctest::Contains("*=: an expression of shape [3] does not fit"), Error);
  const auto square_matrix = Tensor<float, Dyn<2>>::from({1, 2, 3, 4}, {2, 2});
  CHECK_THROWS_WITH_AS((square_matrix -= transpose_view<1, 0>(square_matrix)),
                       doctest::Contains("-=: the right side reads the tensor"), Error);
  CHECK(x.to_vector() == std::vector<float>{1, 2, 3});
}

TEST_CASE("assign_together makes the first assignment before the second, element by element") {
  const auto m = numbers({1, 2}), p = numbers({10, 20});
  assign_together(into(m, m * 0.5 + 1), into(p, p - m));  // m is new there
  CHECK(m.to_vector() == std::vector<float>{1.5f, 2});
  CHECK(p.to_vector() == std::vector<float>{8.5f, 18});
}

TEST_CASE("assign_together is the same as one assignment after the other for many elements") {
  const Dyn<1> shape{20000};
  const auto m = normal<float>(shape, 1), v = normal<float>(shape, 2), p = normal<float>(shape, 3),
             g = normal<float>(shape, 4);
  const auto m2 = clone(m), v2 = clone(v), p2 = clone(p);
  assign_together(into(m, m * 0.9 + g * 0.1), into(v, v * 0.5 + g * g), into(p, p - m / (sqrt(abs(v)) + 1)));
  assign(m2, m2 * 0.9 + g * 0.1);
  assign(v2, v2 * 0.5 + g * g);
  assign(p2, p2 - m2 / (sqrt(abs(v2)) + 1));
  CHECK(m.to_vector() == m2.to_vector());
  CHECK(v.to_vector() == v2.to_vector());
  CHECK(p.to_vector() == p2.to_vector());
}

TEST_CASE("assign_together writes tensors of different types") {
  const auto master = numbers({1.001f, 2.002f});
  const Tensor<bf16, Dyn<1>> copy({2});
  assign_together(into(master, master * 2), into(copy, cast<bf16>(master)));
  CHECK(doubles(copy) == std::vector<double>{2, 4});
}

TEST_CASE("assign_together refuses shapes that differ") {
  CHECK_THROWS_WITH_AS(
      assign_together(into(numbers({1, 2}), numbers({1, 2}) + 0), into(numbers({1}), numbers({1}) + 0)),
      doctest::Contains("shapes differ"), Error);
}

TEST_CASE("eval of a tensor is that tensor, eval of an expression a new one") {
  const auto x = numbers({1, 2});
  CHECK(eval(x).data() == x.data());
  CHECK(eval(x + 0).data() != x.data());
}

TEST_CASE("an assignment reads its own tensor at the same places only") {
  const auto x = Tensor<float, Dyn<2>>::from({1, 2, 3, 4}, {2, 2});
  const auto refused = [](auto&& f) {
    CHECK_THROWS_WITH_AS(f(), doctest::Contains("eval the right side first"), Error);
  };
  refused([&] { assign(x, transpose_view<1, 0>(x)); });
  refused([&] { assign(x, x + square(transpose_view<1, 0>(x)) * 2); });
  refused([&] { assign(x, x - slice_view<0>(x, 1, 1)); });  // broadcast
  refused([&] { assign(x, x - select_view<1>(x, 0)); });
  refused([&] { assign_together(into(x, x + 0), into(clone(x), transpose_view<1, 0>(x) + 0)); });
  CHECK(x.to_vector() == std::vector<float>{1, 2, 3, 4});
  assign(x, eval(transpose_view<1, 0>(x)));
  CHECK(x.to_vector() == std::vector<float>{1, 3, 2, 4});
  assign(x, x + view(x) + reshape_tensor(flat(x), Dyn<2>{2, 2}));
  CHECK(x.to_vector() == std::vector<float>{3, 9, 6, 12});
  const auto row = Tensor<float, Dyn<2>>::from({1, 2, 3}, {1, 3});  // the same places under other strides
  assign(row, transpose_view<1, 0>(reshape_tensor(row, Dyn<2>{3, 1})) * 2);
  CHECK(row.to_vector() == std::vector<float>{2, 4, 6});
  const Tensor<float, Dyn<2>> nothing({0, 3});
  assign(nothing, nothing + 1);
}
