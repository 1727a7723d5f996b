// How well features find images again: the revisited Oxford and Paris protocol, or copy detection. Features are .npy
// files, as `embed` and numpy.save write them; docs/evaluation.md describes the truth.
//
//   retrieve --database database.npy --queries queries.npy --truth truth.json --out retrieval
#include "common/command_line.hpp"
#include "common/output.hpp"
#include "retrieve/flagged_rows.hpp"
#include "retrieve/truth.hpp"

#include <vitral/eval/classifiers/knn.hpp>
#include <vitral/eval/retrieval/retrieval.hpp>
#include <vitral/eval/retrieval/whitening.hpp>
#include <vitral/io/json.hpp>
#include <vitral/io/npy.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace vitral;
using namespace vitral::programs;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::string database, queries, truth, whitening, out;
  int threads = 0;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Ranks a database of features for every query and tells how well that found what it should."};
  app.add_option("--database", o.database, "Features to search, .npy: float32 [rows, width]")->required();
  app.add_option("--queries", o.queries, "Features to search for, of the same width")->required();
  app.add_option("--truth", o.truth, "JSON: what each query should find (docs/evaluation.md)")->required();
  app.add_option("--whitening", o.whitening, "Features of other images, from which a whitening of both is learned");
  app.add_option("--out", o.out, "Directory for retrieval.json and queries.csv [nothing is written]");
  app.add_option("--threads", o.threads, "Threads; 0 = all cores")->check(CLI::NonNegativeNumber);
  parse_command_line(app, argc, argv, "retrieve");
  return o;
}

/// The rows of a file that are not flagged, and their numbers among `all`.
struct Rows {
  Features features;
  std::vector<int> numbers;
  int all;
};
Rows read_rows(const std::string& path) {
  const NpyArray array = read_npy(path);
  constexpr long most = std::numeric_limits<int>::max();
  const auto extent = [&](std::size_t axis) { return array.shape[axis] >= 1 && array.shape[axis] <= most; };
  check(array.shape.size() == 2 && extent(0) && extent(1), path, ": its shape is ", detail::python_tuple(array.shape),
        ", expected (rows, width)");
  const int all = static_cast<int>(array.shape[0]), width = static_cast<int>(array.shape[1]);
  const std::vector<int> numbers = rows_without_flag(path, all);
  std::vector<float> values;
  for (const int row : numbers) {
    const auto from = array.values.begin() + long{row} * width;
    check_finite({from, from + width}, width, path, row, "row");
    check(std::isfinite(std::inner_product(from, from + width, from, 0.0f)), path, ": the numbers of row ", row,
          " are too large to be scaled to unit length");
    values.insert(values.end(), from, from + width);
  }
  return {{std::move(values), width, {}, 0}, numbers, all};
}

/// The features, each scaled to unit length.
Features of_unit_length(Features features) {
  const auto rows = Tensor<float, Shape<dyn, dyn>>::from(features.rows, {features.images(), features.width});
  features.rows = l2_normalize(rows).to_vector();
  return features;
}

constexpr int proposals = 10;  // pairs that a query contributes to the ranking of all queries

/// Micro average precision of the nearest rows of every query.
double micro(const Features& database, const Features& queries, const std::vector<Relevance>& truth) {
  const Neighbours near = nearest_neighbours(database, queries, std::min(proposals, database.images()));
  std::vector<ProposedPair> pairs;
  long total = 0;
  for (std::size_t q = 0; q < truth.size(); ++q) {
    const auto& matches = truth[q].positive;
    total += static_cast<long>(matches.size());
    for (std::size_t i = q * static_cast<std::size_t>(near.k); i < (q + 1) * static_cast<std::size_t>(near.k); ++i)
      pairs.push_back({near.similarity[i], std::find(matches.begin(), matches.end(), near.place[i]) != matches.end()});
  }
  return micro_average_precision(std::move(pairs), total);
}

/// NaN, the score of a query that has nothing to find, is JSON's null and an empty cell.
std::string csv(const std::vector<TruthView>& views, const std::vector<std::vector<RetrievalScore>>& scores,
                const std::vector<int>& queries) {
  std::string out = "query";
  for (const TruthView& view : views) out += ",average precision (" + view.name + ")";
  for (std::size_t q = 0; q < scores[0].size(); ++q) {
    out += "\n" + std::to_string(queries[q]);
    for (const auto& view : scores)
      out += std::isnan(view[q].average_precision) ? std::string(",") : join(",", view[q].average_precision);
  }
  return out + "\n";
}

void run(const Options& o) {
  const Rows known = read_rows(o.database), asked = read_rows(o.queries);
  std::optional<Whitening> whitening;
  if (!o.whitening.empty()) whitening = learn_whitening(read_rows(o.whitening).features);
  const auto prepared = [&](const Features& features) {
    return of_unit_length(whitening ? whitened(features, *whitening) : features);
  };
  const Features database = prepared(known.features), queries = prepared(asked.features);
  const std::vector<TruthView> views = read_truth(o.truth);
  check(static_cast<int>(views[0].truth.size()) == asked.all, o.truth, ": the truth about ", views[0].truth.size(),
        " queries, but ", o.queries, " has ", asked.all);
  std::vector<std::vector<Relevance>> truths;
  for (const TruthView& view : views)
    truths.push_back(truth_about(view.truth, asked.numbers, known.numbers, known.all));
  const auto scores = retrieve(database, queries, truths);

  Json results{{"database", o.database},
               {"queries", o.queries},
               {"truth", o.truth},
               {"database_rows", database.images()},
               {"query_rows", queries.images()}};
  if (whitening) results["whitening"] = o.whitening;
  if (const int flagged = known.all - database.images(), of_queries = asked.all - queries.images();
      flagged + of_queries > 0) {
    std::printf("%d of %d database rows and %d of %d queries are flagged as unreadable and passed over\n", flagged,
                known.all, of_queries, asked.all);
    results["flagged"] = {{"database_rows", flagged}, {"query_rows", of_queries}};
  }
  std::printf("%d queries in %d rows, percent\n           mAP   mP@1   mP@5  mP@10\n", queries.images(),
              database.images());
  for (std::size_t v = 0; v < views.size(); ++v) {
    const RetrievalScore mean = mean_score(scores[v]);
    check(!std::isnan(mean.average_precision) || views.size() > 1, o.truth, ": no query has anything to find");
    Json& row = results[views[v].name];
    row["mean_average_precision"] = mean.average_precision;
    std::printf("%-7s %6.2f", views[v].name.c_str(), 100 * mean.average_precision);
    for (std::size_t i = 0; i < mean.precision.size(); ++i) {
      row["mean_precision"][std::to_string(RetrievalScore::depths[i])] = mean.precision[i];
      std::printf(" %6.2f", 100 * mean.precision[i]);
    }
    std::printf("\n");
  }
  if (views.size() == 1) {
    const double average = micro(database, queries, truths[0]);
    results["copies"]["micro_average_precision"] = average;
    std::printf("micro average precision of each query's %d nearest rows: %.2f\n",
                std::min(proposals, database.images()), 100 * average);
  }
  if (o.out.empty()) return;
  const std::filesystem::path folder = o.out;
  make_folder(folder);
  write_text(folder / "retrieval.json", json_text(results, 2) + "\n");
  write_text(folder / "queries.csv", csv(views, scores, asked.numbers));
  std::printf("wrote retrieval.json and queries.csv in %s\n", escape_text(o.out).c_str());
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, parse, run); }
