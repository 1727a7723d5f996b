// What `retrieve` should find for each query, as docs/evaluation.md describes the file.
#pragma once

#include <vitral/eval/retrieval/retrieval.hpp>
#include <vitral/io/json.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// What a truth file says in one way of looking at it.
struct TruthView {
  std::string name;
  std::vector<vitral::Relevance> truth;
};

namespace truth_detail {

using Json = nlohmann::ordered_json;

inline std::vector<int> rows_of(const std::string& path, std::size_t query, const Json& list) {
  vitral::check(list.is_array(), path, ": query ", query, " needs lists of whole numbers, not ", vitral::legible(list));
  constexpr int most = std::numeric_limits<int>::max();
  std::vector<int> rows;
  for (const Json& row : list) {
    vitral::check(row.is_number_unsigned() && row.get<std::uint64_t>() <= std::uint64_t{most}, path, ": query ", query,
                  " names row ", vitral::legible(row), ", expected a whole number from 0 to ", most);
    rows.push_back(row.get<int>());
  }
  return rows;
}

inline void check_distinct(const std::string& path, std::size_t query, std::vector<int> rows) {
  std::sort(rows.begin(), rows.end());
  vitral::check(std::adjacent_find(rows.begin(), rows.end()) == rows.end(), path, ": query ", query,
                " names a row twice; each may stand in one list, once");
}

}  // namespace truth_detail

/// The protocol's three views of "queries", or the only one of "matches".
inline std::vector<TruthView> read_truth(const std::string& path) {
  using namespace truth_detail;
  using vitral::check;
  const Json json = vitral::read_json(path);
  const bool lists = json.contains("queries"), matches = json.contains("matches");
  check(lists != matches && (lists ? json["queries"] : json["matches"]).is_array(), path,
        ": expected a list \"queries\" of easy, hard and junk rows, or a list \"matches\" of rows; see "
        "docs/evaluation.md");
  if (matches) {
    TruthView copies{"copies", {}};
    for (const Json& rows : json["matches"]) {
      copies.truth.push_back({rows_of(path, copies.truth.size(), rows), {}});
      check_distinct(path, copies.truth.size() - 1, copies.truth.back().positive);
    }
    return {copies};
  }
  std::vector<TruthView> views{{"easy", {}}, {"medium", {}}, {"hard", {}}};
  for (const Json& query : json["queries"]) {
    const std::size_t number = views[0].truth.size();
    const auto list = [&](const char* name) {
      check(query.contains(name), path, ": query ", number, " has no list \"", name, "\"; it may be empty");
      return rows_of(path, number, query[name]);
    };
    const vitral::QueryTruth truth{list("easy"), list("hard"), list("junk")};
    std::vector<int> all = truth.easy;
    for (const auto* more : {&truth.hard, &truth.junk}) all.insert(all.end(), more->begin(), more->end());
    check_distinct(path, number, all);
    for (std::size_t d = 0; d < views.size(); ++d)
      views[d].truth.push_back(relevance(truth, static_cast<vitral::Difficulty>(d)));
  }
  return views;
}

}}}  // namespace vitral::programs
