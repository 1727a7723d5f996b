// Backend: what a device has to offer, as a concept. A backend is a stateless struct of static functions on pointers
// and windows; adding one touches one folder, and tests/backend/conformance_test.cpp says whether it is right.
#pragma once

#include <vitral/tensor/heads.hpp>
#include <vitral/tensor/matrix.hpp>
#include <vitral/tensor/plan.hpp>

#include <concepts>
#include <cstddef>

namespace vitral { inline namespace VITRAL_ABI {

// What holds for every function below:
// - Pointers are to the backend's memory and stay the caller's; nothing is kept after the call. Rows are dense.
// - T is the stored type; P = compute_t<T> is the type of arithmetic, statistics, parameters of norms and losses.
// - A gradient is overwritten, or added to where its `add` flag says so. A null gradient is not wanted.
// - A NaN reaches every result that depends on it, through a ReLU too, whose gradient is then that of the result.
// - The result is a function of the arguments alone: the same bits for any number of threads and in every run.
// - Calls are ordered (Lanes say where not): each sees what those before it wrote. Only copy_to_host has to
//   wait for the device.

/// Memory. `allocate` gives at least 64-byte alignment and throws Error when there is no more; `on_host` says whether
/// the program may follow the pointers itself. Counts are in elements. The copies named queue_ need not be done when
/// they return: the host's memory has to stay as it is until the run of Steps is, in which they are.
/// Steps: run(kind, f), kind 0, 1 or 2, does or queues what f queues, and wait(its result) waits until that is done;
/// runs of one kind should queue the same operations. `ahead`: runs that the host should queue before it waits for the
/// first.
/// Lanes, optional (core/lanes.hpp): lanes 1 to `count`; enter(lane) forks from the main lane, 0, and enter(0) joins,
/// so that calls are ordered within a lane and around fork and join; place() says where the next call goes.
template <class B, class T>
concept BackendMemory = requires(void* memory, T* to, const T* from, long count, T value, std::size_t bytes) {
  { B::on_host } -> std::convertible_to<bool>;
  { B::allocate(bytes) } -> std::same_as<void*>;
  B::deallocate(memory);
  B::fill(to, count, value);
  B::copy(from, to, count);
  B::copy_from_host(from, to, count);
  B::copy_to_host(from, to, count);
  B::queue_copy_from_host(from, to, count);
  B::queue_copy_to_host(from, to, count);
  { B::Steps::ahead } -> std::convertible_to<long>;
};

/// Plans of expressions (tensor/plan.hpp; `value_at` is their meaning). `out` is dense over the space.
/// evaluate             out = plan.
/// evaluate_together    several outs; for each element the first is stored before the second plan is read, and so on.
/// evaluate_each        optional: evaluate_together for a std::vector of Together (tensor/plan.hpp), in one pass.
/// evaluate_window      out[window's strides] = plan; only the strides of `window` are read.
/// reduce_sum           the space is [outer, n, inner]: out [outer, inner] = scale * sum over n. n may be 0.
/// reduce_max           the largest value over n >= 1 and where it stands first; a NaN counts as largest.
/// pull_back            for each leaf with a target: gradient = (or +=) sum over its broadcast axes of upstream *
///                      d plan / d leaf. `targets` mirrors the plan: GradientPlan, NoGradient, or a Pack of such.
template <class B, class T>
concept BackendExpressions = requires(Space<2> space, T* out, const T* upstream, LeafPlan<T, 2> plan,
                                      GradientPlan<T, 2> target, Reduction extents, double scale, int* places,
                                      Pack<T*, T*> outs, Pack<LeafPlan<T, 2>, LeafPlan<T, 2>> plans) {
  B::evaluate(space, out, plan);
  B::evaluate_together(space, outs, plans);
  B::evaluate_window(space, plan, plan, out);
  B::reduce_sum(space, plan, extents, scale, out);
  B::reduce_max(space, plan, extents, out, places);
  B::pull_back(space, plan, target, upstream);
};

/// Products. a [m, k] and b [k, n] have any strides, c [m, n] dense rows (or dense columns without an epilogue) and
/// must not overlap them. c = a b, or c += a b when `accumulate`, then the epilogue (tensor/matrix.hpp). T x T
/// gives T, and bf16 x bf16 also float; sums are kept in P. Throws Error on shapes that do not fit.
/// column_sums          optional: sums [cols], of type P, = (or +=) the sum of the rows of x [rows, cols].
/// gelu_gradient        optional: dx = dy * gelu'(pre), all [rows, cols], where gelu is what the epilogue applies; and
///                      column_sums of dx, where sums is not null. dx may be dy.
template <class B, class T>
concept BackendProducts = requires(Matrix<T> a, Matrix<compute_t<T>> wide, MatrixBatch<T> batch, bool accumulate,
                                   Epilogue<T> epilogue, Epilogue<compute_t<T>> wide_epilogue) {
  B::matmul(a, a, a, accumulate);
  B::matmul(a, a, a, accumulate, epilogue);
  B::matmul(a, a, wide, accumulate, wide_epilogue);
  B::batched_matmul(batch, batch, batch, accumulate);
};

/// Normalisation of x [rows, cols]; gamma, beta and their gradients [cols] may be null, statistics are of type P.
/// layer_norm           per row, biased variance; mean and rstd [rows] are for the backward pass (null: not kept).
/// layer_norm_of_plan   optional: x = a plan's value, and layer_norm of it, in one pass.
/// batch_norm           training mode, per column of each of `views` equal blocks of rows, biased variance; where
///                      `relu`, y is what is above zero; mean and rstd [views, cols]. The running statistics (null: not
///                      kept) become (1 - momentum) running + momentum batch, the variance unbiased, for each view in
///                      turn, and for all of them `passes` times. 2 rows or more in a view. Backward: `active` is y
///                      where a ReLU made it, else null.
/// Backward: dx, dgamma and dbeta each with a flag of its own; dx may be dy.
template <class B, class T>
concept BackendNorms = requires(const T* x, T* y, const compute_t<T>* gamma, compute_t<T>* stats, double eps, bool add,
                                long rows, long cols, int views) {
  B::layer_norm_forward(x, gamma, gamma, y, stats, stats, rows, cols, eps);
  B::layer_norm_backward(x, gamma, gamma, gamma, x, y, add, stats, add, stats, add, rows, cols);
  B::batch_norm_forward(x, gamma, gamma, y, stats, stats, stats, stats, eps, eps, rows, cols, views, views, add);
  B::batch_norm_backward(x, gamma, gamma, gamma, x, y, add, stats, add, stats, add, rows, cols, views, x);
};

/// Operations on each row of x [rows, cols]. Forward y may be x; backward dx may be dy.
/// softmax, log_softmax backward from the result y and dy.
/// cross_entropy        loss [rows] = logsumexp - x[target], of type P, and logsumexp [rows] (null: not kept); backward
///                      from x, target, logsumexp and dloss [rows]. Throws Error on a target that is no class.
/// l2_normalize         y = x / norm, norm [rows] = max(|x|, eps) (null: not kept); backward from x, norm and dy.
template <class B, class T>
concept BackendRows = requires(const T* x, T* y, const int* target, const compute_t<T>* per_row, compute_t<T>* out,
                               bool add, long rows, long cols, double eps) {
  B::softmax_forward(x, y, rows, cols);
  B::softmax_backward(x, x, y, add, rows, cols);
  B::log_softmax_forward(x, y, rows, cols);
  B::log_softmax_backward(x, x, y, add, rows, cols);
  B::cross_entropy_forward(x, target, out, out, rows, cols);
  B::cross_entropy_backward(x, target, per_row, per_row, y, add, rows, cols);
  B::l2_normalize_forward(x, y, out, rows, cols, eps);
  B::l2_normalize_backward(x, per_row, x, y, add, rows, cols, eps);
};

/// attention            out = softmax(scale q k^T) v for each image and head, q, k, v and out as windows
///                      (tensor/heads.hpp); lse [batch, heads, queries], of type P, is each row's logsumexp (null: not
///                      kept). Backward from the inputs, out, lse and dout; one flag for dq, dk and dv, none null.
/// gather_rows          out[i] = table[index[i]], rows of `cols` elements. Throws Error on an index outside the table.
/// scatter_add_rows     table[index[i]] += rows[i], in order of i for each element.
template <class B, class T>
concept BackendLookups = requires(Heads<const T> in, Heads<T> out, compute_t<T>* lse, const compute_t<T>* kept,
                                  bool add, AttentionSize size, const T* from, T* to, const int* index, long rows,
                                  long cols) {
  B::attention_forward(in, in, in, out, lse, size);
  B::attention_backward(in, in, in, in, kept, in, out, out, out, add, size);
  B::gather_rows(from, index, to, rows, cols, rows);
  B::scatter_add_rows(from, index, to, rows, cols, rows);
};

template <class B, class T>
concept BackendFor = BackendMemory<B, T> && BackendExpressions<B, T> && BackendProducts<B, T> && BackendNorms<B, T> &&
    BackendRows<B, T> && BackendLookups<B, T>;

/// A backend serves float and bf16; `double`, for checks, where BackendFor<B, double> holds.
template <class B>
concept Backend = BackendFor<B, float> && BackendFor<B, bf16>;

}}  // namespace vitral
