// t-SNE against scikit-learn's parts of it and SciPy's (tests/fixtures/make_analyses.py).
#include "analyses.hpp"

#include <vitral/core/philox.hpp>
#include <vitral/eval/analyses/tsne.hpp>

using namespace vitral_tests::analyses;

namespace {

std::vector<float> scattered(std::uint64_t points, double spread) {
  std::vector<float> out;
  for (std::uint64_t i = 0; i < 2 * points; ++i) out.push_back(static_cast<float>(spread * Random{7}.normal(i)));
  return out;
}

/// Images of which none is another's neighbour, so that nothing pulls.
Affinities unrelated(std::size_t images) { return {std::vector<long>(images + 1), {}, {}}; }

/// The length of a - b, a share of that of b.
double error(const std::vector<float>& a, const std::vector<float>& b) {
  double squares = 0, whole = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    squares += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    whole += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(squares / whole);
}

/// The first two of scikit-learn's principal components of x.
std::vector<float> start() {
  const auto components = values("pca/x");
  std::vector<float> out;
  for (std::size_t i = 0; i < components.size(); i += 3)
    for (const std::size_t c : {0u, 1u}) out.push_back(static_cast<float>(components[i + c]));
  return out;
}

}  // namespace

TEST_CASE("joint probabilities are scikit-learn's, up to the error of its search for the perplexity, and SciPy's") {
  const Affinities p = affinities(features("x"), 10);
  const auto begin = file().values<std::int32_t>("tsne/begin"), place = file().values<std::int32_t>("tsne/place");
  REQUIRE(p.begin == std::vector<long>(begin.begin(), begin.end()));
  REQUIRE(p.place == std::vector<int>(place.begin(), place.end()));
  const auto sklearn = values("tsne/sklearn"), exact = values("tsne/exact");
  for (std::size_t n = 0; n < exact.size(); ++n) {
    REQUIRE(static_cast<double>(p.value[n]) == doctest::Approx(exact[n]).epsilon(1e-6));
    REQUIRE(std::abs(static_cast<double>(p.value[n]) - sklearn[n]) < 1e-4 * sklearn[n] + 1e-9);
  }
}

TEST_CASE("joint probabilities do not see the scale of features, however large") {
  Features larger = features("x");
  for (float& number : larger.rows) number *= 0x1p100f;
  CHECK(affinities(larger, 10).place == affinities(features("x"), 10).place);
  CHECK(affinities(larger, 10).value == affinities(features("x"), 10).value);
}

TEST_CASE("every image's neighbours have the perplexity that was asked for, at any scale of distances") {
  for (const double scale : {1e-12, 1.0, 1e9}) {
    std::vector<double> p;
    for (int i = 0; i < 40; ++i) p.push_back(scale * (5 + 0.1 * i * i));
    detail::to_probabilities(p.data(), 40, 7.5);
    double entropy = 0, sum = 0;
    for (const double share : p) {
      entropy -= share * std::log(share);
      sum += share;
    }
    CHECK(sum == doctest::Approx(1));
    CHECK(std::exp(entropy) == doctest::Approx(7.5).epsilon(1e-8));
  }
}

TEST_CASE("more equally near images than the perplexity share evenly") {
  std::vector<double> p{2, 2, 2, 2, 3, 9};
  detail::to_probabilities(p.data(), 6, 2);
  for (std::size_t i = 0; i < 6; ++i) CHECK(p[i] == doctest::Approx(i < 4 ? 0.25 : 0));
  p.assign(6, 0.5);
  detail::to_probabilities(p.data(), 6, 2);
  for (const double share : p) CHECK(share == doctest::Approx(1.0 / 6));
}

TEST_CASE("divergence and gradient are scikit-learn's") {
  const Affinities p = affinities(features("x"), 10);
  const auto points = file().values<float>("tsne/points"), expected = file().values<float>("tsne/gradient");
  const TsneForces forces = tsne_forces(p, points, 0);
  CHECK(tsne_divergence(p, points, forces.sum) == doctest::Approx(value("tsne/divergence")).epsilon(1e-6));
  CHECK(error(tsne_gradient(forces), expected) < 1e-5);
}

TEST_CASE("exaggeration is a factor of the probabilities") {
  Affinities p = affinities(features("x"), 10);
  const auto points = file().values<float>("tsne/points");
  const auto found = tsne_gradient(tsne_forces(p, points, 0.5), 12);
  for (float& value : p.value) value *= 12;
  CHECK(error(found, tsne_gradient(tsne_forces(p, points, 0.5))) < 1e-6);
}

