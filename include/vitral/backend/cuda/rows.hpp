// Operations on the rows of dense matrices, a block of threads for each row: softmax, cross entropy, l2 normalisation,
// rows by index. backend/backend.hpp says what each does.
#pragma once

#include <vitral/backend/cuda/block_reduce.hpp>
#include <vitral/backend/cuda/launch.hpp>
#include <vitral/core/bf16.hpp>

#include <cmath>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

template <class T>
__device__ compute_t<T> load(const T* x, long i) {
  return static_cast<compute_t<T>>(x[i]);
}
template <class T, class P>
__device__ void put(T* to, long i, P value, bool add) {
  to[i] = add ? load(to, i) + value : value;
}

/// sum over j of value(j), and the largest value(j), known to every thread of the block.
template <class P, class F>
__device__ P sum_over(long cols, F value) {
  P sum{};
  for (long j = threadIdx.x; j < cols; j += blockDim.x) sum += value(j);
  return block_reduce(sum, Add{});
}
template <class P, class F>
__device__ P max_over(long cols, F value) {
  P most = -static_cast<P>(INFINITY);
  for (long j = threadIdx.x; j < cols; j += blockDim.x) most = Max{}(most, value(j));
  return block_reduce(most, Max{});
}
template <class F>
__device__ void for_cols(long cols, F body) {
  for (long j = threadIdx.x; j < cols; j += blockDim.x) body(j);
}

/// log(sum(exp(x))) as its two parts: the largest value, and the logarithm of the rest.
template <class P, class T>
__device__ void logsumexp_parts(const T* x, long cols, P& most, P& sum) {
  most = max_over<P>(cols, [=](long j) { return load(x, j); });
  const P largest = most;
  sum = sum_over<P>(cols, [=](long j) { return ::exp(load(x, j) - largest); });
}

template <bool logarithm, class T>
__global__ void softmax_rows(const T* x, T* y, long cols) {
  using P = compute_t<T>;
  const long at = blockIdx.x * cols;
  P most, sum;
  logsumexp_parts(x + at, cols, most, sum);
  const P scale = P(1) / sum, shift = ::log(sum);
  for_cols(cols, [&](long j) {
    const P d = load(x, at + j) - most;
    y[at + j] = logarithm ? d - shift : ::exp(d) * scale;
  });
}

template <bool logarithm, class T>
__global__ void softmax_rows_backward(const T* y, const T* dy, T* dx, bool add, long cols) {
  using P = compute_t<T>;
  const long at = blockIdx.x * cols;
  const P sum =
      sum_over<P>(cols, [=](long j) { return logarithm ? load(dy, at + j) : load(y, at + j) * load(dy, at + j); });
  for_cols(cols, [&](long j) {
    const P out = load(y, at + j), up = load(dy, at + j);
    put(dx, at + j, logarithm ? up - ::exp(out) * sum : out * (up - sum), add);
  });
}

template <class T>
__global__ void cross_entropy_rows(const T* x, const int* target, compute_t<T>* loss, compute_t<T>* kept, long cols,
                                   FaultNote fault) {
  using P = compute_t<T>;
  const long row = blockIdx.x, at = row * cols;
  P most, sum;
  logsumexp_parts(x + at, cols, most, sum);
  if (threadIdx.x != 0 || !within(fault, 3, target[row], row, cols)) return;
  const P whole = most + ::log(sum);
  if (kept) kept[row] = whole;
  loss[row] = whole - load(x, at + target[row]);
}

template <class T>
__global__ void cross_entropy_rows_backward(const T* x, const int* target, const compute_t<T>* logsumexp,
                                            const compute_t<T>* dloss, T* dx, bool add, long cols, FaultNote fault) {
  using P = compute_t<T>;
  const long row = blockIdx.x, at = row * cols;
  if (!within(fault, 3, target[row], row, cols)) return;
  const P whole = logsumexp[row], up = dloss[row];
  for_cols(cols, [&](long j) {
    const P p = ::exp(load(x, at + j) - whole) - (j == target[row] ? P(1) : P(0));
    put(dx, at + j, up * p, add);
  });
}

template <class T>
__global__ void l2_rows(const T* x, T* y, compute_t<T>* norm, long cols, double eps) {
  using P = compute_t<T>;
  const long at = blockIdx.x * cols;
  const P squares = sum_over<P>(cols, [=](long j) { return load(x, at + j) * load(x, at + j); });
  const P whole = ::sqrt(squares), least = static_cast<P>(eps);
  const P length = whole < least ? least : whole, factor = P(1) / length;
  if (norm && threadIdx.x == 0) norm[blockIdx.x] = length;
  for_cols(cols, [&](long j) { y[at + j] = load(x, at + j) * factor; });
}

