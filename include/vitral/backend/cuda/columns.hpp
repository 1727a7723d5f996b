// Sums of each column of a dense matrix, such as the gradient of a bias, at the speed of the device's memory. A matrix
// is cut into parts by its shape alone, and the sums of the parts are joined in one order.
#pragma once

#include <vitral/backend/cuda/gelu.hpp>
#include <vitral/backend/cuda/instructions.hpp>
#include <vitral/backend/cuda/join.hpp>
#include <vitral/backend/cuda/memory.hpp>

#include <cstdint>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

constexpr int column_threads = 256;

/// Width neighbouring elements, read by one load.
template <class T, int Width>
struct alignas(Width * sizeof(T)) Piece {
  T value[Width];
};
template <class T>
inline constexpr int widest_piece = 16 / static_cast<int>(sizeof(T));

/// Stores values; they become what T rounds them to.
template <class T, int Width>
__device__ void store_piece(T* to, compute_t<T> (&value)[Width]) {
  if constexpr (std::is_same_v<T, bf16> && Width == 8) {
    unsigned pair[4];
    for (int i = 0; i < 4; ++i) {
      pair[i] = pair_of(value[2 * i], value[2 * i + 1]);
      value[2 * i] = bit_cast<float>(pair[i] << 16);
      value[2 * i + 1] = bit_cast<float>(pair[i] & 0xffff0000u);
    }
    // As an assignment, nvcc makes four stores of it.
    __stwb(reinterpret_cast<uint4*>(to), uint4{pair[0], pair[1], pair[2], pair[3]});
  } else {
    Piece<T, Width> piece;
    for (int i = 0; i < Width; ++i) {
      piece.value[i] = value[i];
      value[i] = static_cast<compute_t<T>>(piece.value[i]);
    }
    *reinterpret_cast<Piece<T, Width>*>(to) = piece;
  }
}

/// How blocks cover a matrix: in a block `across` threads stand side by side, a piece of a row each, and the others
/// below them; `groups` blocks stand side by side, and the rows are cut into `parts`.
struct ColumnGrid {
  int across, parts;
  unsigned groups;
};
inline ColumnGrid column_grid(long rows, long pieces) {
  long across = std::min(pieces, 32l);
  for (long divisor = across; divisor >= 16; --divisor)  // so that no thread stands beside the matrix
    if (pieces % divisor == 0) {
      across = divisor;
      break;
    }
  const long groups = (pieces + across - 1) / across, down = column_threads / across;
  constexpr long enough = 132 * 4;  // blocks that keep any present device busy; not its own count
  const long parts = std::clamp(enough / groups, 1l, std::max(rows / (4 * down), 1l));
  return {static_cast<int>(across), static_cast<int>(parts), static_cast<unsigned>(groups)};
}

/// partial [parts, cols] (null: not kept) = for each part and column the sum over the part's rows, to which
/// use(load(at), at, sums) adds the Width elements of the piece at `at`. Ahead pieces are loaded before the first of
/// them is used.
template <int Width, int Ahead, class P, class Load, class Use>
__device__ void sum_down(long rows, long cols, int across, P* partial, Load load, Use use) {
  __shared__ P shared[column_threads * Width];
  const int thread = static_cast<int>(threadIdx.x), down = column_threads / across;
  const long first = static_cast<long>(blockIdx.x) * across * Width, column = first + thread % across * Width;
  const long part = blockIdx.y, parts = gridDim.y, end = rows * (part + 1) / parts;
  P sums[Width]{};
  if (thread < across * down && column < cols) {
    long row = rows * part / parts + thread / across;
    for (; row + (Ahead - 1) * down < end; row += Ahead * down) {
      decltype(load(0l)) held[Ahead];
#pragma unroll
      for (int k = 0; k < Ahead; ++k) held[k] = load((row + k * down) * cols + column);
#pragma unroll
      for (int k = 0; k < Ahead; ++k) use(held[k], (row + k * down) * cols + column, sums);
    }
    for (; row < end; row += down) use(load(row * cols + column), row * cols + column, sums);
  }
  if (!partial) return;
  for (int i = 0; i < Width; ++i) shared[thread * Width + i] = sums[i];
  __syncthreads();
  if (thread >= across * Width || first + thread >= cols) return;
  P sum{};
  for (int i = 0; i < down; ++i) sum += shared[i * across * Width + thread];
  partial[part * cols + first + thread] = sum;
}

