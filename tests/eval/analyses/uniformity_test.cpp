#include "analyses.hpp"

#include <vitral/core/philox.hpp>
#include <vitral/eval/analyses/uniformity.hpp>

using namespace vitral_tests::analyses;

TEST_CASE("alignment, uniformity and mean similarities are those that NumPy finds from all pairs") {
  const Features x = features("x"), y = features("y");
  CHECK(uniformity(x) == doctest::Approx(value("uniformity/2")).epsilon(1e-6));
  CHECK(uniformity(x, 0.5) == doctest::Approx(value("uniformity/0.5")).epsilon(1e-6));
  CHECK(alignment(x, y) == doctest::Approx(value("alignment/2")).epsilon(1e-9));
  CHECK(alignment(x, y, 1) == doctest::Approx(value("alignment/1")).epsilon(1e-9));
  const PairSimilarity similarity = pair_similarity(x, y);
  CHECK(similarity.positive == doctest::Approx(value("similarity/positive")).epsilon(1e-9));
  CHECK(similarity.negative == doctest::Approx(value("similarity/negative")).epsilon(1e-9));
}

TEST_CASE("uniformity of more images than a block holds counts every pair once, with any number of threads") {
  constexpr int images = 2600;
  Features x{{}, 3, {}, 0};
  for (std::uint64_t i = 0; i < 3 * images; ++i) x.rows.push_back(static_cast<float>(Random{1}.normal(i)));
  double sum = 0;
  for (std::size_t i = 0; i < images; ++i)
    for (std::size_t j = 0; j < i; ++j) {
      double squares = 0;
      for (std::size_t c = 0; c < 3; ++c)
        squares += std::pow(static_cast<double>(x.rows[3 * i + c]) - static_cast<double>(x.rows[3 * j + c]), 2);
      sum += std::exp(-2 * squares);
    }
  const double found = uniformity(x);
  CHECK(found == doctest::Approx(std::log(sum / (images * (images - 1) / 2))).epsilon(1e-6));
  const cpu::OneThread one;
  CHECK(uniformity(x) == found);
}

TEST_CASE("tolerance is the mean similarity of all pairs of one class") {
  Features x = features("x");
  x.classes = 7;
  for (int i = 0; i < x.images(); ++i) x.labels.push_back(i == 0 ? 6 : i * i % 6);  // class 6 has one image alone
  double sum = 0, pairs = 0;
  for (std::size_t i = 0; i < x.labels.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      if (x.labels[i] != x.labels[j]) continue;
      ++pairs;
      for (std::size_t c = 0; c < 12; ++c)
        sum += static_cast<double>(x.rows[12 * i + c]) * static_cast<double>(x.rows[12 * j + c]);
    }
  CHECK(tolerance(x).value() == doctest::Approx(sum / pairs).epsilon(1e-9));
  for (int i = 0; i < x.images(); ++i) x.labels[static_cast<std::size_t>(i)] = i;
  x.classes = x.images();
  CHECK_FALSE(tolerance(x).has_value());
  x.labels.pop_back();
  CHECK_THROWS_WITH_AS(static_cast<void>(tolerance(x)), doctest::Contains("119 labels of 120 images"), Error);
}

TEST_CASE("images that all look the same are as far from uniform as can be") {
  Features x = constant(50, 4);
  for (float& number : x.rows) number = 0.5f;
  CHECK(uniformity(x) == 0);
  CHECK(alignment(x, x) == 0);
  CHECK(pair_similarity(x, x).negative == doctest::Approx(1));
}

TEST_CASE("views of other sizes and features that are no numbers are errors") {
  CHECK_THROWS_WITH_AS(static_cast<void>(alignment(features("x"), features("z"))),
                       doctest::Contains("features [120, 12] and [120, 20]"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(pair_similarity(features("x"), constant(60, 12))),
                       doctest::Contains("features [120, 12] and [60, 12]"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(uniformity(broken())), doctest::Contains("is nan"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(alignment(features("x"), broken())), doctest::Contains("is nan"), Error);
}