template <class T>
__global__ void l2_rows_backward(const T* x, const compute_t<T>* norm, const T* dy, T* dx, bool add, long cols,
                                 double eps) {
  using P = compute_t<T>;
  const long at = blockIdx.x * cols;
  const P length = norm[blockIdx.x], factor = P(1) / length;
  P dot = sum_over<P>(cols, [=](long j) { return load(x, at + j) * load(dy, at + j); });
  dot = length > static_cast<P>(eps) ? dot * factor * factor : P(0);
  for_cols(cols, [&](long j) { put(dx, at + j, (load(dy, at + j) - load(x, at + j) * dot) * factor, add); });
}

template <class T>
__global__ void gather_kernel(const T* table, const int* index, T* out, long cols, long table_rows, FaultNote fault) {
  const long row = blockIdx.x;
  if (!within(fault, 1, index[row], row, table_rows)) return;
  for_cols(cols, [&](long j) { out[row * cols + j] = table[index[row] * cols + j]; });
}

/// A thread owns a column and adds its rows in their order.
template <class T>
__global__ void scatter_kernel(const T* rows, const int* index, T* table, long count, long cols, long table_rows,
                               FaultNote fault) {
  const long column = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (column >= cols) return;
  for (long i = 0; i < count; ++i)
    if (within(fault, 2, index[i], i, table_rows)) {
      T* const to = table + index[i] * cols;
      to[column] = load(to, column) + load(rows, i * cols + column);
    }
}

/// Threads for rows of `cols` elements.
inline unsigned row_threads(long cols) { return cols <= 64 ? 32 : cols <= 512 ? 128 : 256; }

template <class... P, class... A>
void launch_rows(const char* name, void (*kernel)(P...), long rows, long cols, const A&... arguments) {
  launch(name, kernel, static_cast<unsigned>(rows), row_threads(cols), 0, arguments...);
}

}  // namespace detail

template <class T>
void softmax_forward(const T* x, T* y, long rows, long cols) {
  detail::launch_rows("softmax", &detail::softmax_rows<false, T>, rows, cols, x, y, cols);
}
template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, bool add, long rows, long cols) {
  detail::launch_rows("softmax backward", &detail::softmax_rows_backward<false, T>, rows, cols, y, dy, dx, add, cols);
}
template <class T>
void log_softmax_forward(const T* x, T* y, long rows, long cols) {
  detail::launch_rows("log_softmax", &detail::softmax_rows<true, T>, rows, cols, x, y, cols);
}
template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, bool add, long rows, long cols) {
  detail::launch_rows("log_softmax backward", &detail::softmax_rows_backward<true, T>, rows, cols, y, dy, dx, add,
                      cols);
}

/// A target that is no class is reported when the host next waits for the device.
template <class T>
void cross_entropy_forward(const T* x, const int* target, compute_t<T>* loss, compute_t<T>* logsumexp, long rows,
                           long cols) {
  detail::launch_rows("cross_entropy", &detail::cross_entropy_rows<T>, rows, cols, x, target, loss, logsumexp, cols,
                      Faults::instance().device());
}
template <class T>
void cross_entropy_backward(const T* x, const int* target, const compute_t<T>* logsumexp, const compute_t<T>* dloss,
                            T* dx, bool add, long rows, long cols) {
  detail::launch_rows("cross_entropy backward", &detail::cross_entropy_rows_backward<T>, rows, cols, x, target,
                      logsumexp, dloss, dx, add, cols, Faults::instance().device());
}

template <class T>
void l2_normalize_forward(const T* x, T* y, compute_t<T>* norm, long rows, long cols, double eps = 1e-12) {
  detail::launch_rows("l2_normalize", &detail::l2_rows<T>, rows, cols, x, y, norm, cols, eps);
}
template <class T>
void l2_normalize_backward(const T* x, const compute_t<T>* norm, const T* dy, T* dx, bool add, long rows, long cols,
                           double eps = 1e-12) {
  detail::launch_rows("l2_normalize backward", &detail::l2_rows_backward<T>, rows, cols, x, norm, dy, dx, add, cols,
                      eps);
}

/// An index outside the table is reported when the host next waits for the device.
template <class T>
void gather_rows(const T* table, const int* index, T* out, long rows_out, long cols, long table_rows) {
  detail::launch_rows("gather_rows", &detail::gather_kernel<T>, rows_out, cols, table, index, out, cols, table_rows,
                      Faults::instance().device());
}
template <class T>
void scatter_add_rows(const T* rows, const int* index, T* table, long rows_in, long cols, long table_rows) {
  launch("scatter_add_rows", &detail::scatter_kernel<T>, blocks_for(cols, 32), 32, 0, rows, index, table, rows_in, cols,
         table_rows, Faults::instance().device());
}

}}}  // namespace vitral::cuda
