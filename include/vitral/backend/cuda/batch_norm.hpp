// BatchNorm over columns, all views in one launch: each element is read once into registers where the rows allow it;
// see backend/backend.hpp.
#pragma once

#include <vitral/backend/cuda/launch.hpp>
#include <vitral/backend/cuda/quads.hpp>
#include <vitral/backend/cuda/rows.hpp>

#include <algorithm>
#include <climits>
#include <cmath>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

/// A block normalises some columns, one view or two at a time. Thread (x, y, z) has Width columns, every blockDim.y-th
/// row and one of the views; a warp is within one view.
constexpr int norm_views = 2, norm_threads = 512;

/// f(i, offset) for each row of this thread, `offset` elements after its first row; i counts the rows held in
/// registers.
template <int Held, class F>
__device__ void for_own_rows(long rows, long cols, F f) {
  if constexpr (Held > 0) {
    const int count = static_cast<int>(rows), width = static_cast<int>(cols);
#pragma unroll
    for (int i = 0; i < Held; ++i) {
      const int row = static_cast<int>(threadIdx.y) + i * static_cast<int>(blockDim.y);
      if (row < count) f(i, row * width);
    }
  } else {
    for (long row = threadIdx.y; row < rows; row += blockDim.y) f(0, row * cols);
  }
}

/// This thread's elements of x: `Held` rows in registers, or, where that is 0, read at each use. An element counts as
/// zero where `gate`, a matrix of the same shape or null, is not above zero.
template <class T, int Width, int Held>
struct OwnElements {
  const T *x, *gate;
  Run<T, Width> held[Held > 0 ? Held : 1]{};

  __device__ OwnElements(const T* x, const T* gate, long rows, long cols) : x(x), gate(gate) {
    if constexpr (Held > 0) {
      for_own_rows<Held>(rows, cols, [&](int i, long offset) {
        held[i] = read_words(reinterpret_cast<const Run<T, Width>*>(x + offset));
      });
      if (gate) for_own_rows<Held>(rows, cols, [&](int i, long offset) { pass_gate(held[i], offset); });
    }
  }
  __device__ Run<compute_t<T>, Width> at(int i, long offset) const {
    if constexpr (Held > 0) {
      return widened(held[i]);
    } else {
      auto out = load_run<Width>(x + offset);
      if (gate) pass_gate(out, offset);
      return out;
    }
  }

 private:
  template <class C>
  __device__ void pass_gate(Run<C, Width>& run, long offset) const {
    const auto open = load_run<Width>(gate + offset);
    for (int k = 0; k < Width; ++k)
      if (open.value[k] <= compute_t<T>(0)) run.value[k] = compute_t<T>(0);
  }
};

