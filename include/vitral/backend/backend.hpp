// Backend: everything that the library asks of a device, as concepts. A backend is a stateless struct of static
// functions on pointers and windows, in a folder of its own here; tests/backend/conformance says whether it is right.
#pragma once

#include <vitral/backend/block_parameters.hpp>
#include <vitral/core/lanes.hpp>
#include <vitral/tensor/heads.hpp>
#include <vitral/tensor/matrix.hpp>
#include <vitral/tensor/plan.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace vitral { inline namespace VITRAL_ABI {

struct ViewJob;    // backend/views.hpp
struct ViewShape;  // backend/views.hpp

// What holds for every function below:
// - Pointers are to the backend's memory and stay the caller's; nothing is kept after the call. Rows are dense.
// - T is the stored type; P = compute_t<T> is the type of arithmetic, statistics, parameters of norms and losses.
// - A gradient is overwritten, or added to where its `add` flag says so. A null gradient is not wanted.
// - A NaN reaches every result that depends on it, through a ReLU too, whose gradient is then that of the result.
// - The result is a function of the arguments alone: the same bits for any number of threads and in every run.
// - Calls are done in order (but for lanes, core/lanes.hpp): each sees what those before it wrote. Only copies that are
//   not queued and Steps::wait have to wait for the device.

/// Memory. Counts are in elements.
/// on_host              whether the program may follow the backend's pointers itself.
/// allocate             at least 64-byte alignment; throws Error when there is no more.
/// copy_from_host, copy_to_host    are done when they return.
/// queue_copy_from_host, queue_copy_to_host    are done when the run of Steps is in which they are queued; until then
///                      the host's memory has to stay as it is.
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
};

/// Steps: a struct that queues work as a whole.
/// run(kind, work)      does or queues what work() queues and returns the run's number. kind is 0, 1 or 2; runs of one
///                      kind should queue the same operations.
/// wait(run)            until the run with this number is done, one of the last few; throws what kernels have noted.
/// ahead                how many runs the host should queue before it waits for the first.
/// eager                on a device: whether operations are queued one by one all the same.
template <class B>
concept BackendSteps = std::default_initializable<typename B::Steps> &&
    requires(typename B::Steps& steps, std::size_t kind, void (*work)(), long run) {
  { B::Steps::ahead } -> std::convertible_to<long>;
  { steps.run(kind, work) } -> std::same_as<long>;
  steps.wait(run);
  requires B::on_host || requires {
    { B::Steps::eager } -> std::convertible_to<bool>;
  };
};

/// Plans of expressions (tensor/plan.hpp; `value_at` is their meaning). `out` is dense over the space.
/// evaluate             out = plan.
/// evaluate_together    several outs; for each element the first is stored before the second plan is read, and so on.
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

/// Products. a [m, k] and b [k, n] have any strides; c [m, n] has dense rows (or dense columns without an epilogue) and
/// must not overlap them. c = a b, or c += a b when `accumulate`, then the epilogue (tensor/matrix.hpp). T x T gives T,
/// and bf16 x bf16 also float; sums are kept in P. Throws Error on shapes that do not fit.
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
concept BackendFor = BackendMemory<B, T> && BackendSteps<B> && BackendExpressions<B, T> && BackendProducts<B, T> &&
    BackendNorms<B, T> && BackendRows<B, T> && BackendLookups<B, T>;

/// A backend serves float and bf16; `double`, for checks, where BackendFor<B, double> holds.
template <class B>
concept Backend = BackendFor<B, float> && BackendFor<B, bf16>;

// What a backend may offer beside this; where it does not, the library does the same by other operations. Two more
// concepts of this kind stand where lower folders need them: HasLanes (core/lanes.hpp), OffersEvaluateEach
// (tensor/plan.hpp).

/// sums [cols], of type P, = (or +=) the sum of the rows of x [rows, cols].
template <class B, class T>
concept OffersColumnSums = requires(const T* x, compute_t<T>* sums, long rows, long cols, bool add) {
  B::column_sums(x, rows, cols, sums, add);
};

/// dx = dy * gelu'(pre), all [rows, cols], for the gelu that the epilogue applies, and sums (null: not wanted) = (or
/// +=) the column sums of dx. dx may be dy.
template <class B, class T>
concept OffersGeluGradient = requires(const T* dy, T* dx, compute_t<T>* sums, long rows, long cols, bool add) {
  B::gelu_gradient(dy, dy, dx, rows, cols, sums, add);
};

/// x = the plan's value, and its layer_norm y, in one pass.
template <class B, class T, class Plan, int R>
concept OffersLayerNormOfPlan = requires(Space<R> space, Plan plan, T* x, const compute_t<T>* gamma,
                                         compute_t<T>* stats, long rows, long cols, double eps) {
  B::layer_norm_of_plan(space, plan, x, gamma, gamma, x, stats, stats, rows, cols, eps);
};

/// A whole transformer block (autodiff/whole_block.hpp) of x [images, tokens, D], in one operation each way. keep1 and
/// keep2 [images] scale the branches (null: by 1), and the trace is what the backward pass finds (null: nothing is
/// kept, it is computed again). Backward: dx (null: not wanted) with a flag, the parameters' gradients with a flag
/// each.
template <class B, class T = float>
concept OffersBlocks = requires(const T* x, T* y, bool add, BlockParameters<const compute_t<T>> parameters,
                                BlockParameters<compute_t<T>> gradients,
                                std::array<bool, BlockParameters<T>::count> adds, const compute_t<T>* keep,
                                const BlockTrace<T>* trace, BlockSize size) {
  B::block_forward(x, y, parameters, keep, keep, trace, size);
  B::block_backward(x, x, y, add, parameters, gradients, adds, keep, keep, trace, size);
};

/// For each of `queries` [asked, width] the k rows of `table` [rows, width] of the largest inner product, at the full
/// precision of float: products and places [asked, k], largest first and of equal ones the earlier row first. All rows
/// are dense. Where `leave_one_out`, row i is none of query i's. Products that are no number are passed over; where
/// fewer than k are left, the last places are -1.
template <class B>
concept OffersNearestRows = requires(Matrix<float> table, int k, bool leave_one_out, float* products, int* places) {
  B::nearest_rows(table, table, k, leave_one_out, products, places);
};

/// Views of images (backend/views.hpp): `views` [count, 3, side, side], of which the i-th is made as jobs[i] says, of
/// an image among the bytes `images`; the jobs may change when the call returns.
template <class B>
concept OffersViews = requires(const ViewShape& shape, const ViewJob* jobs, std::size_t count,
                               const std::uint8_t* images, float* views) {
  B::make_views(shape, jobs, count, images, views);
};

}}  // namespace vitral
