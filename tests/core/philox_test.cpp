#include <vitral/core/philox.hpp>

#include <doctest/doctest.h>

using namespace vitral;

// The vectors are those of the Random123 distribution (kat_vectors, philox4x32 with 10 rounds).
TEST_CASE("Philox4x32-10 gives the published known answers") {
  using Block = Philox::Counter;
  CHECK(Philox::block({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(Philox::block({ones, ones, ones, ones}, {ones, ones}) == Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(Philox::block({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("seed, stream, step and both halves of the index all change the number") {
  const Random base{1, 2, 3};
  CHECK(base.bits(7) == Random{1, 2, 3}.bits(7));
  CHECK(base.bits(7) != base.bits(8));
  CHECK(base.bits(7) != base.bits(7 + (std::uint64_t{1} << 32)));
  CHECK(base.bits(7) != Random{2, 2, 3}.bits(7));
  CHECK(base.bits(7) != Random{1 + (std::uint64_t{1} << 32), 2, 3}.bits(7));
  CHECK(base.bits(7) != Random{1, 3, 3}.bits(7));
  CHECK(base.bits(7) != Random{1, 2, 4}.bits(7));
}

TEST_CASE("uniform and normal numbers have the moments of their distributions") {
  const Random random{42, 1, 0};
  constexpr int n = 200000;
  double mean = 0, square = 0, float_mean = 0, normal_mean = 0, normal_square = 0, normal_fourth = 0;
  for (int i = 0; i < n; ++i) {
    const std::uint64_t index = static_cast<std::uint64_t>(i);
    const double u = random.uniform(index), z = random.normal(index);
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    mean += u / n;
    square += u * u / n;
    float_mean += static_cast<double>(random.uniform_float(index)) / n;
    normal_mean += z / n;
    normal_square += z * z / n;
    normal_fourth += z * z * z * z / n;
  }
  CHECK(mean == doctest::Approx(0.5).epsilon(0.005));
  CHECK(float_mean == doctest::Approx(0.5).epsilon(0.005));
  CHECK(square == doctest::Approx(1.0 / 3).epsilon(0.005));
  CHECK(normal_mean < 0.01);
  CHECK(normal_mean > -0.01);
  CHECK(normal_square == doctest::Approx(1).epsilon(0.01));
  CHECK(normal_fourth == doctest::Approx(3).epsilon(0.03));
}

TEST_CASE("below covers its range evenly") {
  const Random random{7, 0, 0};
  int count[10] = {};
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const std::uint32_t value = random.below(i, 10);
    REQUIRE(value < 10);
    ++count[value];
  }
  for (const int c : count) CHECK(c == doctest::Approx(10000).epsilon(0.05));
  CHECK(random.below(3, 1) == 0);
}
