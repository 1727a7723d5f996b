// LayerNorm over rows, forward and backward; see backend/backend.hpp for what each does.
#pragma once

#include <vitral/backend/cuda/reduce.hpp>
#include <vitral/backend/cuda/rows.hpp>
#include <vitral/backend/cuda/warp_row.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

template <class T>
__global__ void layer_norm_rows(const T* x, const compute_t<T>* gamma, const compute_t<T>* beta, T* y,
                                compute_t<T>* mean, compute_t<T>* rstd, long cols, double eps) {
  using P = compute_t<T>;
  const long at = blockIdx.x * cols;
  const P centre = sum_over<P>(cols, [=](long j) { return load(x, at + j); }) / static_cast<P>(cols);
  const P squares = sum_over<P>(cols, [=](long j) {
    const P d = load(x, at + j) - centre;
    return d * d;
  });
  const P scale = P(1) / ::sqrt(squares / static_cast<P>(cols) + static_cast<P>(eps));
  if (threadIdx.x == 0) {
    if (mean) mean[blockIdx.x] = centre;
    if (rstd) rstd[blockIdx.x] = scale;
  }
  for_cols(cols, [&](long j) {
    P value = (load(x, at + j) - centre) * scale;
    if (gamma) value *= gamma[j];
    if (beta) value += beta[j];
    y[at + j] = value;
  });
}

template <class T>
__global__ void layer_norm_rows_backward(const T* x, const compute_t<T>* gamma, const compute_t<T>* mean,
                                         const compute_t<T>* rstd, const T* dy, T* dx, bool add, long cols) {
  using P = compute_t<T>;
  const long at = blockIdx.x * cols;
  const P centre = mean[blockIdx.x], scale = rstd[blockIdx.x];
  const auto g = [=](long j) { return load(dy, at + j) * (gamma ? gamma[j] : P(1)); };
  const auto normal = [=](long j) { return (load(x, at + j) - centre) * scale; };
  const P mean_g = sum_over<P>(cols, g) / static_cast<P>(cols);
  const P mean_dot = sum_over<P>(cols, [=](long j) { return g(j) * normal(j); }) / static_cast<P>(cols);
  for_cols(cols, [&](long j) { put(dx, at + j, scale * (g(j) - mean_g - normal(j) * mean_dot), add); });
}

/// Normalises row `number`, which this warp holds. Everything is read before anything is stored: a read that follows a
/// store has to wait for it, as the store might change what it reads.
template <class P, int Quads, class T>
__device__ void normalize_row(WarpRow<P, Quads>& row, long number, const P* gamma, const P* beta, T* y, P* mean,
                              P* rstd, double eps) {
  using Row = WarpRow<P, Quads>;
  const P centre = row.sum([](P v, int, int) { return v; }) / static_cast<P>(row.cols);
  const P squares = row.sum([=](P v, int, int) { return (v - centre) * (v - centre); });
  const P scale = P(1) / ::sqrt(squares / static_cast<P>(row.cols) + static_cast<P>(eps));
  row.each([=](P& v, int, int) { v = (v - centre) * scale; });
  if (gamma) row.beside(gamma, [](P& v, P factor) { v *= factor; });
  if (beta) row.beside(beta, [](P& v, P shift) { v += shift; });
  row.store(y + number * row.cols);
  if (Row::lane() != 0) return;
  if (mean) mean[number] = centre;
  if (rstd) rstd[number] = scale;
}

/// The same as layer_norm_rows for rows that fit into a warp's registers.
template <int Quads, class T>
__global__ void layer_norm_warps(const T* x, const compute_t<T>* gamma, const compute_t<T>* beta, T* y,
                                 compute_t<T>* mean, compute_t<T>* rstd, long rows, int cols, double eps) {
  const long number = own_row();
  if (number >= rows) return;
  WarpRow<compute_t<T>, Quads> row{{}, cols};
  row.set([=](int c) { return load_run<4>(x + number * cols + c); });
  normalize_row(row, number, gamma, beta, y, mean, rstd, eps);
}