TEST_CASE("points push each other, with theta 0 every pair, wherever the points stand") {
  std::vector<float> points = scattered(300, 5);
  for (std::size_t i = 0; i < 100; ++i) points[i] = points[i % 2];  // fifty points in one place, more than a leaf holds
  points[598] = 1e4f;                                               // and one far away
  const TsneForces found = tsne_forces(unrelated(300), points, 0);
  double sum = 0;
  std::vector<float> force(points.size());
  for (std::size_t i = 0; i < 300; ++i) {
    double x = 0, y = 0;
    for (std::size_t j = 0; j < 300; ++j) {
      if (i == j) continue;
      const double dx = static_cast<double>(points[2 * i]) - static_cast<double>(points[2 * j]),
                   dy = static_cast<double>(points[2 * i + 1]) - static_cast<double>(points[2 * j + 1]),
                   q = 1 / (1 + dx * dx + dy * dy);
      sum += q;
      x += q * q * dx;
      y += q * q * dy;
    }
    force[2 * i] = static_cast<float>(x);
    force[2 * i + 1] = static_cast<float>(y);
  }
  CHECK(found.sum == doctest::Approx(sum).epsilon(1e-6));
  CHECK(error(found.push, force) < 1e-5);
}

TEST_CASE("what distant cells stand for is close to what their points do") {
  const std::vector<float> points = scattered(2000, 20);
  const TsneForces exact = tsne_forces(unrelated(2000), points, 0), found = tsne_forces(unrelated(2000), points, 0.5);
  CHECK(found.sum == doctest::Approx(exact.sum).epsilon(0.01));
  CHECK(error(found.push, exact.push) < 0.02);
  CHECK(found.push != exact.push);
}

TEST_CASE("t-SNE ends at a divergence as low as scikit-learn's, with the same numbers for any number of threads") {
  const Features x = features("x");
  const TsneOptions options{.perplexity = 10};
  std::vector<double> heard;
  const Tsne result = tsne(x, start(), options, [&](int done, double divergence) {
    CHECK(done == 50 * static_cast<int>(heard.size() + 1));
    heard.push_back(divergence);
  });
  REQUIRE(result.points.size() == 240);
  const Affinities p = affinities(x, 10);
  CHECK(tsne_divergence(p, result.points, tsne_forces(p, result.points, 0).sum) < 1.05 * value("tsne/reached"));
  CHECK(heard.size() == static_cast<std::size_t>(result.iterations / 50));
  CHECK(heard.back() == result.divergence);
  CHECK(heard.back() < heard.front());
  const cpu::OneThread one;
  CHECK(tsne(x, start(), options).points == result.points);
}

TEST_CASE("t-SNE does not see the scale of the points that it starts from") {
  std::vector<float> larger = start();
  for (float& number : larger) number *= 8;
  const TsneOptions options{.perplexity = 10, .iterations = 251};
  CHECK(tsne(features("x"), larger, options).points == tsne(features("x"), start(), options).points);
}

TEST_CASE("t-SNE of too few images, of equal ones or of no numbers is an error") {
  const Features x = features("x");
  CHECK_THROWS_WITH_AS(static_cast<void>(tsne(x, start(), {.perplexity = 40})),
                       doctest::Contains("above 1 and below a third of the 120 images, not 40"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(tsne(x, start(), {.perplexity = 1})), doctest::Contains("above 1"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(tsne(x, start(), {.iterations = 250})), doctest::Contains("250 iterations"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(tsne(x, start(), {.theta = -1})), doctest::Contains("between 0 and 1, not -1"),
                       Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(tsne(constant(120, 12), std::vector<float>(240))),
                       doctest::Contains("start from spread by 0; are the features of all images the same?"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(tsne(x, {0, 1, 2, 3})),
                       doctest::Contains("2 points to start from, but features of 120 images"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(tsne(broken(), start())), doctest::Contains("image 3 is nan"), Error);
}

TEST_CASE("t-SNE refuses points and affinities that are not of the same images, and points that are nowhere") {
  CHECK_THROWS_AS((void)tsne_forces({{0}, {}, {}}, {}, 0.5), Error);
  CHECK_THROWS_AS((void)tsne_forces({{0, 0}, {}, {}}, {1, 2, 3, 4}, 0.5), Error);
  CHECK_THROWS_WITH_AS((void)vitral::detail::shrunk({0, 1, 2, NAN}), doctest::Contains("start from is at nan"), Error);
}
