// Scores of image retrieval by the revisited Oxford and Paris protocol (Radenovic et al. 2018), which Copydays follows
// with one list of positives, and the micro average precision of copy detection (DISC21, Douze et al. 2021).
#pragma once

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/eval/features.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// What counts for one query, as rows of the database.
struct Relevance {
  std::vector<int> positive;  ///< should be found
  std::vector<int> ignored;   ///< are taken out of the ranking
};

/// The three lists of rows that the revisited protocol has for each query. Rows in none of them show something else.
struct QueryTruth {
  std::vector<int> easy, hard, junk;
};

/// Which rows the revisited protocol asks for.
enum class Difficulty { easy, medium, hard };

/// What counts at a difficulty. Easy ignores the hard rows, hard the easy ones; medium looks for both. Junk is ignored.
[[nodiscard]] inline Relevance relevance(const QueryTruth& truth, Difficulty difficulty) {
  Relevance out{{}, truth.junk};
  const auto append = [](std::vector<int>& to, const std::vector<int>& more) {
    to.insert(to.end(), more.begin(), more.end());
  };
  append(difficulty == Difficulty::hard ? out.ignored : out.positive, truth.easy);
  append(difficulty == Difficulty::easy ? out.ignored : out.positive, truth.hard);
  return out;
}

/// How good one ranking is, or the mean over several; NaN for a query that has nothing to find.
struct RetrievalScore {
  static constexpr std::array<int, 3> depths{1, 5, 10};
  double average_precision = 0;
  std::array<double, 3> precision{};  ///< shares of positives among the first 1, 5 and 10
};

/// The area under precision over recall by the trapezoidal rule. `places`: where the positives stand in the ranking,
/// ascending; the best place is 0, and before it precision counts as 1.
[[nodiscard]] inline double trapezoidal_average_precision(std::span<const int> places) {
  check(!places.empty(), "average precision: there is no positive in the ranking");
  double sum = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const double found = static_cast<double>(i), seen = places[i];
    sum += ((seen == 0 ? 1 : found / seen) + (found + 1) / (seen + 1)) / 2;
  }
  return sum / static_cast<double>(places.size());
}

/// Scores one ranking: all rows of the database, the most similar first. As in the authors' code, precision among the
/// first k divides by the place of the last positive, counted from 1, where that is smaller than k.
[[nodiscard]] inline RetrievalScore retrieval_score(std::span<const int> ranking, const Relevance& truth) {
  constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
  if (truth.positive.empty()) return {nothing, {nothing, nothing, nothing}};
  using Rows = std::span<const int>;
  for (const Rows rows : {ranking, Rows(truth.positive), Rows(truth.ignored)})
    for (const int row : rows)
      check(row >= 0 && static_cast<std::size_t>(row) < ranking.size(), "retrieval: row ", row, " is not one of the ",
            ranking.size(), " of the ranking");
  enum : char { other, positive, ignored };
  std::vector<char> kind(ranking.size(), other);
  for (const int row : truth.positive) kind[static_cast<std::size_t>(row)] = positive;
  for (const int row : truth.ignored) kind[static_cast<std::size_t>(row)] = ignored;
  std::vector<int> places;
  int place = 0;
  for (const int row : ranking) {
    const char what = kind[static_cast<std::size_t>(row)];
    if (what == positive) places.push_back(place);
    place += what != ignored;
  }
  if (places.empty()) return {nothing, {nothing, nothing, nothing}};
  RetrievalScore out{trapezoidal_average_precision(places), {}};
  for (std::size_t i = 0; i < out.precision.size(); ++i) {
    const int first = std::min(RetrievalScore::depths[i], places.back() + 1);
    const auto found = std::lower_bound(places.begin(), places.end(), first) - places.begin();
    out.precision[i] = static_cast<double>(found) / first;
  }
  return out;
}

