// Rows of a table by index: gathered, and, for the gradient, added back.
#pragma once

#include <vitral/backend/cpu/threads.hpp>
#include <vitral/core/bf16.hpp>
#include <vitral/core/error.hpp>

#include <algorithm>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

inline void check_rows(const int* index, long count, long table_rows, const char* what) {
  for (long i = 0; i < count; ++i)
    check(index[i] >= 0 && index[i] < table_rows, what, ": index ", index[i], " at position ", i,
          " is outside the table's rows 0 to ", table_rows - 1);
}

}  // namespace detail

/// out[i] = table[index[i]] for rows of `cols` elements. Throws Error on an index outside the table.
template <class T>
void gather_rows(const T* table, const int* index, T* out, long rows_out, long cols, long table_rows) {
  detail::check_rows(index, rows_out, table_rows, "gather_rows");
  const long step = std::max(1l, 16384 / std::max(cols, 1l));
  parallel_for((rows_out + step - 1) / step, [&](long task) {
    for (long i = task * step; i < std::min(rows_out, (task + 1) * step); ++i)
      std::copy_n(table + index[i] * cols, cols, out + i * cols);
  });
}

/// table[index[i]] += rows[i], in order of i for each element, whatever the number of threads: tasks own columns.
template <class T>
void scatter_add_rows(const T* rows, const int* index, T* table, long rows_in, long cols, long table_rows) {
  using P = compute_t<T>;
  detail::check_rows(index, rows_in, table_rows, "scatter_add_rows");
  constexpr long width = 64;
  parallel_for((cols + width - 1) / width, [&](long task) {
    const long first = task * width, count = std::min(width, cols - first);
    for (long i = 0; i < rows_in; ++i) {
      const T* const from = rows + i * cols + first;
      T* const to = table + index[i] * cols + first;
#pragma omp simd
      for (long j = 0; j < count; ++j) to[j] = static_cast<P>(to[j]) + static_cast<P>(from[j]);
    }
  });
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
