// The rules by which shapes combine, at compile time and at run time, and the pool that memory comes from.
#include <vitral/core/buffer.hpp>
#include <vitral/core/shape.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <type_traits>

using namespace vitral;
using doctest::Contains;

namespace {

template <class L, class R>
using Joint = typename broadcast_rule<L, R>::shape;

// Storage: static extents cost nothing.
static_assert(std::is_empty_v<Shape<>> && std::is_empty_v<Shape<2, 3>>);
static_assert(sizeof(Shape<dyn, 3, dyn>) == 2 * sizeof(int));
static_assert(Shape<2, 3>::is_static && !Shape<2, dyn>::is_static && Shape<>::is_static);
static_assert(Shape<2, dyn, 4>::rank == 3 && Shape<2, dyn, 4>::dynamic_count == 1);
static_assert(Shape<2, 3, 4>{}.size() == 24 && Shape<>{}.size() == 1 && Shape<3, 0>{}.size() == 0);
static_assert(is_shape<Shape<dyn>> && is_shape<Shape<>> && !is_shape<int>);

// Unknown extents stay unknown.
static_assert(times(3, 4) == 12 && times(dyn, 4) == dyn && times(3, dyn) == dyn);
static_assert(plus(3, 4) == 7 && plus(dyn, 4) == dyn && plus(3, dyn) == dyn);
static_assert(divided(12, 4) == 3 && divided(dyn, 4) == dyn && divided(12, dyn) == dyn);

// Shapes made from shapes.
static_assert(std::is_same_v<replace_extent<Shape<2, dyn, 4>, 1, 7>, Shape<2, 7, 4>>);
static_assert(std::is_same_v<remove_extent<Shape<2, dyn, 4>, 0>, Shape<dyn, 4>>);
static_assert(std::is_same_v<remove_extent<Shape<2, dyn, 4>, 2>, Shape<2, dyn>>);
static_assert(std::is_same_v<remove_extent<Shape<5>, 0>, Shape<>>);
static_assert(axis_of<Shape<2, 3, 4>, -1> == 2 && axis_of<Shape<2, 3, 4>, -3> == 0 && axis_of<Shape<2, 3, 4>, 1> == 1);

// Broadcasting.
static_assert(std::is_same_v<Joint<Shape<2, 3>, Shape<3>>, Shape<2, 3>>);
static_assert(std::is_same_v<Joint<Shape<4>, Shape<2, 1, 4>>, Shape<2, 1, 4>>);
static_assert(std::is_same_v<Joint<Shape<3, 1>, Shape<1, 4>>, Shape<3, 4>>);
static_assert(std::is_same_v<Joint<Shape<>, Shape<5>>, Shape<5>> && std::is_same_v<Joint<Shape<>, Shape<>>, Shape<>>);
static_assert(std::is_same_v<Joint<Shape<dyn, 4>, Shape<3, 4>>, Shape<3, 4>>, "the known extent wins");
static_assert(std::is_same_v<Joint<Shape<dyn>, Shape<1>>, Shape<dyn>>);
static_assert(std::is_same_v<Joint<Shape<dyn, dyn>, Shape<dyn>>, Shape<dyn, dyn>>);

// Matching extents.
static_assert(extents_match<dyn, 4>::extent == 4 && extents_match<4, dyn>::extent == 4 &&
              extents_match<dyn, dyn>::extent == dyn);

/// Counts what a pool takes and gives back. Each test has a pool of its own: one for each number.
template <int>
struct Counting {
  static inline int allocated = 0, freed = 0;
  static void* allocate(std::size_t bytes) {
    check(bytes < 1'000'000, "out of memory");
    ++allocated;
    return std::malloc(bytes);
  }
  static void deallocate(void* data) {
    ++freed;
    std::free(data);
  }
};

}  // namespace

TEST_CASE("a shape takes its dynamic extents or all of them") {
  const Shape<2, dyn, 4, dyn> from_dynamic{3, 5}, from_all{2, 3, 4, 5};
  CHECK(from_dynamic == from_all);
  CHECK(from_all.all() == std::array{2, 3, 4, 5});
  CHECK(from_all.size() == 120);
  CHECK(from_dynamic[1] == 3);
  CHECK(from_dynamic[3] == 5);
  CHECK(to_string(from_all) == "[2, 3, 4, 5]");
  CHECK(to_string(Shape<>{}) == "[]");
}

