// Softmax attention (Vaswani et al., arXiv 1706.03762) that keeps no [queries, keys] matrix: the backward pass
// recomputes the probabilities from the rows' log-sum-exp, as FlashAttention does (Dao et al., arXiv 2205.14135).
#pragma once

#include <vitral/backend/cpu/block_product.hpp>
#include <vitral/backend/cpu/softmax.hpp>
#include <vitral/backend/cpu/threads.hpp>
#include <vitral/backend/cpu/work_memory.hpp>
#include <vitral/core/bf16.hpp>
#include <vitral/core/error.hpp>
#include <vitral/tensor/heads.hpp>
#include <vitral/tensor/matrix.hpp>

#include <algorithm>
#include <cmath>
#include <type_traits>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

inline constexpr long query_block = 128;  // bounds the scores that a task holds to 128 rows

template <class T>
Matrix<T> head(Heads<T> heads, long batch, long head, long tokens, long width) {
  return {heads.data + batch * heads.batch_stride + head * heads.head_stride, tokens, width, heads.token_stride, 1};
}

/// Whether block_product may write a window of `cols` columns itself, as it writes whole vectors.
template <class T>
bool holds_whole_vectors(long cols) {
  return std::is_same_v<T, compute_t<T>> && padded<compute_t<T>>(cols) == cols;
}

/// The matrix itself where block_product can read it, else a copy in its compute type, padded with zeros.
template <class T>
Matrix<const compute_t<T>> readable(Matrix<const T> m, WorkMemory& buffer) {
  using P = compute_t<T>;
  if constexpr (std::is_same_v<T, P>)
    if (holds_whole_vectors<T>(m.cols)) return m;
  const long stride = padded<P>(m.cols);
  P* const copy = buffer.template reserve<P>(m.rows * stride);
  for (long i = 0; i < m.rows; ++i) {
    const T* const from = m.data + i * m.row_stride;
    P* const to = copy + i * stride;
#pragma omp simd
    for (long j = 0; j < m.cols; ++j) to[j] = static_cast<P>(from[j]);
    std::fill(to + m.cols, to + stride, P(0));
  }
  return {copy, m.rows, m.cols, stride, 1};
}

/// The transposed matrix, with rows padded with zeros.
template <class P>
Matrix<const P> transposed_copy(Matrix<const P> m, WorkMemory& buffer) {
  const long stride = padded<P>(m.rows);
  P* const copy = buffer.template reserve<P>(m.cols * stride);
  for (long i = 0; i < m.rows; ++i)
    for (long j = 0; j < m.cols; ++j) copy[j * stride + i] = m.data[i * m.row_stride + j];
  for (long j = 0; j < m.cols; ++j) std::fill(copy + j * stride + m.rows, copy + (j + 1) * stride, P(0));
  return {copy, m.cols, m.rows, stride, 1};
}

/// Room for a product's result: [rows, padded(cols)].
template <class P>
Matrix<P> result_of(long rows, long cols, WorkMemory& buffer) {
  const long stride = padded<P>(cols);
  return {buffer.template reserve<P>(rows * stride), rows, cols, stride, 1};
}

template <class P, class T>
void store(Matrix<const P> from, Matrix<T> to, bool add) {
  for (long i = 0; i < to.rows; ++i) {
    const P* const source = from.data + i * from.row_stride;
    write_row(to.data + i * to.row_stride, add, to.cols, [=](long j) { return source[j]; });
  }
}

/// x = exp(x * scale - shift) in place; returns the sum.
template <class P>
P exp_row(P* x, P scale, P shift, long cols) {
  P sum = 0;
  if constexpr (std::is_same_v<P, double>) {  // std::exp does not vectorise
    for (long j = 0; j < cols; ++j) sum += x[j] = math::exp(x[j] * scale - shift);
  } else {
#pragma omp simd reduction(+ : sum)
    for (long j = 0; j < cols; ++j) {
      const P e = math::exp(x[j] * scale - shift);
      x[j] = e;
      sum += e;
    }
  }
  return sum;
}

inline void check_attention(const AttentionSize& size) {
  check(size.width >= 1 && size.keys >= 1 && size.scale > 0,
        "attention: needs 1 or more keys and channels and a scale "
        "above 0, not ",
        size.keys, " keys, ", size.width, " channels and a scale of ", size.scale);
}

}  // namespace detail

