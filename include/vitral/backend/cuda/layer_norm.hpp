// LayerNorm over rows, forward and backward; see backend/backend.hpp for what each does.
#pragma once

#include <vitral/backend/cuda/reduce.hpp>
#include <vitral/backend/cuda/rows.hpp>
#include <vitral/backend/cuda/warp_row.hpp>

namespace vitral::inline VITRAL_ABI::cuda {

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

/// Normalises row `number`, which this warp holds.
template <class P, int Quads, class T>
__device__ void normalize_row(const WarpRow<P, Quads>& row, long number, const P* gamma, const P* beta, T* y, P* mean,
                              P* rstd, double eps) {
  using Row = WarpRow<P, Quads>;
  const P centre = row.sum([](P v, int, int) { return v; }) / static_cast<P>(row.cols);
  const P squares = row.sum([=](P v, int, int) { return (v - centre) * (v - centre); });
  const P scale = P(1) / ::sqrt(squares / static_cast<P>(row.cols) + static_cast<P>(eps));
  if (Row::lane() == 0) {
    if (mean) mean[number] = centre;
    if (rstd) rstd[number] = scale;
  }
  row.store(y + number * row.cols, false, [=](P v, int i, int k) {
    const int c = Row::column(i) + k;
    P value = (v - centre) * scale;
    if (gamma) value *= gamma[c];
    if (beta) value += beta[c];
    return value;
  });
}

/// The same as layer_norm_rows for rows that fit into a warp's registers.
template <int Quads, class T>
__global__ void layer_norm_warps(const T* x, const compute_t<T>* gamma, const compute_t<T>* beta, T* y,
                                 compute_t<T>* mean, compute_t<T>* rstd, long rows, int cols, double eps) {
  const long number = own_row();
  if (number >= rows) return;
  WarpRow<compute_t<T>, Quads> row{{}, cols};
  row.set([=](int c) { return load_quad(x + number * cols + c); });
  normalize_row(row, number, gamma, beta, y, mean, rstd, eps);
}

/// The same of a plan's value, which is stored to x.
template <int Quads, int R, class Plan, class T>
__global__ void layer_norm_warps_of_plan(Space<R> space, Plan plan, T* x, const compute_t<T>* gamma,
                                         const compute_t<T>* beta, T* y, compute_t<T>* mean, compute_t<T>* rstd,
                                         long rows, int cols, double eps) {
  using P = compute_t<T>;
  const long number = own_row();
  if (number >= rows) return;
  WarpRow<P, Quads> row{{}, cols};
  row.set([=](int c) {
    const long at = number * cols + c;
    long index[R];
    index_at(space, at, index);
    store_quad(x + at, quad_at(plan, index, space.axes));
    return load_quad(x + at);  // as it was rounded
  });
  normalize_row(row, number, gamma, beta, y, mean, rstd, eps);
}

template <int Quads, class T>
__global__ void layer_norm_warps_backward(const T* x, const compute_t<T>* gamma, const compute_t<T>* mean,
                                          const compute_t<T>* rstd, const T* dy, T* dx, bool add, long rows, int cols) {
  using P = compute_t<T>;
  using Row = WarpRow<P, Quads>;
  const long number = own_row(), at = number * cols;
  if (number >= rows) return;
  const P centre = mean[number], scale = rstd[number];
  Row g{{}, cols}, normal{{}, cols};
  g.set([=](int c) {
    Quad<P> up = load_quad(dy + at + c);
    if (gamma)
      for (int k = 0; k < 4; ++k) up.value[k] *= gamma[c + k];
    return up;
  });
  normal.set([=](int c) {
    Quad<P> v = load_quad(x + at + c);
    for (int k = 0; k < 4; ++k) v.value[k] = (v.value[k] - centre) * scale;
    return v;
  });
  const P mean_g = g.sum([](P v, int, int) { return v; }) / static_cast<P>(cols);
  const P mean_dot = g.sum([&](P v, int i, int k) { return v * normal.value[i][k]; }) / static_cast<P>(cols);
  g.store(dx + at, add, [&](P v, int i, int k) { return scale * (v - mean_g - normal.value[i][k] * mean_dot); });
}

/// partial [2, parts, cols]: the shares of dgamma and dbeta that a part of the rows has.
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
      space.extent[space.axes - 1] % 4 != 0 || !allows_quads(plan, space.axes)) {
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
  if (dgamma || dbeta) {  // before dx, which may take dy's place
    const int parts = detail::parts_of(cols, rows);
    const Scratch<P> partial(2L * parts * cols);
    const auto blocks = blocks_for(cols);
    launch("layer_norm backward", &detail::layer_norm_columns<T>, dim3(blocks, static_cast<unsigned>(parts)),
           block_threads, 0, x, mean, rstd, dy, rows, cols, partial.data());
    const auto join = [&](const P* from, P* to, bool add) {
      if (to) detail::launch_join("layer_norm backward", from, parts, cols, 1.0, add, to);
    };
    join(partial.data(), dgamma, add_dgamma);
    join(partial.data() + static_cast<long>(parts) * cols, dbeta, add_dbeta);
  }
  if (!dx) return;
  if (!suits_warp_rows(cols, x, static_cast<const T*>(dx), dy))
    return detail::launch_rows("layer_norm backward", &detail::layer_norm_rows_backward<T>, rows, cols, x, gamma, mean,
                               rstd, dy, dx, add_dx, cols);
  with_quads(cols, [&](auto quads) {
    launch_warp_rows("layer_norm backward", &detail::layer_norm_warps_backward<quads(), T>, rows, x, gamma, mean, rstd,
                     dy, dx, add_dx, rows, static_cast<int>(cols));
  });
}

}  // namespace vitral::inline VITRAL_ABI::cuda
