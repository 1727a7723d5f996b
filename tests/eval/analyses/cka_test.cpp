#include "analyses.hpp"

#include <vitral/eval/analyses/cka.hpp>

using namespace vitral_tests::analyses;

TEST_CASE("CKA from products of widths is what NumPy finds from kernels of all images") {
  CHECK(cka(features("x"), features("y")) == doctest::Approx(value("cka/xy")).epsilon(1e-6));
  CHECK(cka(features("x"), features("z")) == doctest::Approx(value("cka/xz")).epsilon(1e-6));
}

TEST_CASE("CKA does not see a rotation, a scale or a shift") {
  const Features x = features("x");
  Features turned = x;
  for (std::size_t i = 0; i < x.rows.size(); i += static_cast<std::size_t>(x.width)) {
    turned.rows[i] = 3 * (0.6f * x.rows[i] - 0.8f * x.rows[i + 1]) + 5;
    turned.rows[i + 1] = 3 * (0.8f * x.rows[i] + 0.6f * x.rows[i + 1]);
    for (std::size_t c = 2; c < static_cast<std::size_t>(x.width); ++c) turned.rows[i + c] = 3 * x.rows[i + c];
  }
  CHECK(cka(x, turned) == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("a table has the CKA of every layer of one model with every layer of another") {
  const std::vector<Features> one{features("x"), features("z")}, other{features("y"), features("z"), features("x")};
  const auto table = cka_table(one, other);
  REQUIRE(table.size() == 2);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 3; ++j) CHECK(table[i][j] == doctest::Approx(cka(one[i], other[j])));
  const auto own = cka_table(other, other);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(own[i][i] == doctest::Approx(1));
    for (std::size_t j = 0; j < 3; ++j) CHECK(own[i][j] == doctest::Approx(cka(other[i], other[j])));
  }
}

TEST_CASE("constant features resemble nothing") { CHECK(cka(constant(120, 7), features("x")) == 0); }

TEST_CASE("CKA of other images or of no numbers is an error") {
  CHECK_THROWS_WITH_AS(static_cast<void>(cka(features("x"), constant(119, 12))),
                       doctest::Contains("features of 120 and of 119 images"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(cka(features("y"), broken())),
                       doctest::Contains("number 5 of the features of image 3 is nan"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(cka(constant(1, 12), constant(1, 12))),
                       doctest::Contains("needs two images or more, not 1"), Error);
}

TEST_CASE("CKA refuses features that are not finite, and networks without layers") {
  CHECK_THROWS_WITH_AS((void)cka({{1, 2, NAN, 4}, 2, {}, 0}, {{1, 2, 3, 4}, 2, {}, 0}),
                       doctest::Contains("number 0 of the features of image 1 is nan"), Error);
  CHECK_THROWS_AS((void)cka_table({}, {}), Error);
}