/// Sums of `Count` numbers for each view and column of a block.
template <int Count, int Columns>
struct ColumnSums {
  double value[Count][norm_views][Columns];
};
/// The sums over the lanes of each view, in shared memory until the next call. All threads of the block take part.
template <int Columns, int Width, int Count, class S>
__device__ const ColumnSums<Count, Columns>& sum_lanes(const S (&own)[Count][Width]) {
  constexpr int across = Columns / Width;
  __shared__ double partial[Count][norm_threads / 32][Columns];
  __shared__ ColumnSums<Count, Columns> sums;
  const int thread = static_cast<int>((threadIdx.z * blockDim.y + threadIdx.y) * across + threadIdx.x);
  const int warps = static_cast<int>(blockDim.y) * across / 32;  // of a view
  for (int n = 0; n < Count; ++n)
    for (int k = 0; k < Width; ++k) {
      S sum = own[n][k];
      for (int distance = across; distance < 32; distance *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
      if (thread % 32 < across) partial[n][thread / 32][thread % 32 * Width + k] = static_cast<double>(sum);
    }
  __syncthreads();
  const int threads = static_cast<int>(blockDim.z * blockDim.y) * across;
  for (int i = thread; i < Count * static_cast<int>(blockDim.z) * Columns; i += threads) {
    const int column = i % Columns, view = i / Columns % static_cast<int>(blockDim.z);
    const int n = i / Columns / static_cast<int>(blockDim.z);
    double sum = 0;
    for (int warp = 0; warp < warps; ++warp) sum += partial[n][view * warps + warp][column];
    sums.value[n][view][column] = sum;
  }
  __syncthreads();
  return sums;
}

/// How running statistics follow the batch: keep = 1 - momentum, keep_all = keep to the power of the number of views.
struct Following {
  double momentum, keep, keep_all;
  int passes;

  template <class P>
  __device__ void apply(P& running, double added) const {
    double value = static_cast<double>(running);
    for (int pass = 0; pass < passes; ++pass) value = keep_all * value + added;
    running = static_cast<P>(value);
  }
};

template <int Width, int Held, int Columns, class T>
__global__ void __launch_bounds__(norm_threads)
    batch_norm_columns(const T* x, const compute_t<T>* gamma, const compute_t<T>* beta, T* y, compute_t<T>* mean,
                       compute_t<T>* rstd, compute_t<T>* running_mean, compute_t<T>* running_var, Following follow,
                       double eps, bool relu, int views, long rows, long cols) {
  using P = compute_t<T>;
  using S = std::conditional_t<(Held > 0), P, double>;  // of the few rows that are held P is enough
  __shared__ double moments[2][norm_views][Columns];
  const int column = static_cast<int>(threadIdx.x) * Width, slot = static_cast<int>(threadIdx.z);
  const long c = static_cast<long>(blockIdx.x) * Columns + column;
  const double count = static_cast<double>(rows);
  double mean_added[Width]{}, var_added[Width]{};  // what one pass over the views adds to the running statistics
  for (int first = 0; first < views; first += static_cast<int>(blockDim.z)) {
    const int view = first + slot;
    const long own = c < cols && view < views ? rows : 0, at = view * rows * cols + c;
    const OwnElements<T, Width, Held> in(x + at, nullptr, own, cols);
    S sum[1][Width]{};
    for_own_rows<Held>(own, cols, [&](int i, long offset) {
      const auto v = in.at(i, offset);
      for (int k = 0; k < Width; ++k) sum[0][k] += static_cast<S>(v.value[k]);
    });
    const auto& first_sums = sum_lanes<Columns>(sum);
    // Deviations are taken from the mean as P rounds it; their own mean then corrects for the rounding.
    P centre[Width], factor[Width];
    for (int k = 0; k < Width; ++k) centre[k] = static_cast<P>(first_sums.value[0][slot][column + k] / count);
    S deviations[2][Width]{};
    for_own_rows<Held>(own, cols, [&](int i, long offset) {
      const auto v = in.at(i, offset);
      for (int k = 0; k < Width; ++k) {
        const S d = static_cast<S>(v.value[k]) - static_cast<S>(centre[k]);
        deviations[0][k] += d;
        deviations[1][k] += d * d;
      }
    });
    const auto& sums = sum_lanes<Columns>(deviations);
    for (int k = 0; k < Width; ++k) {
      const double rest = sums.value[0][slot][column + k] / count;
      const double whole = static_cast<double>(centre[k]) + rest;
      const double var = sums.value[1][slot][column + k] / count - rest * rest;
      centre[k] = static_cast<P>(whole);
      factor[k] = static_cast<P>(1.0 / ::sqrt(var + eps));
      if (threadIdx.y != 0) continue;
      moments[0][slot][column + k] = whole;
      moments[1][slot][column + k] = var * count / (count - 1.0);
      if (own == 0) continue;
      mean[view * cols + c + k] = centre[k];
      rstd[view * cols + c + k] = factor[k];
    }
    if (running_mean || running_var) {
      __syncthreads();
      if (threadIdx.y == 0 && slot == 0)
        for (int of = 0; of < static_cast<int>(blockDim.z) && first + of < views; ++of)
          for (int k = 0; k < Width; ++k) {
            mean_added[k] = follow.keep * mean_added[k] + follow.momentum * moments[0][of][column + k];
            var_added[k] = follow.keep * var_added[k] + follow.momentum * moments[1][of][column + k];
          }
    }
    if (own == 0) continue;
    P scale[Width], shift[Width];
    for (int k = 0; k < Width; ++k) {
      scale[k] = gamma ? factor[k] * gamma[c + k] : factor[k];
      shift[k] = beta ? beta[c + k] : P(0);
    }
    for_own_rows<Held>(own, cols, [&](int i, long offset) {
      const auto v = in.at(i, offset);
      Run<P, Width> out;
      for (int k = 0; k < Width; ++k) {
        const P value = (v.value[k] - centre[k]) * scale[k] + shift[k];
        out.value[k] = relu && value < P(0) ? P(0) : value;
      }
      store_run(y + at + offset, out);
    });
  }
  if (threadIdx.y != 0 || slot != 0 || c >= cols) return;
  for (int k = 0; k < Width; ++k) {
    if (running_mean) follow.apply(running_mean[c + k], mean_added[k]);
    if (running_var) follow.apply(running_var[c + k], var_added[k]);
  }
}

template <int Width, int Held, int Columns, class T>
__global__ void __launch_bounds__(norm_threads)
    batch_norm_columns_backward(const T* x, const compute_t<T>* gamma, const compute_t<T>* mean,
                                const compute_t<T>* rstd, const T* dy, T* dx, bool add_dx, compute_t<T>* dgamma,
                                bool add_dgamma, compute_t<T>* dbeta, bool add_dbeta, const T* active, int views,
                                long rows, long cols) {
  using P = compute_t<T>;
  using S = std::conditional_t<(Held > 0), P, double>;
  const int column = static_cast<int>(threadIdx.x) * Width, slot = static_cast<int>(threadIdx.z);
  const long c = static_cast<long>(blockIdx.x) * Columns + column;
  for (int first = 0; first < views; first += static_cast<int>(blockDim.z)) {
    const int view = first + slot;
    const long own = c < cols && view < views ? rows : 0, at = view * rows * cols + c;
    const OwnElements<T, Width, Held> in(x + at, nullptr, own, cols);
    const OwnElements<T, Width, Held> up(dy + at, active ? active + at : nullptr, own, cols);
    P centre[Width]{}, factor[Width]{};
    for (int k = 0; k < Width && own > 0; ++k) {
      centre[k] = mean[view * cols + c + k];
      factor[k] = rstd[view * cols + c + k];
    }
    S sum[2][Width]{};
    for_own_rows<Held>(own, cols, [&](int i, long offset) {
      const auto v = in.at(i, offset), g = up.at(i, offset);
      for (int k = 0; k < Width; ++k) {
        sum[0][k] += static_cast<S>(g.value[k]);
        sum[1][k] += static_cast<S>(g.value[k] * ((v.value[k] - centre[k]) * factor[k]));
      }
    });
    const auto& sums = sum_lanes<Columns>(sum);
    if (threadIdx.y == 0 && slot == 0 && c < cols)  // in the order of the views
      for (int k = 0; k < Width; ++k) {
        double whole[2]{};
        for (int of = 0; of < static_cast<int>(blockDim.z); ++of)
          for (int n = 0; n < 2; ++n) whole[n] += sums.value[n][of][column + k];
        if (dbeta) put(dbeta, c + k, static_cast<P>(whole[0]), add_dbeta || first > 0);
        if (dgamma) put(dgamma, c + k, static_cast<P>(whole[1]), add_dgamma || first > 0);
      }
    if (!dx || own == 0) continue;
    P scale[Width], mean_g[Width], slope[Width];
    for (int k = 0; k < Width; ++k) {
      scale[k] = gamma ? factor[k] * gamma[c + k] : factor[k];
      mean_g[k] = static_cast<P>(sums.value[0][slot][column + k] / static_cast<double>(rows));
      slope[k] = factor[k] * static_cast<P>(sums.value[1][slot][column + k] / static_cast<double>(rows));
    }
    for_own_rows<Held>(own, cols, [&](int i, long offset) {
      const auto v = in.at(i, offset), g = up.at(i, offset);
      T* const to = dx + at + offset;
      Run<P, Width> out;
      for (int k = 0; k < Width; ++k)
        out.value[k] = scale[k] * (g.value[k] - mean_g[k] - (v.value[k] - centre[k]) * slope[k]);
      if (add_dx) {
        const auto before = load_run<Width>(to);
        for (int k = 0; k < Width; ++k) out.value[k] += before.value[k];
      }
      store_run(to, out);
    });
  }
}

/// The width of a thread's reads, the rows that it holds in registers, and the columns of a block.
template <int width_, int held_, int columns_>
struct NormShape {
  static constexpr int width = width_, held = held_, columns = columns_;
};

/// Calls f(shape, threads of a block) for `views` views of `rows` rows; `pairs`: addresses allow reads of two elements.
template <class T, class F>
void with_norm_shape(long rows, long cols, int views, bool pairs, F&& f) {
  constexpr int held = sizeof(T) <= 4 ? 8 : 4;
  const auto block = [&](int across, int at_once) {
    int lanes = 32;
    while (lanes < norm_threads / across / at_once && lanes * held / 2 < rows) lanes *= 2;
    return dim3(static_cast<unsigned>(across), static_cast<unsigned>(lanes), static_cast<unsigned>(at_once));
  };
  const int at_once = std::min(views, norm_views);
  const auto holds = [&](const dim3& threads) {
    return pairs && cols % 2 == 0 && rows <= held * static_cast<long>(threads.y) && rows * cols <= INT_MAX;
  };
  if (const dim3 threads = block(8, at_once); holds(threads)) return f(NormShape<2, held, 16>{}, threads);
  if (const dim3 threads = block(4, 1); holds(threads)) return f(NormShape<2, held, 8>{}, threads);
  f(NormShape<1, 0, 16>{}, block(16, 1));
}

}  // namespace detail