/// out = softmax(scale q k^T) v for each image and head; lse [batch, heads, queries] receives the log-sum-exp of
/// each row of scaled scores (null: not kept). Scores are computed in compute_t<T>.
template <class T>
void attention_forward(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<T> out, compute_t<T>* lse,
                       const AttentionSize& size) {
  using P = compute_t<T>;
  detail::check_attention(size);
  const P scale = static_cast<P>(size.scale);
  const long width = size.width, queries = size.queries, keys = size.keys;
  parallel_for(static_cast<long>(size.batch) * size.heads, [&](long task) {
    static thread_local WorkMemory q_copy, k_copy, k_transposed, v_copy, score_memory, out_memory;
    const long b = task / size.heads, h = task % size.heads;
    const Matrix<const P> key =
        detail::transposed_copy(detail::readable(detail::head(k, b, h, keys, width), k_copy), k_transposed);
    const Matrix<const P> value = detail::readable(detail::head(v, b, h, keys, width), v_copy);
    for (long first = 0; first < queries; first += detail::query_block) {
      const long rows = std::min(detail::query_block, queries - first);
      const Matrix<const P> query =
          detail::readable(block(detail::head(q, b, h, queries, width), first, 0, rows, width), q_copy);
      const Matrix<P> score = detail::result_of<P>(rows, keys, score_memory);
      block_product<P>(query, key, score, false);
      for (long i = 0; i < rows; ++i) {
        P* const row = score.data + i * score.row_stride;
        const P most = detail::row_max(row, keys) * scale;
        const P sum = detail::exp_row(row, scale, most, keys);
        const P factor = P(1) / sum;
#pragma omp simd
        for (long j = 0; j < keys; ++j) row[j] *= factor;
        if (lse) lse[task * queries + first + i] = most + std::log(sum);
      }
      const Matrix<T> to = block(detail::head(out, b, h, queries, width), first, 0, rows, width);
      if constexpr (std::is_same_v<T, P>)
        if (detail::holds_whole_vectors<T>(width)) {
          block_product<P>(score, value, to, false);
          continue;
        }
      const Matrix<P> sum = detail::result_of<P>(rows, width, out_memory);
      block_product<P>(score, value, sum, false);
      detail::store<P>(sum, to, false);
    }
  });
}

/// Gradients of attention_forward from its inputs, its output, lse and dout; overwritten, or added to when `add`.
template <class T>
void attention_backward(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<const T> out,
                        const compute_t<T>* lse, Heads<const T> dout, Heads<T> dq, Heads<T> dk, Heads<T> dv, bool add,
                        const AttentionSize& size) {
  using P = compute_t<T>;
  detail::check_attention(size);
  const P scale = static_cast<P>(size.scale);
  const long width = size.width, queries = size.queries, keys = size.keys;
  parallel_for(static_cast<long>(size.batch) * size.heads, [&](long task) {
    static thread_local WorkMemory q_copy, k_copy, v_copy, dout_copy, p_memory, ds_memory, dq_memory, dk_memory,
        dv_memory;
    static thread_local WorkMemory k_transposed, v_transposed;
    const long b = task / size.heads, h = task % size.heads;
    const Matrix<const P> key = detail::readable(detail::head(k, b, h, keys, width), k_copy);
    const Matrix<const P> value = detail::readable(detail::head(v, b, h, keys, width), v_copy);
    const Matrix<const P> key_columns = detail::transposed_copy(key, k_transposed);
    const Matrix<const P> value_columns = detail::transposed_copy(value, v_transposed);
    const Matrix<P> key_sum = detail::result_of<P>(keys, width, dk_memory);
    const Matrix<P> value_sum = detail::result_of<P>(keys, width, dv_memory);
    for (long first = 0; first < queries; first += detail::query_block) {
      const long rows = std::min(detail::query_block, queries - first);
      const auto slice = [&](auto heads) {
        return block(detail::head(heads, b, h, queries, width), first, 0, rows, width);
      };
      const Matrix<const P> query = detail::readable(slice(q), q_copy);
      const Matrix<const P> up = detail::readable(slice(dout), dout_copy);
      const Matrix<const T> forward = slice(out), up_stored = slice(dout);
      const Matrix<P> p = detail::result_of<P>(rows, keys, p_memory), ds = detail::result_of<P>(rows, keys, ds_memory);
      block_product<P>(query, key_columns, p, false);
      block_product<P>(up, value_columns, ds, false);
      for (long i = 0; i < rows; ++i) {
        P* const p_row = p.data + i * p.row_stride;
        P* const ds_row = ds.data + i * ds.row_stride;
        detail::exp_row(p_row, scale, lse[task * queries + first + i], keys);
        const P dot =
            detail::row_dot(forward.data + i * forward.row_stride, up_stored.data + i * up_stored.row_stride, width);
#pragma omp simd
        for (long j = 0; j < keys; ++j) ds_row[j] = p_row[j] * (ds_row[j] - dot) * scale;
      }
      block_product<P>(transposed(Matrix<const P>(p)), up, value_sum, first > 0);
      block_product<P>(transposed(Matrix<const P>(ds)), query, key_sum, first > 0);
      const Matrix<P> query_sum = detail::result_of<P>(rows, width, dq_memory);
      block_product<P>(ds, key, query_sum, false);
      detail::store<P>(query_sum, slice(dq), add);
    }
    detail::store<P>(key_sum, detail::head(dk, b, h, keys, width), add);
    detail::store<P>(value_sum, detail::head(dv, b, h, keys, width), add);
  });
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