template <int Width, class T>
__global__ void __launch_bounds__(column_threads)
    column_sums_kernel(const T* x, long rows, long cols, int across, compute_t<T>* partial) {
  using P = compute_t<T>;
  sum_down<Width, 4>(
      rows, cols, across, partial, [=](long at) { return *reinterpret_cast<const Piece<T, Width>*>(x + at); },
      [](const Piece<T, Width>& piece, long, P* sums) {
        for (int i = 0; i < Width; ++i) sums[i] += static_cast<P>(piece.value[i]);
      });
}

/// dx may be dy.
template <int Width, class T>
__global__ void __launch_bounds__(column_threads)
    gelu_gradient_kernel(const T* dy, const T* pre, T* dx, long rows, long cols, int across, compute_t<T>* partial) {
  using P = compute_t<T>;
  struct Both {
    Piece<T, Width> up, argument;
  };
  sum_down<Width, 2>(
      rows, cols, across, partial,
      [=](long at) {
        return Both{*reinterpret_cast<const Piece<T, Width>*>(dy + at),
                    *reinterpret_cast<const Piece<T, Width>*>(pre + at)};
      },
      [=](const Both& both, long at, P* sums) {
        P out[Width];
        for (int i = 0; i < Width; ++i)
          out[i] = static_cast<P>(both.up.value[i]) * gelu_slope<T>(static_cast<P>(both.argument.value[i]));
        store_piece(dx + at, out);
        for (int i = 0; i < Width; ++i) sums[i] += out[i];
      });
}

/// Whether rows of `cols` elements can be read in the widest pieces.
template <class... T>
bool allows_pieces(long cols, const T*... data) {
  return ((cols % widest_piece<T> == 0 && reinterpret_cast<std::uintptr_t>(data) % 16 == 0) && ...);
}

}  // namespace detail

/// out [cols] = (out +) scale * the sum of the rows of x [rows, cols].
template <class T, class To>
void column_sums(const T* x, long rows, long cols, double scale, To* out, bool add) {
  if (cols == 0) return;
  const bool wide = detail::allows_pieces(cols, x);
  const auto grid = detail::column_grid(rows, wide ? cols / detail::widest_piece<T> : cols);
  const Scratch<compute_t<T>> partial(grid.parts * cols);
  launch("column_sums",
         wide ? &detail::column_sums_kernel<detail::widest_piece<T>, T> : &detail::column_sums_kernel<1, T>,
         dim3(grid.groups, static_cast<unsigned>(grid.parts)), detail::column_threads, 0, x, rows, cols, grid.across,
         partial.data());
  detail::launch_join("column_sums", partial.data(), grid.parts, cols, scale, detail::Joined<To>{out, add});
}

/// dx = dy * gelu'(pre), all [rows, cols], and sums [cols] (null: not wanted) = (sums +) the sum of dx's rows.
template <class T>
void gelu_gradient(const T* dy, const T* pre, T* dx, long rows, long cols, compute_t<T>* sums, bool add) {
  using P = compute_t<T>;
  if (cols == 0) return;
  const bool wide = detail::allows_pieces(cols, dy, pre, static_cast<const T*>(dx));
  const auto grid = detail::column_grid(rows, wide ? cols / detail::widest_piece<T> : cols);
  const Scratch<P> partial(sums ? grid.parts * cols : 0);
  launch("gelu_gradient",
         wide ? &detail::gelu_gradient_kernel<detail::widest_piece<T>, T> : &detail::gelu_gradient_kernel<1, T>,
         dim3(grid.groups, static_cast<unsigned>(grid.parts)), detail::column_threads, 0, dy, pre, dx, rows, cols,
         grid.across, partial.data());
  if (sums) detail::launch_join("gelu_gradient", partial.data(), grid.parts, cols, 1.0, detail::Joined<P>{sums, add});
}

}}}  // namespace vitral::cuda
