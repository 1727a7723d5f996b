// Tensors are handles: copies share memory, clone copies it, views keep it alive.
#include "../random_tensor.hpp"

#include <vitral/tensor/layout.hpp>
#include <vitral/tensor/print.hpp>
#include <vitral/tensor/reduce.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <sstream>

using namespace vitral_tests;
using doctest::Contains;

namespace {

using Matrix23 = Tensor<float, Shape<2, 3>>;
using AnyMatrix = Tensor<float, Dyn<2>>;

static_assert(is_tensor<AnyMatrix> && !is_tensor<View<float, Dyn<2>>> && !is_tensor<float>);
static_assert(is_view<View<float, Dyn<2>>> && !is_view<AnyMatrix>);
static_assert(Operand<AnyMatrix> && Operand<View<float, Dyn<2>>> && !Operand<float>);
static_assert(sizeof(Tensor<float, Shape<2, 3>>) == sizeof(Buffer), "static extents cost no storage");

}  // namespace

TEST_CASE("a static tensor begins as zeros, a dynamic one as an empty handle") {
  const Matrix23 zeros;
  CHECK(zeros.to_vector() == std::vector<float>(6, 0));
  const AnyMatrix empty;
  CHECK_FALSE(empty);
  CHECK(empty.size() == 0);
  CHECK(empty.to_vector().empty());
  CHECK(Tensor<double, Shape<>>().item() == 0);
}

TEST_CASE("a tensor made from a shape holds zeros, also in memory that was used before") {
  for (int i = 0; i < 3; ++i) {
    const AnyMatrix x{4, 5};
    REQUIRE(x.to_vector() == std::vector<float>(20, 0));
    for (int j = 0; j < 20; ++j) x.data()[j] = 7;
  }
  CHECK(Tensor<bf16, Dyn<1>>{3}.to_vector()[2] == 0);
  CHECK(Tensor<int, Dyn<1>>{3}.to_vector() == std::vector<int>(3, 0));
}

