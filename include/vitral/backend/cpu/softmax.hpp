// Softmax, log-softmax, cross entropy and l2 normalisation over the rows of dense matrices, forward and backward.
// Values are stored as T and computed as compute_t<T>; a logit may be -infinity (masked), but not a whole row's.
#pragma once

#include <vitral/backend/cpu/norm.hpp>
#include <vitral/backend/cpu/threads.hpp>
#include <vitral/core/bf16.hpp>
#include <vitral/core/error.hpp>
#include <vitral/core/math.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

template <class T>
compute_t<T> row_max(const T* x, long cols) {
  using P = compute_t<T>;
  constexpr long lanes = 16;  // an array of maxima vectorises where a reduction would need -ffast-math
  P best[lanes];
  for (long l = 0; l < lanes; ++l) best[l] = -std::numeric_limits<P>::infinity();
  long j = 0;
  for (; j + lanes <= cols; j += lanes)
    for (long l = 0; l < lanes; ++l) best[l] = static_cast<P>(x[j + l]) > best[l] ? static_cast<P>(x[j + l]) : best[l];
  for (; j < cols; ++j) best[0] = static_cast<P>(x[j]) > best[0] ? static_cast<P>(x[j]) : best[0];
  P most = best[0];
  for (long l = 1; l < lanes; ++l) most = best[l] > most ? best[l] : most;
  return most;
}

template <class T>
compute_t<T> row_exp_sum(const T* x, compute_t<T> most, long cols) {
  using P = compute_t<T>;
  P sum = 0;
  if constexpr (std::is_same_v<P, double>) {  // std::exp does not vectorise
    for (long j = 0; j < cols; ++j) sum += math::exp(static_cast<P>(x[j]) - most);
  } else {
#pragma omp simd reduction(+ : sum)
    for (long j = 0; j < cols; ++j) sum += math::exp(static_cast<P>(x[j]) - most);
  }
  return sum;
}

/// log(sum(exp(x))) of one row.
template <class T>
compute_t<T> row_logsumexp(const T* x, long cols) {
  const compute_t<T> most = row_max(x, cols);
  return most + std::log(row_exp_sum(x, most, cols));
}

template <class T>
compute_t<T> row_dot(const T* x, const T* y, long cols) {
  using P = compute_t<T>;
  P sum = 0;
#pragma omp simd reduction(+ : sum)
  for (long j = 0; j < cols; ++j) sum += static_cast<P>(x[j]) * static_cast<P>(y[j]);
  return sum;
}

/// to[j] = value(j), or to[j] += value(j).
template <class T, class Value>
void write_row(T* to, bool add, long cols, Value value) {
  using P = compute_t<T>;
  if constexpr (std::is_same_v<P, double>) {  // whose std::exp does not vectorise
    for (long j = 0; j < cols; ++j) to[j] = add ? to[j] + value(j) : value(j);
  } else if (add) {
#pragma omp simd
    for (long j = 0; j < cols; ++j) to[j] = static_cast<P>(to[j]) + value(j);
  } else {
#pragma omp simd
    for (long j = 0; j < cols; ++j) to[j] = value(j);
  }
}

template <class F>
void for_rows(long rows, F&& row) {
  for_row_blocks(rows, [&](long first, long last, long) {
    for (long i = first; i < last; ++i) row(i);
  });
}

inline void check_target(int target, long row, long classes) {
  check(target >= 0 && target < classes, "cross_entropy: target ", target, " of row ", row,
        " is not one of the classes 0 to ", classes - 1);
}

}  // namespace detail

/// y = exp(x) / sum(exp(x)) for each row. y may be x.
template <class T>
void softmax_forward(const T* x, T* y, long rows, long cols) {
  using P = compute_t<T>;
  detail::for_rows(rows, [&](long i) {
    const T* const from = x + i * cols;
    const P most = detail::row_max(from, cols);
    const P factor = P(1) / detail::row_exp_sum(from, most, cols);
    detail::write_row(y + i * cols, false, cols,
                      [=](long j) { return math::exp(static_cast<P>(from[j]) - most) * factor; });
  });
}

/// dx = y (dy - sum(y dy)) for each row, from softmax's output y; added to dx when `add`. dx may be dy.
template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, bool add, long rows, long cols) {
  using P = compute_t<T>;
  detail::for_rows(rows, [&](long i) {
    const T* const out = y + i * cols;
    const T* const up = dy + i * cols;
    const P dot = detail::row_dot(out, up, cols);
    detail::write_row(dx + i * cols, add, cols,
                      [=](long j) { return static_cast<P>(out[j]) * (static_cast<P>(up[j]) - dot); });
  });
}

