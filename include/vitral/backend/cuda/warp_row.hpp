// A row of up to 1,024 elements in the registers of a warp: read once, four elements at a time, however often it is
// used.
#pragma once

#include <vitral/backend/cuda/block_reduce.hpp>
#include <vitral/backend/cuda/launch.hpp>
#include <vitral/backend/cuda/quads.hpp>

#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

/// Lane l holds elements 4 (l + 32 i) ... + 3 for i below Quads; those beyond the row's end are left out of everything.
template <class P, int Quads>
struct WarpRow {
  P value[Quads][4];
  int cols;

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }
  __device__ static int column(int i) { return 4 * (lane() + 32 * i); }

  /// value = from(column), a quad.
  template <class F>
  __device__ void set(F from) {
#pragma unroll
    for (int i = 0; i < Quads; ++i)
      if (column(i) < cols) {
        const Run<P, 4> four = from(column(i));
        for (int k = 0; k < 4; ++k) value[i][k] = four.value[k];
      }
  }
  /// The sum of f(value, i, k), known to every lane.
  template <class F>
  __device__ P sum(F f) const {
    P out{};
#pragma unroll
    for (int i = 0; i < Quads; ++i)
      if (column(i) < cols)
        for (int k = 0; k < 4; ++k) out += f(value[i][k], i, k);
    return warp_reduce(out, Add{});
  }
  /// f(value, i, k) for each of the lane's elements, which it may change.
  template <class F>
  __device__ void each(F f) {
#pragma unroll
    for (int i = 0; i < Quads; ++i)
      for (int k = 0; k < 4; ++k) f(value[i][k], i, k);
  }
  /// f(value, from[column]), from being another row.
  template <class T, class F>
  __device__ void beside(const T* from, F f) {
#pragma unroll
    for (int i = 0; i < Quads; ++i)
      if (column(i) < cols) {
        const Run<P, 4> four = load_run<4>(from + column(i));
        for (int k = 0; k < 4; ++k) f(value[i][k], four.value[k]);
      }
  }
  /// to[column] = value.
  template <class T>
  __device__ void store(T* to) const {
#pragma unroll
    for (int i = 0; i < Quads; ++i)
      if (column(i) < cols) {
        Run<P, 4> four;
        for (int k = 0; k < 4; ++k) four.value[k] = value[i][k];
        store_run(to + column(i), four);
      }
  }
};

inline constexpr int warp_rows_of_block = 4;

/// The row that this warp has.
__device__ inline long own_row() { return static_cast<long>(blockIdx.x) * warp_rows_of_block + threadIdx.x / 32; }

/// Whether rows of these tensors fit into a warp's registers.
template <class... T>
bool suits_warp_rows(long cols, const T*... data) {
  return cols % 4 == 0 && cols <= 1024 && (allows_runs<4>(data) && ...);
}

/// Calls f with the number of quads that a lane needs, as a constant: exactly those of the usual widths.
template <class F>
void with_quads(long cols, F&& f) {
  if (cols <= 256) return f(std::integral_constant<int, 2>{});
  if (cols <= 384) return f(std::integral_constant<int, 3>{});
  if (cols <= 768) return f(std::integral_constant<int, 6>{});
  f(std::integral_constant<int, 8>{});
}

template <class... P, class... A>
void launch_warp_rows(const char* name, void (*kernel)(P...), long rows, const A&... arguments) {
  launch(name, kernel, blocks_for(rows, warp_rows_of_block), 32 * warp_rows_of_block, 0, arguments...);
}

}}}  // namespace vitral::cuda
