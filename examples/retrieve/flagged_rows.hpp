// The rows of a file of features that `embed` has not flagged as those of images that could not be read, and what a
// truth about all rows says about them.
#pragma once

#include <vitral/eval/retrieval/retrieval.hpp>
#include <vitral/io/npy.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Numbers, ascending, of the rows that are not flagged: of FILE.npy's `rows`, those that are 0 in FILE.flags.npy, or
/// all where that is not there.
inline std::vector<int> rows_without_flag(const std::filesystem::path& file, int rows) {
  const std::filesystem::path path = std::filesystem::path(file).replace_extension(".flags.npy");
  std::vector<int> out;
  std::error_code ignored;
  const bool flagged = std::filesystem::exists(path, ignored);
  const auto flags = flagged ? vitral::read_npy<std::uint8_t>(path) : vitral::BasicNpyArray<std::uint8_t>{};
  vitral::check(!flagged || flags.shape == std::vector<long>{rows}, path.native(), ": its shape is ",
                vitral::detail::python_tuple(flags.shape), ", but ", file.native(), " has ", rows,
                " rows; copy both files from one `embed`");
  for (int row = 0; row < rows; ++row)
    if (!flagged || flags.values[static_cast<std::size_t>(row)] == 0) out.push_back(row);
  vitral::check(!out.empty(), path.native(), ": every row is flagged as unreadable");
  return out;
}

/// The truth about the queries `queries` alone, of which the database has the rows `kept` of `rows` alone; rows get the
/// numbers that they have among these. Throws Error where a row is named that the database never had.
inline std::vector<vitral::Relevance> truth_about(const std::vector<vitral::Relevance>& truth,
                                                  const std::vector<int>& queries, const std::vector<int>& kept,
                                                  int rows) {
  std::vector<int> place(static_cast<std::size_t>(rows), -1);
  for (std::size_t i = 0; i < kept.size(); ++i) place[static_cast<std::size_t>(kept[i])] = static_cast<int>(i);
  std::vector<vitral::Relevance> out;
  for (const int query : queries) {
    const auto there = [&](const std::vector<int>& named) {
      std::vector<int> found;
      for (const int row : named) {
        vitral::check(row >= 0 && row < rows, "the truth about query ", query, " names row ", row,
                      ", and the database has the rows 0 to ", rows - 1);
        if (const int at = place[static_cast<std::size_t>(row)]; at >= 0) found.push_back(at);
      }
      return found;
    };
    const vitral::Relevance& all = truth[static_cast<std::size_t>(query)];
    out.push_back({there(all.positive), there(all.ignored)});
  }
  return out;
}

}}}  // namespace vitral::programs
