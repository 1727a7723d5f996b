// The rows of a table that are nearest to others. backend/backend.hpp says what it does.
#pragma once

#include <vitral/backend/cuda/matmul.hpp>
#include <vitral/backend/cuda/memory.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

/// A warp puts `number`, which is above value[k - 1], into its sorted list, behind those that are as large; the last
/// one falls out. From the end of the list on, each lane moves one of 32 neighbours up.
template <class T>
__device__ void insert_sorted(T* value, int* place, int k, T number, int number_place) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int last = k - 1; last >= 0; last -= 32) {
    const int i = last - lane;
    const bool moves = i >= 0 && value[i] < number, first = moves && (i == 0 || !(value[i - 1] < number));
    const T moved = moves ? value[i] : T{};
    const int moved_place = moves ? place[i] : 0;
    __syncwarp();
    if (moves && i + 1 < k) {
      value[i + 1] = moved;
      place[i + 1] = moved_place;
    }
    if (first) {
      value[i] = number;
      place[i] = number_place;
    }
    __syncwarp();
    if (__any_sync(0xffffffffu, first)) return;
  }
}

/// Starts the lists of the largest.
template <class T>
__global__ void no_largest_kernel(T* value, int* place, long count) {
  const long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  value[i] = -static_cast<T>(INFINITY);
  place[i] = -1;
}

/// A warp for each row of products [rows, cols], whose columns are the places first, first + 1, ... in the table; the
/// first row is query `query`. Nearly always none of the 32 numbers that the warp reads is above the least that it
/// keeps.
template <class T>
__global__ void keep_largest_kernel(const T* products, long rows, long cols, T* value, int* place, int k, long first,
                                    long query, bool leave_one_out) {
  const long row = (static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (row >= rows) return;
  const long left_out = leave_one_out ? query + row - first : -1;
  value += row * k;
  place += row * k;
  T bound = value[k - 1];
  for (long begin = 0; begin < cols; begin += 32) {
    const long column = begin + lane;
    const bool there = column < cols && column != left_out;
    const T mine = there ? products[row * cols + column] : T{};
    if (!__any_sync(0xffffffffu, there && mine > bound)) continue;
    for (int from = 0; from < 32; ++from) {  // in order, so that of equal numbers the first stays ahead
      const T number = __shfl_sync(0xffffffffu, mine, from);
      if (!__shfl_sync(0xffffffffu, static_cast<int>(there), from) || !(number > bound)) continue;
      insert_sorted(value, place, k, number, static_cast<int>(first + begin) + from);
      bound = value[k - 1];
    }
  }
}

}  // namespace detail

/// Products of a block of queries and of rows are held at a time, 256 MiB.
template <class T>
void nearest_rows(Matrix<T> table, Matrix<T> queries, int k, bool leave_one_out, T* products, int* places) {
  constexpr long most_queries = 8192, most_rows = 8192;
  constexpr int threads = 128;
  const long width = table.cols;
  const Scratch<T> block(std::min(most_queries, queries.rows) * std::min(most_rows, table.rows));
  launch("nearest_rows", &detail::no_largest_kernel<T>, blocks_for(queries.rows * k), block_threads, 0, products,
         places, queries.rows * k);
  for (long row = 0; row < table.rows; row += most_rows) {
    const long known = std::min(most_rows, table.rows - row);
    for (long query = 0; query < queries.rows; query += most_queries) {
      const long asked = std::min(most_queries, queries.rows - query);
      batched_matmul<FloatProducts::exact, T, T>({row_major(queries.data + query * width, asked, width), 1, 0},
                                                 {transposed(row_major(table.data + row * width, known, width)), 1, 0},
                                                 {row_major(block.data(), asked, known), 1, 0}, false);
      launch("nearest_rows", &detail::keep_largest_kernel<T>, blocks_for(32 * asked, threads), threads, 0, block.data(),
             asked, known, products + query * k, places + query * k, k, row, query, leave_one_out);
    }
  }
}

}}}  // namespace vitral::cuda