/// The mean over the queries that have something to find; NaN where none has. Throws Error where there are no queries.
[[nodiscard]] inline RetrievalScore mean_score(const std::vector<RetrievalScore>& scores) {
  check(!scores.empty(), "retrieval: there are no queries");
  RetrievalScore sum;
  int count = 0;
  for (const RetrievalScore& score : scores) {
    if (std::isnan(score.average_precision)) continue;
    ++count;
    sum.average_precision += score.average_precision;
    for (std::size_t i = 0; i < sum.precision.size(); ++i) sum.precision[i] += score.precision[i];
  }
  sum.average_precision /= count;
  for (double& precision : sum.precision) precision /= count;
  return sum;
}

/// Ranks the whole database for every query by the inner product of rows; of equal products the earlier row is first.
/// truths[t][q] says what query q should find at difficulty t, and result[t][q] is the score of its ranking for it.
[[nodiscard]] inline std::vector<std::vector<RetrievalScore>> retrieve(
    const Features& database, const Features& queries, const std::vector<std::vector<Relevance>>& truths) {
  const int rows = database.images(), asked = queries.images(), width = database.width;
  check(width == queries.width, "retrieval: features of the database have width ", width, ", those of the queries ",
        queries.width, "; compute both with one network");
  check_features(database, "retrieval: the database");
  check_features(queries, "retrieval: the queries");
  for (const auto& truth : truths) {
    check(static_cast<int>(truth.size()) == asked, "retrieval: there are ", asked, " queries, and the truth about ",
          truth.size());
    for (std::size_t q = 0; q < truth.size(); ++q)
      for (const auto* list : {&truth[q].positive, &truth[q].ignored})
        for (const int row : *list)
          check(row >= 0 && row < rows, "retrieval: the truth about query ", q, " names row ", row,
                ", and the database has the rows 0 to ", rows - 1);
  }
  std::vector out(truths.size(), std::vector<RetrievalScore>(static_cast<std::size_t>(asked)));
  const int most = std::min(asked, std::max(1, (1 << 24) / rows));  // queries at a time: 64 MiB of similarities, or one
  std::vector<float> similarity(static_cast<std::size_t>(most) * static_cast<std::size_t>(rows));
  for (int first = 0; first < asked; first += most) {
    const int count = std::min(most, asked - first);
    Cpu::matmul(row_major(queries.rows.data() + static_cast<long>(first) * width, count, width),
                transposed(row_major(database.rows.data(), rows, width)), row_major(similarity.data(), count, rows),
                false);
    for (long i = 0; i < long{count} * rows; ++i)
      check(std::isfinite(similarity[static_cast<std::size_t>(i)]), "retrieval: the features of query ",
            first + i / rows, " are too large to be multiplied; scale them to unit length");
    cpu::parallel_for(count, [&](long i) {
      const float* const value = similarity.data() + i * rows;
      std::vector<int> ranking(static_cast<std::size_t>(rows));
      std::iota(ranking.begin(), ranking.end(), 0);
      std::sort(ranking.begin(), ranking.end(),
                [&](int a, int b) { return value[a] != value[b] ? value[a] > value[b] : a < b; });
      const auto query = static_cast<std::size_t>(first + i);
      for (std::size_t t = 0; t < truths.size(); ++t) out[t][query] = retrieval_score(ranking, truths[t][query]);
    });
  }
  return out;
}

/// A pair that copy detection proposes.
struct ProposedPair {
  double score;
  bool correct;
};

/// The average precision of one ranking that holds the pairs of all queries: the sum of precision times the rise in
/// recall, scikit-learn's step form (retrieval's is trapezoidal). Pairs of one score count together. `truths`: how many
/// pairs there are to find, proposed or not.
[[nodiscard]] inline double micro_average_precision(std::vector<ProposedPair> pairs, long truths) {
  check(truths > 0, "micro average precision: there is no pair to find");
  for (const ProposedPair& pair : pairs)
    check(!std::isnan(pair.score), "micro average precision: the score of a pair is not a number");
  std::sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  double sum = 0;
  long correct = 0;
  for (std::size_t i = 0; i < pairs.size();) {
    const double score = pairs[i].score;
    const long before = correct;
    for (; i < pairs.size() && pairs[i].score == score; ++i) correct += pairs[i].correct;
    sum += static_cast<double>(correct) / static_cast<double>(i) * static_cast<double>(correct - before);
  }
  return sum / static_cast<double>(truths);
}

}}  // namespace vitral