/// y = x - log(sum(exp(x))) for each row. y may be x.
template <class T>
void log_softmax_forward(const T* x, T* y, long rows, long cols) {
  using P = compute_t<T>;
  detail::for_rows(rows, [&](long i) {
    const T* const from = x + i * cols;
    const P most = detail::row_max(from, cols);
    const P log_sum = std::log(detail::row_exp_sum(from, most, cols));
    detail::write_row(y + i * cols, false, cols, [=](long j) { return (static_cast<P>(from[j]) - most) - log_sum; });
  });
}

/// dx = dy - exp(y) sum(dy) for each row, from log-softmax's output y; added to dx when `add`. dx may be dy.
template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, bool add, long rows, long cols) {
  using P = compute_t<T>;
  detail::for_rows(rows, [&](long i) {
    const T* const out = y + i * cols;
    const T* const up = dy + i * cols;
    P sum = 0;
#pragma omp simd reduction(+ : sum)
    for (long j = 0; j < cols; ++j) sum += static_cast<P>(up[j]);
    detail::write_row(dx + i * cols, add, cols,
                      [=](long j) { return static_cast<P>(up[j]) - math::exp(static_cast<P>(out[j])) * sum; });
  });
}

/// loss_per_row = logsumexp(logits) - logits[target]; `logsumexp` [rows] is kept for the backward pass (may be null).
/// Throws Error when a target is not a class.
template <class T>
void cross_entropy_forward(const T* logits, const int* target, compute_t<T>* loss_per_row, compute_t<T>* logsumexp,
                           long rows, long cols) {
  using P = compute_t<T>;
  detail::for_rows(rows, [&](long i) {
    detail::check_target(target[i], i, cols);
    const T* const from = logits + i * cols;
    const P log_sum = detail::row_logsumexp(from, cols);
    if (logsumexp) logsumexp[i] = log_sum;
    loss_per_row[i] = log_sum - static_cast<P>(from[target[i]]);
  });
}

/// dlogits = dloss (softmax(logits) - onehot(target)) for each row; added to dlogits when `add`. dlogits may be logits
/// when not added.
template <class T>
void cross_entropy_backward(const T* logits, const int* target, const compute_t<T>* logsumexp,
                            const compute_t<T>* dloss_per_row, T* dlogits, bool add, long rows, long cols) {
  using P = compute_t<T>;
  detail::for_rows(rows, [&](long i) {
    detail::check_target(target[i], i, cols);
    const T* const from = logits + i * cols;
    T* const to = dlogits + i * cols;
    const P log_sum = logsumexp[i], up = dloss_per_row[i];
    // The target's entry is p - 1, formed before it is rounded to T.
    const P before = add ? static_cast<P>(to[target[i]]) : P(0);
    const P at_target = before + up * (math::exp(static_cast<P>(from[target[i]]) - log_sum) - P(1));
    detail::write_row(to, add, cols, [=](long j) { return up * math::exp(static_cast<P>(from[j]) - log_sum); });
    to[target[i]] = at_target;
  });
}

/// y = x / max(|x|, eps) for each row; norm [rows] receives max(|x|, eps) (may be null). y may be x.
template <class T>
void l2_normalize_forward(const T* x, T* y, compute_t<T>* norm, long rows, long cols, double eps = 1e-12) {
  using P = compute_t<T>;
  detail::for_rows(rows, [&](long i) {
    const T* const from = x + i * cols;
    const P whole = std::sqrt(detail::row_dot(from, from, cols)), least = static_cast<P>(eps);
    const P length = whole < least ? least : whole;
    if (norm) norm[i] = length;
    const P factor = P(1) / length;
    detail::write_row(y + i * cols, false, cols, [=](long j) { return static_cast<P>(from[j]) * factor; });
  });
}

/// dx = (dy - y (y . dy)) / norm for each row, with y = x / norm, from the input x; where |x| was below eps, dy / eps.
/// Added to dx when `add`. dx may be dy.
template <class T>
void l2_normalize_backward(const T* x, const compute_t<T>* norm, const T* dy, T* dx, bool add, long rows, long cols,
                           double eps = 1e-12) {
  using P = compute_t<T>;
  detail::for_rows(rows, [&](long i) {
    const T* const from = x + i * cols;
    const T* const up = dy + i * cols;
    const P factor = P(1) / norm[i];
    const P dot = norm[i] > static_cast<P>(eps) ? detail::row_dot(from, up, cols) * factor * factor : P(0);
    detail::write_row(dx + i * cols, add, cols,
                      [=](long j) { return (static_cast<P>(up[j]) - static_cast<P>(from[j]) * dot) * factor; });
  });
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