TEST_CASE("elements are named row by row") {
  const auto x = Tensor<int, Shape<2, dyn, 2>>::from({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {3});
  CHECK(x(0, 0, 1) == 1);
  CHECK(x(0, 2, 0) == 4);
  CHECK(x(1, 0, 0) == 6);
  CHECK(x(1, 2, 1) == 11);
  x(1, 1, 0) = -1;
  CHECK(x.to_vector()[8] == -1);
  CHECK(x.extent(1) == 3);
  CHECK(x.size() == 12);
}

TEST_CASE("a copy shares the elements, a clone has its own") {
  const auto x = AnyMatrix::from({1, 2, 3, 4, 5, 6}, {2, 3});
  const AnyMatrix shared = x;
  const auto cloned = clone(x);
  x(0, 1) = 20;
  CHECK(shared(0, 1) == 20);
  CHECK(cloned(0, 1) == 2);
  CHECK(shared.data() == x.data());
  CHECK(cloned.data() != x.data());
  CHECK(cloned.shape() == x.shape());
}

TEST_CASE("assigning a handle lets go of what it held") {
  auto x = AnyMatrix::from({1, 2}, {1, 2});
  const AnyMatrix before = x;
  x = AnyMatrix::from({3, 4}, {2, 1});
  CHECK(before(0, 1) == 2);
  CHECK(x(1, 0) == 4);
  CHECK(x.shape() == Shape<2, 1>{});
}

TEST_CASE("a view keeps the memory alive") {
  const auto make = [] {
    const auto x = AnyMatrix::from({1, 2, 3, 4, 5, 6}, {2, 3});
    return select_view<0>(x, 1);
  };
  const auto row = make();
  const auto other = AnyMatrix::from({9, 9, 9, 9, 9, 9}, {2, 3});  // would get the memory if it were free
  CHECK(row.data() != other.data() + 3);
  CHECK(eval(row).to_vector() == std::vector<float>{4, 5, 6});
}

TEST_CASE("the view of a tensor sees what is written later") {
  const auto x = AnyMatrix::from({1, 2, 3, 4, 5, 6}, {2, 3});
  const auto window = view(x);
  CHECK(window.strides() == std::array<long, 2>{3, 1});
  x(1, 2) = 60;
  CHECK(eval(window).to_vector() == std::vector<float>{1, 2, 3, 4, 5, 60});
  CHECK(window.data() == x.data());
}

TEST_CASE("from needs as many numbers as the shape has elements") {
  CHECK_THROWS_WITH_AS(static_cast<void>(AnyMatrix::from({1, 2, 3}, {2, 2})),
                       Contains("a tensor of shape [2, 2] was given 3 values"), Error);
  CHECK(AnyMatrix::from({}, {0, 3}).size() == 0);
}

TEST_CASE("item gives the only element and refuses to choose") {
  CHECK(Tensor<double, Shape<>>::from({2.5}, {}).item() == 2.5);
  CHECK(AnyMatrix::from({3}, {1, 1}).item() == 3);
  CHECK_THROWS_WITH_AS(static_cast<void>(AnyMatrix({2, 3}).item()),
                       Contains("item: a tensor of shape [2, 3] has 6 elements, not one"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(AnyMatrix().item()), Contains("0 elements"), Error);
}

TEST_CASE("realize checks run-time extents against static ones and shares the memory") {
  const auto x = AnyMatrix::from({1, 2, 3, 4, 5, 6}, {2, 3});
  const Matrix23 fixed = x.realize<Shape<2, 3>>();
  CHECK(fixed.data() == x.data());
  const auto loose = fixed.realize<Shape<dyn, 3>>();
  CHECK(loose.shape() == x.shape());
  CHECK(loose.data() == x.data());
  CHECK_THROWS_WITH_AS(static_cast<void>(x.realize<Shape<2, 4>>()),
                       Contains("extent 1 is 3 but the type of the shape says 4"), Error);
}

TEST_CASE("a tensor of no elements can be copied, computed with and reduced to nothing") {
  const AnyMatrix x{0, 3};
  CHECK(clone(x).size() == 0);
  CHECK(eval(exp(x) + 1).size() == 0);
  CHECK(eval(x + AnyMatrix::from({1, 2, 3}, {1, 3})).shape() == Shape<0, 3>{});
}

TEST_CASE("at checks its indices; it names the index, the axis and the shape") {
  const auto x = AnyMatrix::from({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(x.at(1, 2) == 6);
  CHECK_THROWS_WITH_AS(static_cast<void>(x.at(0, 5)), Contains("index 5 is outside axis 1 of a tensor of shape [2, 3]"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(x.at(-1, 0)), Contains("index -1 is outside axis 0"), Error);
  CHECK_THROWS_AS(static_cast<void>(x.at(2, 0)), Error);
  CHECK_THROWS_AS(static_cast<void>(x.at((1ul << 32) + 1, 0)), Error);
  CHECK_THROWS_AS(static_cast<void>(x.at(~0ul, 0)), Error);
  CHECK_THROWS_AS(static_cast<void>(AnyMatrix().at(0, 0)), Error);
}

TEST_CASE("a tensor or view that was moved from says so; it can be assigned to") {
  Matrix23 x;
  AnyMatrix y({2, 3});
  auto window = transpose_view<1, 0>(y);
  const auto kept = std::move(x);
  const auto other = std::move(y);
  const auto of_other = std::move(window);
  const auto refused = [](auto&& f) {
    CHECK_THROWS_WITH_AS(static_cast<void>(f()), Contains("was moved from"), Error);
  };
  refused([&] { return eval(x + 1); });  // NOLINT: that is the question
  refused([&] { return eval(y + 1); });
  refused([&] { return x(0, 0); });
  refused([&] { return x.at(0, 0); });
  refused([&] { return y.to_vector(); });
  refused([&] { return clone(x); });
  refused([&] { return eval(flat(x) + 1); });
  refused([&] { return sum(transpose_view<1, 0>(y)); });
  refused([&] { return eval(window); });
  refused([&] {
    assign(y, kept);
    return 0;
  });
  y = other;
  CHECK(eval(y + 1)(1, 2) == 1);
  Tensor<float, Shape<>> one;
  const auto only = std::move(one);
  refused([&] { return one.item(); });
}

TEST_CASE("a tensor that no memory holds is an error with its shape and its bytes, before any memory is touched") {
  using Any3 = Tensor<float, Dyn<3>>;
  CHECK_THROWS_WITH_AS(static_cast<void>(AnyMatrix::uninitialized({1 << 24, 1 << 24})),
                       Contains("1125899906842624 bytes were asked for"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(AnyMatrix({1 << 22, 1 << 22})), Contains("of shape [4194304, 4194304]"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(Any3({1 << 21, 1 << 21, 1 << 19})),  // 2^63 bytes
                       Contains("of shape [2097152, 2097152, 524288]"), Error);
  const AnyMatrix huge(Buffer{}, {1 << 16, 1 << 16});
  CHECK_THROWS_WITH_AS(static_cast<void>(flat(huge)), Contains("flat: a tensor of shape [65536, 65536]"), Error);
}

#if defined(VITRAL_ASAN)
TEST_CASE("AddressSanitizer sees what lies behind a small tensor, and in one that is gone") {
  const float* gone = nullptr;
  {
    const AnyMatrix x({2, 3});
    gone = x.data();
    CHECK(__asan_address_is_poisoned(x.data() + 5) == 0);
    CHECK(__asan_address_is_poisoned(x.data() + 6) == 1);
  }
  CHECK(__asan_address_is_poisoned(gone) == 1);
}
#endif

TEST_CASE("a tensor is printed with its type and shape, in brackets, its numbers aligned") {
  const auto x = Tensor<float, Dyn<2>>::from({1, -2.5f, 1e6f, 0, 1.0f / 3, 1e-7f}, {2, 3});
  CHECK(text_of(x) == "f32 [2, 3]\n[[       1,     -2.5,    1e+06],\n [       0, 0.333333,    1e-07]]");
  CHECK(text_of(Tensor<double, Shape<>>::from({0.5}, {})) == "f64 []\n0.5");
  CHECK(text_of(Tensor<int, Dyn<1>>({0})) == "i32 [0]\n[]");
  CHECK(text_of(Tensor<int, Dyn<2>>({2, 0})) == "i32 [2, 0]\n[[],\n []]");
  const auto box = Tensor<unsigned char, Dyn<3>>::from({1, 2, 3, 4, 5, 6, 7, 255}, {2, 2, 2});
  CHECK(text_of(box) == "u8 [2, 2, 2]\n[[[  1,   2],\n  [  3,   4]],\n\n [[  5,   6],\n  [  7, 255]]]");
  const auto bad = Tensor<bf16, Dyn<1>>::from({bf16(NAN), bf16(-INFINITY), bf16(1.5f)}, {3});
  CHECK(text_of(bad) == "bf16 [3]\n[ nan, -inf,  1.5]");
  CHECK(text_of(sum<0>(box)) == "i64 [2, 2]\n[[  6,   8],\n [ 10, 259]]");
  CHECK(text_of(x * 2 + 1).starts_with("f32 [2, 3]\n[[      3,"));
}

TEST_CASE("of a large tensor the first and last three places along an axis are printed") {
  const Tensor<int, Dyn<1>> long_row({1001});
  assign(long_row, cast<int>(positions(long_row.shape())));
  CHECK(text_of(long_row) == "i32 [1001]\n[   0,    1,    2, ...,  998,  999, 1000]");
  const Tensor<int, Dyn<2>> matrix({500, 3});
  assign(matrix, cast<int>(positions(matrix.shape())));
  CHECK(text_of(matrix) == "i32 [500, 3]\n[[   0,    1,    2],\n [   3,    4,    5],\n [   6,    7,    8],\n ...,\n"
                           " [1491, 1492, 1493],\n [1494, 1495, 1496],\n [1497, 1498, 1499]]");
}

TEST_CASE("a tensor goes into any stream that takes strings") {
  std::ostringstream out;
  out << "x is " << Tensor<int, Shape<2>>::from({3, 4}, {}) << ".";
  CHECK(out.str() == "x is i32 [2]\n[3, 4].");
}
