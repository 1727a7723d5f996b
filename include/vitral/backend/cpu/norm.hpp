// LayerNorm over rows (Ba et al., arXiv 1607.06450), BatchNorm over columns (Ioffe and Szegedy, arXiv 1502.03167),
// forward and backward, on dense row-major matrices of T; statistics and parameters are compute_t<T>.
#pragma once

#include <vitral/backend/cpu/threads.hpp>
#include <vitral/backend/cpu/work_memory.hpp>
#include <vitral/core/bf16.hpp>
#include <vitral/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

/// Rows that one task works on, decided by their number alone.
inline long rows_per_task(long rows) { return std::max(8l, (rows + 63) / 64); }

/// Runs task(first, last, number) over blocks of rows; returns their number.
template <class F>
long for_row_blocks(long rows, F&& task) {
  const long step = rows_per_task(rows), blocks = (rows + step - 1) / step;
  parallel_for(blocks, [&](long i) { task(i * step, std::min(rows, (i + 1) * step), i); });
  return blocks;
}

/// Runs task(first, last) over blocks of at most 64 columns.
inline constexpr long column_block = 64;
template <class F>
void for_column_blocks(long cols, F&& task) {
  parallel_for((cols + column_block - 1) / column_block,
               [&](long i) { task(i * column_block, std::min(cols, (i + 1) * column_block)); });
}

}  // namespace detail

/// Mean and reciprocal deviation of one row, from its biased variance.
template <class T>
void row_statistics(const T* x, long cols, double eps, compute_t<T>& mean, compute_t<T>& rstd) {
  using P = compute_t<T>;
  P sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (long j = 0; j < cols; ++j) sum += static_cast<P>(x[j]);
  const P centre = sum / static_cast<P>(cols);
#pragma omp simd reduction(+ : squares)
  for (long j = 0; j < cols; ++j) {
    const P d = static_cast<P>(x[j]) - centre;
    squares += d * d;
  }
  mean = centre;
  rstd = P(1) / std::sqrt(squares / static_cast<P>(cols) + static_cast<P>(eps));
}

/// y = (x - mean) rstd gamma + beta for one row; gamma and beta may be null. y may be x.
template <class T>
void normalize_row(const T* x, const compute_t<T>* gamma, const compute_t<T>* beta, compute_t<T> mean,
                   compute_t<T> rstd, T* y, long cols) {
  using P = compute_t<T>;
#pragma omp simd
  for (long j = 0; j < cols; ++j) {
    P value = (static_cast<P>(x[j]) - mean) * rstd;
    if (gamma) value *= gamma[j];
    if (beta) value += beta[j];
    y[j] = value;
  }
}

/// The gradients of one row's LayerNorm: dgamma and dbeta (null: not wanted) are added to, dx (null: not wanted)
/// becomes `beside` (null: zero) + the gradient of x. dx may be dy or beside.
template <class T>
void layer_norm_row_backward(const T* x, const compute_t<T>* gamma, compute_t<T> mean, compute_t<T> rstd, const T* dy,
                             const T* beside, T* dx, compute_t<T>* dgamma, compute_t<T>* dbeta, long cols) {
  using P = compute_t<T>;
  P sum = 0, dot = 0;
  if (dgamma) {
#pragma omp simd reduction(+ : sum, dot)
    for (long j = 0; j < cols; ++j) {
      const P up = static_cast<P>(dy[j]), normal = (static_cast<P>(x[j]) - mean) * rstd;
      const P g = up * (gamma ? gamma[j] : P(1));
      dgamma[j] += up * normal;
      dbeta[j] += up;
      sum += g;
      dot += g * normal;
    }
  } else {
#pragma omp simd reduction(+ : sum, dot)
    for (long j = 0; j < cols; ++j) {
      const P g = static_cast<P>(dy[j]) * (gamma ? gamma[j] : P(1));
      sum += g;
      dot += g * ((static_cast<P>(x[j]) - mean) * rstd);
    }
  }
  if (!dx) return;
  sum /= static_cast<P>(cols);
  dot /= static_cast<P>(cols);
#pragma omp simd
  for (long j = 0; j < cols; ++j) {
    const P g = static_cast<P>(dy[j]) * (gamma ? gamma[j] : P(1));
    P value = rstd * (g - sum - (static_cast<P>(x[j]) - mean) * rstd * dot);
    if (beside) value += static_cast<P>(beside[j]);
    dx[j] = value;
  }
}

