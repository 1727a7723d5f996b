// Retrieval by hand, against the definition in NumPy, and against scikit-learn (tests/fixtures/make_retrieval.py).
#include <vitral/eval/retrieval/retrieval.hpp>
#include <vitral/io/safetensors.hpp>

#include <doctest/doctest.h>

using namespace vitral;

namespace {

const SafetensorsFile& expected() {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/retrieval.safetensors");
  return file;
}

Features features(const std::string& name) {
  return {expected().values<float>(name), static_cast<int>(expected().tensor(name).shape[1]), {}, 0};
}

bool same(double a, double b) { return std::isnan(a) ? std::isnan(b) : a == doctest::Approx(b).epsilon(1e-12); }

}  // namespace

TEST_CASE("average precision is the area of trapezoids under precision over recall") {
  const std::vector<int> ranking{4, 0, 3, 2, 1};
  // Positives at the places 0 and 2: (1 + 1) / 2 and (1/2 + 2/3) / 2, each half of the recall.
  CHECK(retrieval_score(ranking, {{4, 3}, {}}).average_precision == doctest::Approx(0.5 * (1 + 7.0 / 12)));
  // One at the last place: (0 + 1/5) / 2.
  CHECK(retrieval_score(ranking, {{1}, {}}).average_precision == doctest::Approx(0.1));
  CHECK(retrieval_score(ranking, {{0, 1, 2, 3, 4}, {}}).average_precision == doctest::Approx(1));
}

TEST_CASE("what is ignored is taken out of the ranking") {
  const std::vector<int> ranking{4, 0, 3, 2, 1};
  const RetrievalScore score = retrieval_score(ranking, {{3}, {4, 0, 2}});
  CHECK(score.average_precision == 1);
  CHECK(score.precision[0] == 1);
}