/// The same of a plan's value, which is stored to x.
template <int Quads, int R, class Plan, class T>
__global__ void layer_norm_warps_of_plan(const __grid_constant__ Space<R> space, const __grid_constant__ Plan plan,
                                         T* x, const compute_t<T>* gamma, const compute_t<T>* beta, T* y,
                                         compute_t<T>* mean, compute_t<T>* rstd, long rows, int cols, double eps) {
  using P = compute_t<T>;
  const long number = own_row();
  if (number >= rows) return;
  WarpRow<P, Quads> row{{}, cols};
  row.set([&](int c) {
    long index[R];
    index_at(space, number * cols + c, index);
    const auto exact = run_at<4>(plan, index, space.axes);
    Run<T, 4> rounded;
    for (int k = 0; k < 4; ++k) rounded.value[k] = static_cast<P>(exact.value[k]);
    return widened(rounded);
  });
  row.store(x + number * cols);
  normalize_row(row, number, gamma, beta, y, mean, rstd, eps);
}

constexpr int norm_warps = 8;  // of a block that walks rows

/// Each warp takes some of the rows, reads each once, writes dx and sums its share of dgamma and dbeta in registers. A
/// block's warps add their shares in order to partial [2, parts, cols], a part for each block. dx or partial may be
/// null.
template <int Quads, class T>
__global__ void __launch_bounds__(32 * norm_warps, sizeof(compute_t<T>) == 4 && Quads <= 6 ? 2 : 1)
    layer_norm_warps_backward(const T* x, const compute_t<T>* gamma, const compute_t<T>* mean, const compute_t<T>* rstd,
                              const T* dy, T* dx, bool add, int rows, int cols, compute_t<T>* partial) {
  using P = compute_t<T>;
  using Row = WarpRow<P, Quads>;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  Row gamma_sum{{}, cols}, beta_sum{{}, cols};
  const int step = static_cast<int>(gridDim.x) * norm_warps;
  for (int number = static_cast<int>(blockIdx.x) * norm_warps + warp; number < rows; number += step) {
    const long at = static_cast<long>(number) * cols;
    const P centre = mean[number], factor = rstd[number];
    Row up{{}, cols}, normal{{}, cols};
    up.set([=](int c) { return load_run<4>(dy + at + c); });
    normal.set([=](int c) { return load_run<4>(x + at + c); });
    normal.each([=](P& v, int, int) { v = (v - centre) * factor; });
    gamma_sum.each([&](P& sum, int i, int k) { sum += up.value[i][k] * normal.value[i][k]; });
    beta_sum.each([&](P& sum, int i, int k) { sum += up.value[i][k]; });
    if (!dx) continue;
    if (gamma) up.beside(gamma, [](P& v, P scale) { v *= scale; });
    const P mean_g = up.sum([](P v, int, int) { return v; }) / static_cast<P>(cols);
    const P mean_dot = up.sum([&](P v, int i, int k) { return v * normal.value[i][k]; }) / static_cast<P>(cols);
    up.each([&](P& v, int i, int k) { v = factor * (v - mean_g - normal.value[i][k] * mean_dot); });
    if (add) up.beside(dx + at, [](P& v, P before) { v += before; });
    up.store(dx + at);
  }
  if (!partial) return;
  __shared__ P sums[2][1024];
  const auto take_turn = [&](Row& own, P* before, P* whole, int turn) {
    if (turn > 0) own.beside(before, [](P& v, P sum) { v += sum; });
    own.store(turn + 1 < norm_warps ? before : whole);
  };
  for (int turn = 0; turn < norm_warps; ++turn) {
    if (warp == turn) {
      take_turn(gamma_sum, sums[0], partial + static_cast<long>(blockIdx.x) * cols, turn);
      take_turn(beta_sum, sums[1], partial + static_cast<long>(gridDim.x + blockIdx.x) * cols, turn);
    }
    __syncthreads();
  }
}

/// partial [2, parts, cols] = each part's shares of dgamma and dbeta, for rows of any width.
template <class T>
__global__ void layer_norm_columns(const T* x, const compute_t<T>* mean, const compute_t<T>* rstd, const T* dy,
                                   long rows, long cols, compute_t<T>* partial) {
  using P = compute_t<T>;
  const long column = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x, part = blockIdx.y, parts = gridDim.y;
  if (column >= cols) return;
  P gamma_sum{}, beta_sum{};
  for (long i = rows * part / parts; i < rows * (part + 1) / parts; ++i) {
    const P up = load(dy, i * cols + column);
    gamma_sum += up * ((load(x, i * cols + column) - mean[i]) * rstd[i]);
    beta_sum += up;
  }
  partial[part * cols + column] = gamma_sum;
  partial[(parts + part) * cols + column] = beta_sum;
}

