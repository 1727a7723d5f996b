// Moving elements: reshape, slice, select, transpose, concat, gather, against finite differences.
#include "../random_tensor.hpp"

#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/matmul.hpp>
#include <vitral/autodiff/reduce.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

const auto x = normal(Dyn<3>{2, 3, 4}, 1);
const auto w = normal(Dyn<2>{4, 6}, 2);

/// The error of op(x w), x w [2, 3, 6].
template <class Op>
double error_of(Op&& operation) {
  return gradcheck([&](const auto& a, const auto& b) { return operation(matmul(a, b)); }, x, w);
}

}  // namespace

TEST_CASE("the gradient of reshape agrees with finite differences") {
  CHECK(error_of([](const auto& h) { return reshape(h, Dyn<2>{9, 4}); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return square(reshape<Shape<36>>(h)); }) < gradient_tolerance);
}

TEST_CASE("the gradient of slice agrees with finite differences along every axis") {
  CHECK(error_of([](const auto& h) { return slice<0>(h, 1, 1); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return slice<1, 2>(h, 1); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return slice<-1>(h, 2, 3); }) < gradient_tolerance);
}

TEST_CASE("slice_from takes the rest of an axis, of known extent where it can, and its gradient") {
  CHECK(error_of([](const auto& h) { return slice_from<1>(h, 2); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return slice_from<-1, 4>(square(h)); }) < gradient_tolerance);
  const Tensor<float, Shape<dyn, 5, 4>> tokens({2});
  static_assert(std::is_same_v<shape_of<decltype(slice_from<1, 2>(tokens))>, Shape<dyn, 3, 4>>);
  static_assert(std::is_same_v<shape_of<decltype(slice_from<1>(tokens, 2))>, Shape<dyn, dyn, 4>>);
  static_assert(std::is_same_v<shape_of<decltype(slice_from<0, 1>(tokens + 1))>, Shape<dyn, 5, 4>>);
  CHECK(slice_from<1>(x, 1).to_vector() == slice<1>(x, 1, 2).to_vector());
  CHECK(eval(slice_from<0>(x * 2, 0)).to_vector() == eval(x * 2).to_vector());
  CHECK(slice_from<2>(x, 4).size() == 0);
  CHECK_THROWS_WITH_AS(static_cast<void>(slice_from<1>(x, 4)),
                       doctest::Contains("slice_from: 4 is outside axis 1 of [2, 3, 4]"), Error);
  CHECK_THROWS_AS(static_cast<void>(slice_from<1>(x, -1)), Error);
}

TEST_CASE("the gradient of select agrees with finite differences along every axis") {
  CHECK(error_of([](const auto& h) { return select<0>(h, 1); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return select<1>(h, 0); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return select<2>(h, 5); }) < gradient_tolerance);
}

TEST_CASE("gradients of overlapping slices add up") {
  const auto overlapping = [](const auto& h) {
    return slice<1>(h, 0, 2) * slice<1>(h, 1, 2) + slice<1>(h, 1, 1) * 0.5;
  };
  CHECK(error_of(overlapping) < gradient_tolerance);
}

TEST_CASE("the gradient of transpose agrees with finite differences for cyclic and other orders") {
  CHECK(error_of([](const auto& h) { return transpose<1, 2, 0>(h); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return transpose<2, 0, 1>(h); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return transpose<0, 2, 1>(h) * 2; }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return transpose<-1, 1, 0>(h); }) < gradient_tolerance);
}

TEST_CASE("the gradient of concat of two agrees with finite differences along every axis") {
  CHECK(error_of([](const auto& h) { return concat<0>(h, square(h)); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return concat<1>(slice<1>(h, 0, 1), h); }) < gradient_tolerance);
  CHECK(error_of([](const auto& h) { return concat<2>(h, slice<2>(h, 3, 2)); }) < gradient_tolerance);
}

TEST_CASE("the gradient of concat of three agrees with finite differences, constants among them") {
  const auto f = [](const auto& a, const auto& b, const auto& c) {
    return concat<1>(matmul(a, b), c, tanh(matmul(a, b)));
  };
  CHECK(gradcheck(f, x, w, normal(Dyn<3>{2, 2, 6}, 3)) < gradient_tolerance);
  const auto constant = normal(Dyn<3>{2, 1, 6}, 4);
  CHECK(error_of([&](const auto& h) { return concat<1>(constant, h, constant); }) < gradient_tolerance);
}