TEST_CASE("precision among the first k divides by the last positive's place if that is smaller") {
  const std::vector<int> ranking{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const RetrievalScore early = retrieval_score(ranking, {{1, 2}, {}}), late = retrieval_score(ranking, {{1, 11}, {}});
  CHECK(early.precision == std::array{0.0, 2.0 / 3, 2.0 / 3});
  CHECK(late.precision == std::array{0.0, 1.0 / 5, 1.0 / 10});
}

TEST_CASE("each difficulty has its own positives, and ignores the rest of the lists") {
  const QueryTruth truth{{1, 2}, {3}, {4}};
  CHECK(relevance(truth, Difficulty::easy).positive == std::vector{1, 2});
  CHECK(relevance(truth, Difficulty::easy).ignored == std::vector{4, 3});
  CHECK(relevance(truth, Difficulty::medium).positive == std::vector{1, 2, 3});
  CHECK(relevance(truth, Difficulty::medium).ignored == std::vector{4});
  CHECK(relevance(truth, Difficulty::hard).positive == std::vector{3});
  CHECK(relevance(truth, Difficulty::hard).ignored == std::vector{4, 1, 2});
}

TEST_CASE("every query gets the scores of the protocol's definition, and the mean leaves empty ones out") {
  const Features database = features("retrieval/database"), queries = features("retrieval/queries");
  const auto lists = expected().values<std::int32_t>("retrieval/lists");
  std::vector<QueryTruth> truth(static_cast<std::size_t>(queries.images()));
  for (std::size_t i = 0; i < lists.size(); ++i) {
    const int row = static_cast<int>(i) % database.images();
    QueryTruth& query = truth[i / static_cast<std::size_t>(database.images())];
    if (lists[i] > 0) (lists[i] == 1 ? query.easy : lists[i] == 2 ? query.hard : query.junk).push_back(row);
  }
  std::vector<std::vector<Relevance>> truths(3);
  for (std::size_t d = 0; d < 3; ++d)
    for (const QueryTruth& query : truth) truths[d].push_back(relevance(query, static_cast<Difficulty>(d)));
  const auto found = retrieve(database, queries, truths);
  int empty = 0;
  for (std::size_t d = 0; d < 3; ++d) {
    const std::string name = std::string("retrieval/") + std::array{"easy", "medium", "hard"}[d];
    CAPTURE(name);
    const auto each = expected().values<double>(name), mean = expected().values<double>(name + "_mean");
    const auto agrees = [](const RetrievalScore& score, const double* numbers) {
      return same(score.average_precision, numbers[0]) && same(score.precision[0], numbers[1]) &&
             same(score.precision[1], numbers[2]) && same(score.precision[2], numbers[3]);
    };
    for (std::size_t q = 0; q < truth.size(); ++q) {
      CHECK(agrees(found[d][q], each.data() + 4 * q));
      empty += std::isnan(found[d][q].average_precision);
    }
    CHECK(agrees(mean_score(found[d]), mean.data()));
  }
  CHECK(empty == 2);
}

TEST_CASE("of equally similar rows the earlier one comes first") {
  const Features database{{1, 0, 1, 0, 1, 0}, 2, {}, 0}, query{{1, 0}, 2, {}, 0};
  CHECK(retrieve(database, query, {{{{0}, {}}}})[0][0].average_precision == 1);
  CHECK(retrieve(database, query, {{{{2}, {}}}})[0][0].average_precision == doctest::Approx(1.0 / 6));
}

TEST_CASE("micro average precision is scikit-learn's, and knows of the pairs that were not proposed") {
  const auto score = expected().values<double>("micro/score");
  const auto correct = expected().values<std::int32_t>("micro/correct");
  std::vector<ProposedPair> pairs;
  for (std::size_t i = 0; i < score.size(); ++i) pairs.push_back({score[i], correct[i] == 1});
  const long right = std::count(correct.begin(), correct.end(), 1);
  const double whole = expected().values<double>("micro/average_precision")[0];
  CHECK(micro_average_precision(pairs, right) == doctest::Approx(whole).epsilon(1e-12));
  CHECK(micro_average_precision(pairs, 2 * right) == doctest::Approx(whole / 2).epsilon(1e-12));
}

TEST_CASE("average precision in steps differs from that of trapezoids") {
  // A positive at place 2 of one query: precision 1/3 in a step, (0 + 1/3) / 2 in a trapezoid.
  CHECK(micro_average_precision({{0.9, false}, {0.8, false}, {0.7, true}}, 1) == doctest::Approx(1.0 / 3));
  CHECK(trapezoidal_average_precision(std::vector{2}) == doctest::Approx(1.0 / 6));
}

TEST_CASE("retrieval names the sizes that do not fit") {
  const Features database{{1, 0, 0, 1}, 2, {}, 0}, query{{1, 0}, 2, {}, 0}, wide{{1, 0, 0}, 3, {}, 0};
  CHECK_THROWS_WITH_AS(static_cast<void>(retrieve(database, wide, {})),
                       doctest::Contains("the database have width 2, those of the queries 3"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(retrieve(database, query, {{{}, {}}})),
                       doctest::Contains("there are 1 queries, and the truth about 2"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(retrieve(database, query, {{{{0}, {2}}}})),
                       doctest::Contains("query 0 names row 2, and the database has the rows 0 to 1"), Error);
}

TEST_CASE("retrieval refuses what it cannot rank") {
  const float nan = std::nanf(""), large = 3e38f;
  const Features good{{1, 0, 0, 1}, 2, {}, 0}, bad{{1, 0, nan, 1}, 2, {}, 0}, huge{{large, large}, 2, {}, 0};
  const std::vector<std::vector<Relevance>> one{{{{0}, {}}}}, two{{{{0}, {}}, {{1}, {}}}};
  const auto refuses = [](const char* message, auto&& call) {
    CAPTURE(message);
    CHECK_THROWS_WITH_AS(call(), doctest::Contains(message), Error);
  };
  refuses("the database: number 0 of the features of image 1 is nan", [&] { (void)retrieve(bad, good, two); });
  refuses("the queries: number 0 of the features of image 1 is nan", [&] { (void)retrieve(good, bad, two); });
  refuses("query 0 are too large", [&] { (void)retrieve(huge, huge, one); });
  refuses("the database: there are no features", [&] { (void)retrieve({{}, 2, {}, 0}, good, two); });
  refuses("names row 2", [&] { (void)retrieve(good, good, {{{{2}, {}}, {{-1}, {}}}}); });
  refuses("row 2 is not one of the 2", [] { (void)retrieval_score(std::vector<int>{0, 1}, {{2}, {}}); });
  refuses("row 5 is not one of the 2", [] { (void)retrieval_score(std::vector<int>{0, 5}, {{0}, {}}); });
  refuses("there are no queries", [] { (void)mean_score({}); });
  refuses("no positive", [] { (void)trapezoidal_average_precision({}); });
  refuses("not a number", [&] { (void)micro_average_precision({{static_cast<double>(nan), true}}, 1); });
}
