#include "analyses.hpp"

#include <vitral/eval/analyses/principal.hpp>

using namespace vitral_tests::analyses;

namespace {

Features first_images(const Features& all, int count) {
  return {{all.rows.begin(), all.rows.begin() + count * all.width}, all.width, {}, 0};
}

}  // namespace

TEST_CASE("the effective rank and the explained variance are those of NumPy's singular values and of scikit-learn") {
  for (const std::string name : {"pca/all/", "pca/few/"}) {  // few: fewer images than numbers
    CAPTURE(name);
    const PrincipalAxes axes = principal_axes(first_images(features("x"), name == "pca/all/" ? 120 : 8));
    CHECK(effective_rank(axes) == doctest::Approx(value(name + "effective_rank")).epsilon(1e-6));
    const auto found = explained_variance(axes), expected = values(name + "explained");
    REQUIRE(found.size() == 12);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double share = i < expected.size() ? expected[i] : 0;
      CHECK(std::abs(found[i] - share) < 1e-12);
    }
  }
}

TEST_CASE("projections have scikit-learn's coordinates, of the images that the axes come from and of others") {
  const PrincipalAxes axes = principal_axes(features("x"));
  for (const std::string name : {"x", "y"}) {
    CAPTURE(name);
    const auto found = project(axes, features(name), 3);
    const auto expected = values("pca/" + name);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      REQUIRE(std::abs(static_cast<double>(found[i]) - expected[i]) < 1e-6);
  }
}

TEST_CASE("axes do not depend on the number of threads") {
  const PrincipalAxes axes = principal_axes(features("z"));
  const cpu::OneThread one;
  CHECK(principal_axes(features("z")).axes == axes.axes);
}

TEST_CASE("as many equal directions as the width have an effective rank of the width, one alone that of 1") {
  Features cross{{}, 4, {}, 0}, line = cross;
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t c = 0; c < 4; ++c) {
      const float sign = i % 2 ? 1.0f : -1.0f;
      cross.rows.push_back(i / 2 == c ? sign : 0);
      line.rows.push_back(sign * static_cast<float>(c));
    }
  CHECK(effective_rank(principal_axes(cross)) == doctest::Approx(4));
  CHECK(effective_rank(principal_axes(line)) == doctest::Approx(1).epsilon(1e-6));
}

TEST_CASE("constant features have no direction") {
  const PrincipalAxes axes = principal_axes(constant(30, 5));
  CHECK(effective_rank(axes) == 0);
  CHECK(explained_variance(axes) == std::vector<double>(5));
  CHECK(project(axes, constant(30, 5)) == std::vector<float>(60));
}

TEST_CASE("features of another width, that are no numbers or of one image have no projection") {
  CHECK_THROWS_WITH_AS(static_cast<void>(project(principal_axes(features("x")), features("z"))),
                       doctest::Contains("features have width 20, the axes 12"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(principal_axes(broken())), doctest::Contains("image 3 is nan"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(principal_axes(first_images(features("x"), 1))),
                       doctest::Contains("needs two images or more, not 1"), Error);
}
