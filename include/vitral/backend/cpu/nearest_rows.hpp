// The rows of a table that are nearest to others. backend/backend.hpp says what it does.
#pragma once

#include <vitral/backend/cpu/packed.hpp>
#include <vitral/backend/cpu/threads.hpp>
#include <vitral/backend/cpu/work_memory.hpp>

#include <algorithm>
#include <limits>
#include <vector>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

/// Keeps the k largest numbers of a stream with their places, largest first. Of equal numbers the first to come wins.
class LargestFew {
 public:
  LargestFew(float* value, int* place, int k) : value_(value), place_(place), k_(k) {
    std::fill_n(value, k, -std::numeric_limits<float>::infinity());
    std::fill_n(place, k, -1);
  }
  /// Takes the next `count` numbers, whose places are first, first + 1, ...; passes over the place `left_out`.
  void take(const float* number, int count, int first, int left_out) {
    constexpr int step = 32;
    for (int i = 0; i < count; i += step) {
      const int end = std::min(count, i + step);
      // Nearly always none of `step` numbers is larger than the least that is kept: one vector loop passes over them.
      int larger = 0;  // an int, since compilers do not vectorise this loop with a bool
      const float bound = value_[k_ - 1];
#pragma omp simd reduction(| : larger)
      for (int j = i; j < end; ++j) larger |= number[j] > bound ? 1 : 0;
      if (!larger) continue;
      for (int j = i; j < end; ++j)
        if (number[j] > value_[k_ - 1] && first + j != left_out) insert(number[j], first + j);
    }
  }

 private:
  void insert(float number, int place) {
    int at = k_ - 1;
    for (; at > 0 && number > value_[at - 1]; --at) {
      value_[at] = value_[at - 1];
      place_[at] = place_[at - 1];
    }
    value_[at] = number;
    place_[at] = place;
  }

  float* value_;
  int* place_;
  int k_;
};

}  // namespace detail

/// A block of products stays in the cache.
inline void nearest_rows(Matrix<const float> table, Matrix<const float> queries, int k, bool leave_one_out,
                         float* products, int* places) {
  constexpr long most_queries = 64, most_rows = 512;
  const long parts = (queries.rows + most_queries - 1) / most_queries;
  std::vector<detail::LargestFew> best;
  for (long i = 0; i < queries.rows; ++i) best.emplace_back(products + i * k, places + i * k, k);
  PackedMatrix<float> packed;
  for (long row = 0; row < table.rows; row += most_rows) {
    const long known = std::min(most_rows, table.rows - row);
    packed.pack(transposed(row_major(&table(row, 0), known, table.cols)));
    parallel_for(parts, [&](long part) {
      static thread_local WorkMemory buffer;
      const long query = part * most_queries, asked = std::min(most_queries, queries.rows - query);
      const auto block = row_major(buffer.reserve<float>(most_queries * most_rows), asked, known);
      packed.multiply(row_major(&queries(query, 0), asked, queries.cols), block);
      for (long i = 0; i < asked; ++i)
        best[static_cast<std::size_t>(query + i)].take(&block(i, 0), static_cast<int>(known), static_cast<int>(row),
                                                       leave_one_out ? static_cast<int>(query + i) : -1);
    });
  }
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