TEST_CASE("a shape refuses extents that its type does not allow") {
  using S = Shape<2, dyn, 4>;
  CHECK_THROWS_WITH_AS((S{2, 3, 5}), Contains("extent 2 is 5 but the type of the shape says 4"), Error);
  CHECK_THROWS_WITH_AS((S{2, 3}), Contains("a shape of 3 extents, 1 of them dynamic, was given 2 numbers"), Error);
  CHECK_THROWS_WITH_AS(S{-3}, Contains("extent 1 of a shape is -3; it must be 0 or more"), Error);
}

TEST_CASE("shapes compare by their extents, whatever their types") {
  CHECK(Shape<2, 3>{} == Shape<dyn, dyn>{2, 3});
  CHECK_FALSE(Shape<2, 3>{} == Shape<dyn, dyn>{3, 2});
  CHECK_FALSE(Shape<2, 1>{} == Shape<2>{});
  CHECK(Shape<2>{} != Shape<3>{});
}

TEST_CASE("the size of a shape is counted in long") { CHECK(Shape<dyn, dyn>{70000, 70000}.size() == 4'900'000'000L); }

TEST_CASE("broadcasting takes run-time extents from either side") {
  using Rule = broadcast_rule<Shape<dyn, dyn>, Shape<dyn>>;
  CHECK(Rule::apply({2, 3}, {3}) == Shape<2, 3>{});
  CHECK(Rule::apply({2, 1}, {3}) == Shape<2, 3>{});
  CHECK(Rule::apply({2, 3}, {1}) == Shape<2, 3>{});
  CHECK(broadcast_rule<Shape<dyn>, Shape<dyn, dyn>>::apply({3}, {1, 3}) == Shape<1, 3>{});
  CHECK(broadcast_rule<Shape<dyn, 1>, Shape<1, dyn>>::apply({2}, {0}) == Shape<2, 0>{});
}

TEST_CASE("broadcasting names the two shapes that do not fit") {
  using Rule = broadcast_rule<Shape<dyn, dyn>, Shape<dyn>>;
  CHECK_THROWS_WITH_AS(Rule::apply({2, 3}, {4}), Contains("cannot broadcast [2, 3] with [4]"), Error);
  CHECK_THROWS_WITH_AS(Rule::apply({2, 3}, {0}), Contains("cannot broadcast [2, 3] with [0]"), Error);
  // A known extent does not let a dynamic one pass that is neither equal nor 1.
  using Known = broadcast_rule<Shape<dyn>, Shape<4>>;
  CHECK(Known::apply({1}, {}) == Shape<4>{});
  CHECK_THROWS_WITH_AS(Known::apply({3}, {}), Contains("cannot broadcast [3] with [4]"), Error);
}

TEST_CASE("the rules of products, of equal extents and of reshapes say what differs") {
  using Inner = inner_extents_match<dyn, dyn>;
  CHECK_NOTHROW(Inner::check(4, 4, "[2, 4]", "[4, 3]"));
  CHECK_THROWS_WITH_AS(Inner::check(4, 5, "[2, 4]", "[5, 3]"),
                       Contains("matmul: cannot multiply [2, 4] by [5, 3]: inner extents 4 and 5 differ"), Error);
  using Equal = extents_match<dyn, 4>;
  CHECK_NOTHROW(Equal::check("layer_norm", 4, 4));
  CHECK_THROWS_WITH_AS(Equal::check("layer_norm", 3, 4), Contains("layer_norm: extents 3 and 4 must be equal"), Error);
  using Reshape = reshape_rule<Shape<dyn, dyn>, Shape<dyn>>;
  CHECK_NOTHROW(Reshape::check({3, 4}, {12}));
  CHECK_THROWS_WITH_AS(Reshape::check({3, 4}, {11}), Contains("reshape: [3, 4] has 12 elements, [11] has 11"), Error);
}

TEST_CASE("a shape's extents and their product fit, or it is an error that shows them") {
  constexpr int most = std::numeric_limits<int>::max();
  CHECK(Shape<dyn, dyn>{most, most}.size() == long{most} * most);
  CHECK_THROWS_WITH_AS((Shape<dyn, dyn, dyn>{most, most, most}),
                       Contains("[2147483647, 2147483647, 2147483647] has 2^62 elements or more"), Error);
  CHECK_THROWS_WITH_AS((Shape<dyn, 4, dyn>{most, most}), Contains("[2147483647, 4, 2147483647]"), Error);
  CHECK_THROWS_AS((Shape<dyn, dyn, dyn, dyn>{0, most, most, most}), Error);  // its strides would not fit
  CHECK(Shape<dyn, dyn, dyn>{0, most, most}.size() == 0);
  CHECK_THROWS_WITH_AS(Shape<dyn>{long{1} << 32}, Contains("extent 0 of a shape is 4294967296"), Error);
  CHECK(times(1 << 15, 1 << 15) == 1 << 30);
  CHECK(times(dyn, most) == dyn);
  CHECK_THROWS_WITH_AS(static_cast<void>(times(1 << 16, 1 << 16)), Contains("an extent of 4294967296"), Error);
  CHECK_THROWS_AS(static_cast<void>(plus(most, 1)), Error);
}

TEST_CASE("a size class is the smallest that holds the bytes; a fifth of a small one is unused, 3 % of a large one") {
  std::size_t last = 0;
  for (std::size_t bytes = 1; bytes < 300'000; ++bytes) {
    const std::size_t index = detail::size_class_of(bytes), size = detail::size_of_class(index);
    REQUIRE(size >= bytes);
    REQUIRE((index == last || index == last + 1));
    if (index > 0) {
      REQUIRE(detail::size_of_class(index - 1) < bytes);
      REQUIRE(4 * (size - bytes) < size);
    }
    last = index;
  }
  CHECK(detail::size_of_class(detail::size_class_of(256)) == 256);
  CHECK(detail::size_of_class(detail::size_class_of(257)) == 320);
  CHECK(detail::size_of_class(detail::size_class_of(512)) == 512);
  const std::size_t large = std::size_t{1} << 46;
  CHECK(detail::size_of_class(detail::size_class_of(large)) == large);
  constexpr std::size_t mib = 1 << 20;
  for (std::size_t bytes = 1; bytes < large; bytes += bytes / 777 + 1) {
    const std::size_t index = detail::size_class_of(bytes), size = detail::size_of_class(index);
    REQUIRE(size >= bytes);
    if (index == 0) continue;
    REQUIRE(detail::size_of_class(index - 1) < bytes);
    REQUIRE((bytes <= mib ? 5 : 33) * (size - bytes) < size);
  }
  CHECK(detail::size_of_class(detail::size_class_of(50'432UL * 768 * 2)) == 74 * mib);
}

TEST_CASE("the pool gives released memory to the next buffer of its size class") {
  using B = Counting<1>;
  auto first = Buffer::of<B>(1000);
  void* const memory = first.data();
  first = Buffer();
  CHECK(B::freed == 0);
  const auto same_class = Buffer::of<B>(1024);
  CHECK(same_class.data() == memory);
  CHECK(B::allocated == 1);
  const auto in_use = Buffer::of<B>(1000), larger = Buffer::of<B>(1025);
  CHECK(in_use.data() != memory);
  CHECK(larger.data() != memory);
  CHECK(B::allocated == 3);
  CHECK(detail::Pool<B>::instance().held() == 1024 + 1024 + 1280);
}

TEST_CASE("trim gives idle memory back, and only that") {
  using B = Counting<2>;
  const auto kept = Buffer::of<B>(300);
  { const auto idle = Buffer::of<B>(5000), other = Buffer::of<B>(5000); }
  detail::Pool<B>::instance().trim();
  CHECK(B::freed == 2);
  CHECK(detail::Pool<B>::instance().held() == 320);
  CHECK(kept.data() != nullptr);
}

TEST_CASE("memory goes back when the last handle goes") {
  using B = Counting<3>;
  Buffer a = Buffer::of<B>(100);
  void* const memory = a.data();
  Buffer b = a;
  Buffer c = std::move(a);
  CHECK_FALSE(a);  // NOLINT: a moved-from handle is empty
  CHECK(b.data() == memory);
  b = Buffer();
  CHECK(Buffer::of<B>(100).data() != memory);
  const Buffer& itself = c;
  c = itself;
  CHECK(c.data() == memory);
  c = Buffer();
  CHECK(Buffer::of<B>(100).data() == memory);
}

TEST_CASE("memory that the backend could not give is not counted as held") {
  using B = Counting<4>;
  const auto kept = Buffer::of<B>(300);
  CHECK_THROWS_WITH_AS(static_cast<void>(Buffer::of<B>(1'000'000)), Contains("out of memory"), Error);
  for (int log = 47; log < 64; ++log)  // no backend is asked for what no size class holds
    CHECK_THROWS_WITH_AS(static_cast<void>(Buffer::of<B>(std::size_t{3} << (log - 1))), Contains("out of memory"),
                         Error);
  CHECK_THROWS_AS(static_cast<void>(Buffer::of<B>(~std::size_t{0})), Error);
  CHECK(detail::Pool<B>::instance().held() == 320);
}