/// y = (x - mean) rstd gamma + beta for each row, with the biased variance. gamma, beta [cols] may be null (1 and 0);
/// mean and rstd [rows] receive the statistics unless null. y may be x.
template <class T>
void layer_norm_forward(const T* x, const compute_t<T>* gamma, const compute_t<T>* beta, T* y, compute_t<T>* mean,
                        compute_t<T>* rstd, long rows, long cols, double eps) {
  detail::for_row_blocks(rows, [&](long first, long last, long) {
    for (long i = first; i < last; ++i) {
      compute_t<T> centre, scale;
      row_statistics(x + i * cols, cols, eps, centre, scale);
      normalize_row(x + i * cols, gamma, beta, centre, scale, y + i * cols, cols);
      if (mean) mean[i] = centre;
      if (rstd) rstd[i] = scale;
    }
  });
}

/// Gradients of layer_norm_forward from its input, statistics and dy. dx, dgamma and dbeta may be null;
/// each is overwritten, or added to where its flag says so. dx may be dy.
template <class T>
void layer_norm_backward(const T* x, const compute_t<T>* gamma, const compute_t<T>* mean, const compute_t<T>* rstd,
                         const T* dy, T* dx, bool add_dx, compute_t<T>* dgamma, bool add_dgamma, compute_t<T>* dbeta,
                         bool add_dbeta, long rows, long cols) {
  using P = compute_t<T>;
  const long step = detail::rows_per_task(rows), parts = (rows + step - 1) / step;
  static thread_local WorkMemory buffer;
  P* const partial = dgamma || dbeta ? buffer.reserve<P>(2 * parts * cols) : nullptr;  // [parts, 2, cols]
  detail::for_row_blocks(rows, [&](long first, long last, long part) {
    P* const part_gamma = partial ? partial + 2 * part * cols : nullptr;
    P* const part_beta = partial ? part_gamma + cols : nullptr;
    if (partial) std::fill(part_gamma, part_gamma + 2 * cols, P(0));
    for (long i = first; i < last; ++i) {
      T* const to = dx ? dx + i * cols : nullptr;
      layer_norm_row_backward(x + i * cols, gamma, mean[i], rstd[i], dy + i * cols, add_dx ? to : nullptr, to,
                              part_gamma, part_beta, cols);
    }
  });
  if (!partial) return;
  detail::for_column_blocks(cols, [&](long first, long last) {
    for (long j = first; j < last; ++j) {
      P gamma_sum = dgamma && add_dgamma ? dgamma[j] : P(0), beta_sum = dbeta && add_dbeta ? dbeta[j] : P(0);
      for (long part = 0; part < parts; ++part) {
        gamma_sum += partial[2 * part * cols + j];
        beta_sum += partial[(2 * part + 1) * cols + j];
      }
      if (dgamma) dgamma[j] = gamma_sum;
      if (dbeta) dbeta[j] = beta_sum;
    }
  });
}

/// BatchNorm in training mode: y = (x - mean) rstd gamma + beta for each column of each of `views` equal blocks of
/// rows, by the biased variance, then a ReLU where `relu`. gamma and beta may be null (1 and 0); mean and rstd [views,
/// cols] are for the backward pass. The running statistics (null: not kept) become (1 - momentum) running + momentum
/// batch, the variance unbiased, as in PyTorch: for each view in turn, and all of that `passes` times. Throws Error
/// where a view has fewer than 2 rows.
template <class T>
void batch_norm_forward(const T* x, const compute_t<T>* gamma, const compute_t<T>* beta, T* y, compute_t<T>* mean,
                        compute_t<T>* rstd, compute_t<T>* running_mean, compute_t<T>* running_var, double momentum,
                        double eps, long all_rows, long cols, int views = 1, int passes = 1, bool relu = false) {
  using P = compute_t<T>;
  const long rows = all_rows / views;
  check(rows >= 2, "batch_norm: training needs 2 or more rows to normalise over, not ", rows,
        "; use a larger batch or evaluation mode");
  const double count = static_cast<double>(rows), keep = 1 - momentum, keep_all = std::pow(keep, views);
  detail::for_column_blocks(cols, [&](long first, long last) {
    const long width = last - first;
    double mean_added[detail::column_block] = {}, var_added[detail::column_block] = {};  // by one pass over the views
    for (long view = 0; view < views; ++view) {
      double sum[detail::column_block] = {}, squares[detail::column_block] = {};
      P centre[detail::column_block], scale[detail::column_block], shift[detail::column_block];
      const long begin = view * rows * cols + first;
      for (long i = 0; i < rows; ++i) {
        const T* const from = x + begin + i * cols;
#pragma omp simd
        for (long j = 0; j < width; ++j) sum[j] += static_cast<double>(static_cast<P>(from[j]));
      }
      for (long j = 0; j < width; ++j) sum[j] /= count;
      for (long i = 0; i < rows; ++i) {
        const T* const from = x + begin + i * cols;
#pragma omp simd
        for (long j = 0; j < width; ++j) {
          const double d = static_cast<double>(static_cast<P>(from[j])) - sum[j];
          squares[j] += d * d;
        }
      }
      for (long j = 0; j < width; ++j) {
        const long c = first + j;
        const P factor = static_cast<P>(1.0 / std::sqrt(squares[j] / count + eps));
        centre[j] = static_cast<P>(sum[j]);
        scale[j] = gamma ? factor * gamma[c] : factor;
        shift[j] = beta ? beta[c] : P(0);
        mean[view * cols + c] = centre[j];
        rstd[view * cols + c] = factor;
        mean_added[j] = keep * mean_added[j] + momentum * sum[j];
        var_added[j] = keep * var_added[j] + momentum * (squares[j] / (count - 1.0));
      }
      const P least = relu ? P(0) : -std::numeric_limits<P>::infinity();
      for (long i = 0; i < rows; ++i) {
        const T* const from = x + begin + i * cols;
        T* const to = y + begin + i * cols;
#pragma omp simd
        for (long j = 0; j < width; ++j) {
          const P value = (static_cast<P>(from[j]) - centre[j]) * scale[j] + shift[j];
          to[j] = value < least ? least : value;
        }
      }
    }
    const auto follow = [&](P& running, double added) {
      double value = static_cast<double>(running);
      for (int pass = 0; pass < passes; ++pass) value = keep_all * value + added;
      running = static_cast<P>(value);
    };
    for (long j = 0; j < width; ++j) {
      if (running_mean) follow(running_mean[first + j], mean_added[j]);
      if (running_var) follow(running_var[first + j], var_added[j]);
    }
  });
}