template <class T>
void batch_norm_forward(const T* x, const compute_t<T>* gamma, const compute_t<T>* beta, T* y, compute_t<T>* mean,
                        compute_t<T>* rstd, compute_t<T>* running_mean, compute_t<T>* running_var, double momentum,
                        double eps, long all_rows, long cols, int views = 1, int passes = 1, bool relu = false) {
  const long rows = all_rows / views;
  check(rows >= 2, "batch_norm: training needs 2 or more rows to normalise over, not ", rows,
        "; use a larger batch or evaluation mode");
  const detail::Following follow{momentum, 1 - momentum, std::pow(1 - momentum, views), passes};
  const bool pairs = allows_runs<2>(x) && allows_runs<2>(y);
  detail::with_norm_shape<T>(rows, cols, views, pairs, [&](auto shape, dim3 threads) {
    launch("batch_norm", &detail::batch_norm_columns<shape.width, shape.held, shape.columns, T>,
           blocks_for(cols, shape.columns), threads, 0, x, gamma, beta, y, mean, rstd, running_mean, running_var,
           follow, eps, relu, views, rows, cols);
  });
}

template <class T>
void batch_norm_backward(const T* x, const compute_t<T>* gamma, const compute_t<T>* mean, const compute_t<T>* rstd,
                         const T* dy, T* dx, bool add_dx, compute_t<T>* dgamma, bool add_dgamma, compute_t<T>* dbeta,
                         bool add_dbeta, long all_rows, long cols, int views = 1,
                         const std::type_identity_t<T>* active = nullptr) {
  const long rows = all_rows / views;
  const bool pairs = allows_runs<2>(x) && allows_runs<2>(dy) && allows_runs<2>(dx) && allows_runs<2>(active);
  detail::with_norm_shape<T>(rows, cols, views, pairs, [&](auto shape, dim3 threads) {
    launch("batch_norm backward", &detail::batch_norm_columns_backward<shape.width, shape.held, shape.columns, T>,
           blocks_for(cols, shape.columns), threads, 0, x, gamma, mean, rstd, dy, dx, add_dx, dgamma, add_dgamma, dbeta,
           add_dbeta, active, views, rows, cols);
  });
}

}}}  // namespace vitral::cuda