TEST_CASE("concat_plus is concat and a sum, in value and gradients, whether the addend is trained or not") {
  for (const bool trained : {false, true}) {
    CAPTURE(trained);
    const Parameter<float, Dyn<3>> addend{normal<float>(Dyn<3>{1, 4, 6}, 7), trained};
    const auto a = normal<bf16>(Dyn<3>{2, 1, 6}, 8), b = normal<bf16>(Dyn<3>{2, 3, 6}, 9);
    const auto outcome = [&](auto&& join) {
      Tape tape;
      const auto y = join(tape.watch(a), tape.watch(b));
      tape.backward(mean(cast<float>(square(y))));
      return std::vector{doubles(y.value()), doubles(tape.grad(a)), doubles(tape.grad(b)), doubles(tape.grad(addend))};
    };
    const auto together = outcome([&](const auto& p, const auto& q) { return concat_plus<1>(addend, p, q); });
    CHECK(together == outcome([&](const auto& p, const auto& q) { return eval(concat<1>(p, q) + addend); }));
    CHECK(together[0] == doubles(concat_plus<1>(addend, a, b)));
  }
}

TEST_CASE("the gradient of gather agrees with finite differences where an index occurs twice") {
  const auto rows = Tensor<int, Dyn<1>>::from({1, 0, 1, 1}, {4});
  CHECK(error_of([&](const auto& h) { return square(gather(h, rows)); }) < gradient_tolerance);
}

TEST_CASE("the gradient of gather adds to one that is there, and is zero for rows that nobody takes") {
  const auto rows = Tensor<int, Dyn<1>>::from({2, 2}, {2});
  const auto table = normal(Dyn<2>{3, 2}, 5);
  CHECK(gradcheck([&](const auto& t) { return gather(t, rows) * sum(t); }, table) < gradient_tolerance);
  Tape tape;
  const auto v = tape.watch(table);
  tape.backward(sum(gather(v, rows)));
  CHECK(v.grad().to_vector() == std::vector<double>{0, 0, 0, 0, 2, 2});
}

TEST_CASE("gather refuses an index outside the table") {
  const auto rows = Tensor<int, Dyn<1>>::from({3}, {1});
  CHECK_THROWS_AS(static_cast<void>(gather(normal(Dyn<2>{3, 2}, 5), rows)), Error);
}

TEST_CASE("errors of moving operations say what does not fit") {
  CHECK_THROWS_WITH_AS(static_cast<void>(slice<1>(x, 2, 2)), doctest::Contains("[2, 4) is outside axis 1 of [2, 3, 4]"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(select<0>(x, 2)), doctest::Contains("2 is outside axis 0 of [2, 3, 4]"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(reshape(x, Dyn<2>{5, 5})), doctest::Contains("24 elements"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(concat<1>(x, normal(Dyn<3>{3, 3, 4}, 1))),
                       doctest::Contains("differ along axis 0"), Error);
  const auto added_to = [](const auto& parts, const Dyn<3>& shape) {
    static_cast<void>(concat_plus<1>(Parameter<double, Dyn<3>>{normal(shape, 2)}, parts, parts));
  };
  CHECK_NOTHROW(added_to(x, {1, 6, 4}));
  CHECK_THROWS_WITH_AS(added_to(x, {1, 5, 4}), doctest::Contains("[2, 6, 4]"), Error);
  CHECK_THROWS_WITH_AS(added_to(x, {1, 1, 4}), doctest::Contains("[1, 1, 4] cannot be added to [2, 6, 4]"), Error);
}

TEST_CASE("scale_gradient leaves the values and multiplies the gradient") {
  const auto x = normal(Dyn<2>{2, 3}, 1);
  Tape tape;
  const auto y = scale_gradient(tape.watch(x), 0.25);
  CHECK(y.value().to_vector() == x.to_vector());
  tape.backward(sum(y * 8.0));
  CHECK(tape.grad(x).to_vector() == std::vector<double>(6, 2.0));
  CHECK(scale_gradient(x, 0.25).to_vector() == x.to_vector());
}