/// Blocks of layer_norm_warps_backward, by the shape alone: with narrow rows more warps are needed to keep memory busy.
inline int walking_blocks(long rows, long cols) {
  const long most = 132 * (cols <= 256 ? 4 : 2);
  return static_cast<int>(std::min(most, (rows + norm_warps - 1) / norm_warps));
}

}  // namespace detail

template <class T>
void layer_norm_forward(const T* x, const compute_t<T>* gamma, const compute_t<T>* beta, T* y, compute_t<T>* mean,
                        compute_t<T>* rstd, long rows, long cols, double eps) {
  if (!suits_warp_rows(cols, x, y))
    return detail::launch_rows("layer_norm", &detail::layer_norm_rows<T>, rows, cols, x, gamma, beta, y, mean, rstd,
                               cols, eps);
  with_quads(cols, [&](auto quads) {
    launch_warp_rows("layer_norm", &detail::layer_norm_warps<quads(), T>, rows, x, gamma, beta, y, mean, rstd, rows,
                     static_cast<int>(cols), eps);
  });
}

/// x = plan, and layer_norm_forward of it, in one pass where rows fit into a warp's registers.
template <int R, class Plan, class T>
void layer_norm_of_plan(const Space<R>& space, const Plan& plan, T* x, const compute_t<T>* gamma,
                        const compute_t<T>* beta, T* y, compute_t<T>* mean, compute_t<T>* rstd, long rows, long cols,
                        double eps) {
  if (!suits_warp_rows(cols, static_cast<const T*>(x), static_cast<const T*>(y)) || space.size == 0 ||
      space.extent[space.axes - 1] % 4 != 0 || !allows_runs<4>(plan, space.axes)) {
    evaluate(space, pack(x), pack(plan));
    return layer_norm_forward<T>(x, gamma, beta, y, mean, rstd, rows, cols, eps);
  }
  with_quads(cols, [&](auto quads) {
    launch_warp_rows("layer_norm", &detail::layer_norm_warps_of_plan<quads(), R, Plan, T>, rows, space, plan, x, gamma,
                     beta, y, mean, rstd, rows, static_cast<int>(cols), eps);
  });
}

template <class T>
void layer_norm_backward(const T* x, const compute_t<T>* gamma, const compute_t<T>* mean, const compute_t<T>* rstd,
                         const T* dy, T* dx, bool add_dx, compute_t<T>* dgamma, bool add_dgamma, compute_t<T>* dbeta,
                         bool add_dbeta, long rows, long cols) {
  using P = compute_t<T>;
  const bool sums = dgamma || dbeta;
  const auto join = [&](const Scratch<P>& partial, int parts) {
    if (sums)
      detail::launch_join("layer_norm backward", partial.data(), parts, cols, 1.0,
                          detail::Joined<P>{dgamma, add_dgamma}, detail::Joined<P>{dbeta, add_dbeta});
  };
  if (suits_warp_rows(cols, x, static_cast<const T*>(dx), dy) && (sizeof(P) == 4 || cols <= 384) && rows > 0) {
    const int parts = detail::walking_blocks(rows, cols);
    const Scratch<P> partial(sums ? 2L * parts * cols : 0);
    with_quads(cols, [&](auto quads) {
      if constexpr (sizeof(P) == 4 || quads() <= 3)
        launch("layer_norm backward", &detail::layer_norm_warps_backward<quads(), T>, static_cast<unsigned>(parts),
               32 * detail::norm_warps, 0, x, gamma, mean, rstd, dy, dx, add_dx, static_cast<int>(rows),
               static_cast<int>(cols), partial.data());
    });
    return join(partial, parts);
  }
  if (sums) {  // before dx, which may take dy's place
    const int parts = detail::parts_of(cols, rows);
    const Scratch<P> partial(2L * parts * cols);
    launch("layer_norm backward", &detail::layer_norm_columns<T>, dim3(blocks_for(cols), static_cast<unsigned>(parts)),
           block_threads, 0, x, mean, rstd, dy, rows, cols, partial.data());
    join(partial, parts);
  }
  if (dx)
    detail::launch_rows("layer_norm backward", &detail::layer_norm_rows_backward<T>, rows, cols, x, gamma, mean, rstd,
                        dy, dx, add_dx, cols);
}

}}}  // namespace vitral::cuda
