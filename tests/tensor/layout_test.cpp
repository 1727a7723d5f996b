// Windows that move no element: slices, rows, permuted axes, other shapes.
#include "../random_tensor.hpp"

#include <vitral/tensor/layout.hpp>

#include <doctest/doctest.h>

#include <numeric>

using namespace vitral_tests;
using doctest::Contains;

namespace {

/// 0, 1, 2, ... row by row.
template <class S>
Tensor<int, S> counted(const S& shape) {
  std::vector<int> values(static_cast<std::size_t>(shape.size()));
  std::iota(values.begin(), values.end(), 0);
  return Tensor<int, S>::from(values, shape);
}

using X = Tensor<float, Shape<2, dyn, 4>>;
static_assert(std::is_same_v<shape_of<decltype(slice_view<1>(std::declval<X>(), 0, 1))>, Shape<2, dyn, 4>>);
static_assert(std::is_same_v<shape_of<decltype(slice_view<-1, 3>(std::declval<X>(), 0))>, Shape<2, dyn, 3>>);
static_assert(std::is_same_v<shape_of<decltype(select_view<1>(std::declval<X>(), 0))>, Shape<2, 4>>);
static_assert(std::is_same_v<shape_of<decltype(transpose_view<2, 0, 1>(std::declval<X>()))>, Shape<4, 2, dyn>>);

}  // namespace

TEST_CASE("a slice is a window along one axis") {
  const auto x = counted(Dyn<3>{2, 3, 4});
  const auto rows = slice_view<1>(x, 1, 2);
  CHECK(rows.shape() == Shape<2, 2, 4>{});
  CHECK(rows.data() == x.data() + 4);
  CHECK(rows.strides() == std::array<long, 3>{12, 4, 1});
  CHECK(eval(rows).to_vector() == std::vector<int>{4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(eval(slice_view<-1, 1>(x, 3)).to_vector() == std::vector<int>{3, 7, 11, 15, 19, 23});
  CHECK(eval(slice_view<0>(x, 0, 2)).to_vector() == x.to_vector());
  CHECK(eval(slice_view<0>(x, 2, 0)).size() == 0);
}

TEST_CASE("a slice outside the axis is refused") {
  const auto x = counted(Dyn<2>{3, 4});
  const int most = std::numeric_limits<int>::max();
  CHECK_THROWS_WITH_AS(static_cast<void>(slice_view<1>(x, 2, 3)), Contains("slice: [2, 5) is outside axis 1 of [3, 4]"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(slice_view<0>(x, -1, 2)),
                       Contains("slice: [-1, 1) is outside axis 0 of [3, 4]"), Error);
  CHECK_THROWS_AS(static_cast<void>(slice_view<0>(x, 1, -1)), Error);
  CHECK_THROWS_AS(static_cast<void>(slice_view<0>(x, 0)), Error);  // a count is needed
  CHECK_THROWS_AS(static_cast<void>(slice_view<0>(x, 1, most)), Error);
}

TEST_CASE("select takes one row of an axis, which goes") {
  const auto x = counted(Dyn<3>{2, 3, 4});
  CHECK(eval(select_view<0>(x, 1)).to_vector() == std::vector<int>{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(eval(select_view<1>(x, 2)).to_vector() == std::vector<int>{8, 9, 10, 11, 20, 21, 22, 23});
  CHECK(eval(select_view<-1>(x, 0)).to_vector() == std::vector<int>{0, 4, 8, 12, 16, 20});
  const auto element = select_view<0>(select_view<0>(select_view<0>(x, 1), 2), 3);
  CHECK(element.shape() == Shape<>{});
  CHECK(eval(element).item() == 23);
  CHECK_THROWS_WITH_AS(static_cast<void>(select_view<1>(x, 3)), Contains("select: 3 is outside axis 1 of [2, 3, 4]"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(select_view<0>(x, -1)), Contains("select: -1 is outside axis 0"), Error);
}

TEST_CASE("transpose permutes the axes as named") {
  const auto x = counted(Dyn<3>{2, 3, 4});
  const auto turned = transpose_view<2, 0, 1>(x);
  CHECK(turned.shape() == Shape<4, 2, 3>{});
  CHECK(turned.strides() == std::array<long, 3>{1, 12, 4});
  const auto y = eval(turned);
  bool agree = true;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k) agree = agree && y(k, i, j) == x(i, j, k);
  CHECK(agree);
  CHECK(eval(transpose_view<1, 2, 0>(turned)).to_vector() == x.to_vector());
  CHECK(eval(transpose_view<-1, -2, -3>(x)).to_vector() == eval(transpose_view<2, 1, 0>(x)).to_vector());
}

TEST_CASE("windows onto windows are windows onto the tensor") {
  const auto x = counted(Dyn<2>{5, 6});
  const auto window = transpose_view<1, 0>(slice_view<1>(slice_view<0>(x, 1, 3), 2, 2));
  CHECK(eval(window).to_vector() == std::vector<int>{8, 14, 20, 9, 15, 21});
  CHECK(eval(select_view<0>(window, 1)).to_vector() == std::vector<int>{9, 15, 21});
  x(1, 2) = -8;
  CHECK(eval(window).to_vector()[0] == -8);
}

TEST_CASE("large windows are copied right, whatever their strides") {
  const auto x = counted(Dyn<3>{30, 70, 13});
  const auto y = eval(transpose_view<1, 2, 0>(slice_view<0>(x, 3, 20)));
  bool agree = y.shape() == Shape<70, 13, 20>{};
  for (int i = 0; i < 20; ++i)
    for (int j = 0; j < 70; ++j)
      for (int k = 0; k < 13; ++k) agree = agree && y(j, k, i) == x(i + 3, j, k);
  CHECK(agree);
}

TEST_CASE("a reshape shares the memory and keeps the order") {
  const auto x = counted(Dyn<2>{3, 4});
  const auto y = reshape_tensor(x, Shape<2, dyn>{6});
  CHECK(y.data() == x.data());
  CHECK(y(1, 5) == 11);
  CHECK(y.shape() == Shape<2, 6>{});
  CHECK(flat(x).shape() == Shape<12>{});
  CHECK(flat(x).data() == x.data());
  CHECK(reshape_tensor(counted(Dyn<1>{1}), Shape<>{}).item() == 0);
}

TEST_CASE("a reshape to another number of elements is refused") {
  const auto x = counted(Dyn<2>{3, 4});
  CHECK_THROWS_WITH_AS(static_cast<void>(reshape_tensor(x, Dyn<2>{5, 2})),
                       Contains("reshape: [3, 4] has 12 elements, [5, 2] has 10"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(reshape_tensor(x, Shape<13>{})), Contains("[13] has 13"), Error);
}

TEST_CASE("a window is dense where its elements follow one another") {
  const auto x = counted(Dyn<3>{4, 3, 5});
  CHECK(detail::is_dense(x));
  CHECK(detail::is_dense(view(x)));
  CHECK(detail::is_dense(slice_view<0>(x, 1, 2)));
  CHECK(detail::is_dense(select_view<0>(x, 1)));
  CHECK_FALSE(detail::is_dense(slice_view<1>(x, 0, 2)));
  CHECK_FALSE(detail::is_dense(select_view<2>(x, 0)));
  CHECK_FALSE(detail::is_dense(transpose_view<1, 0, 2>(x)));
  CHECK(detail::is_dense(slice_view<1>(slice_view<0>(x, 1, 1), 0, 2)));  // an axis of one element has no say
}