/// Gradients of batch_norm_forward. The arguments are those of layer_norm_backward, but the statistics are per view and
/// column; `active` is the result where a ReLU made it, else null.
template <class T>
void batch_norm_backward(const T* x, const compute_t<T>* gamma, const compute_t<T>* mean, const compute_t<T>* rstd,
                         const T* dy, T* dx, bool add_dx, compute_t<T>* dgamma, bool add_dgamma, compute_t<T>* dbeta,
                         bool add_dbeta, long all_rows, long cols, int views = 1,
                         const std::type_identity_t<T>* active = nullptr) {
  using P = compute_t<T>;
  const long rows = all_rows / views;
  detail::for_column_blocks(cols, [&](long first, long last) {
    const long width = last - first;
    P g[detail::column_block];  // one row of the gradient, through the ReLU
    const auto read = [&](long at) {
#pragma omp simd
      for (long j = 0; j < width; ++j) g[j] = static_cast<P>(dy[at + j]);
      if (!active) return;
#pragma omp simd
      for (long j = 0; j < width; ++j) g[j] = static_cast<P>(active[at + j]) <= P(0) ? P(0) : g[j];
    };
    for (long view = 0; view < views; ++view) {
      const long begin = view * rows * cols + first;
      const P *const centre = mean + view * cols + first, *const factor = rstd + view * cols + first;
      double sum[detail::column_block] = {}, dot[detail::column_block] = {};
      for (long i = 0; i < rows; ++i) {
        const T* const from = x + begin + i * cols;
        read(begin + i * cols);
#pragma omp simd
        for (long j = 0; j < width; ++j) {
          sum[j] += static_cast<double>(g[j]);
          dot[j] += static_cast<double>(g[j] * ((static_cast<P>(from[j]) - centre[j]) * factor[j]));
        }
      }
      for (long j = 0; j < width; ++j) {
        const long c = first + j;
        if (dgamma) dgamma[c] = static_cast<P>(dot[j]) + (add_dgamma || view > 0 ? dgamma[c] : P(0));
        if (dbeta) dbeta[c] = static_cast<P>(sum[j]) + (add_dbeta || view > 0 ? dbeta[c] : P(0));
      }
      if (!dx) continue;
      P scale[detail::column_block], mean_g[detail::column_block], mean_dot[detail::column_block];
      for (long j = 0; j < width; ++j) {
        scale[j] = gamma ? factor[j] * gamma[first + j] : factor[j];
        mean_g[j] = static_cast<P>(sum[j] / static_cast<double>(rows));
        mean_dot[j] = static_cast<P>(dot[j] / static_cast<double>(rows));
      }
      for (long i = 0; i < rows; ++i) {
        const T* const from = x + begin + i * cols;
        T* const to = dx + begin + i * cols;
        read(begin + i * cols);
#pragma omp simd
        for (long j = 0; j < width; ++j) {
          const P normal = (static_cast<P>(from[j]) - centre[j]) * factor[j];
          P value = scale[j] * (g[j] - mean_g[j] - normal * mean_dot[j]);
          if (add_dx) value += static_cast<P>(to[j]);
          to[j] = value;
        }
      }
    }
  });
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
