// Cuda: the backend of NVIDIA GPUs. cuBLASLt multiplies; kernels of our own do everything else, queued on one
// stream, or several where the caller asks for lanes.
// Included by .cu files, which nvcc compiles.
#pragma once

#include <vitral/backend/cuda/attention.hpp>
#include <vitral/backend/cuda/batch_norm.hpp>
#include <vitral/backend/cuda/evaluate.hpp>
#include <vitral/backend/cuda/layer_norm.hpp>
#include <vitral/backend/cuda/matmul.hpp>
#include <vitral/backend/cuda/nearest_rows.hpp>
#include <vitral/backend/cuda/pinned.hpp>
#include <vitral/backend/cuda/pull_back.hpp>
#include <vitral/backend/cuda/reduce.hpp>
#include <vitral/backend/cuda/rows.hpp>
#include <vitral/backend/cuda/steps.hpp>
#include <vitral/backend/cuda/views.hpp>

namespace vitral { inline namespace VITRAL_ABI {

namespace cuda::detail {

template <class T>
__global__ void fill_kernel(T* data, long count, T value) {
  const long step = static_cast<long>(gridDim.x) * blockDim.x;
  for (long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) data[i] = value;
}

}  // namespace cuda::detail

/// See backend/backend.hpp for what each function has to do. Errors of kernels come out where the host next waits.
template <cuda::FloatProducts products>
struct BasicCuda {
  static constexpr bool on_host = false;

  // ---- memory
  [[nodiscard]] static void* allocate(std::size_t bytes) { return cuda::allocate(bytes); }
  static void deallocate(void* data) { cuda::deallocate(data); }
  template <class T>
  static void fill(T* data, long count, T value) {
    cuda::launch("fill", &cuda::detail::fill_kernel<T>, count > 0 ? cuda::grid_for(count) : 0, cuda::block_threads, 0,
                 data, count, value);
  }
  template <class T>
  static void copy(const T* from, T* to, long count) {
    transfer(from, to, count, cudaMemcpyDeviceToDevice);
  }
  template <class T>
  static void copy_from_host(const T* from, T* to, long count) {
    queue_copy_from_host(from, to, count);
    cuda::Faults::instance().wait();  // the caller may change `from` at once
  }
  template <class T>
  static void copy_to_host(const T* from, T* to, long count) {
    queue_copy_to_host(from, to, count);
    cuda::Faults::instance().wait();
  }
  template <class T>
  static void queue_copy_from_host(const T* from, T* to, long count) {
    transfer(from, to, count, cudaMemcpyHostToDevice);
  }
  template <class T>
  static void queue_copy_to_host(const T* from, T* to, long count) {
    transfer(from, to, count, cudaMemcpyDeviceToHost);
  }
  using Steps = cuda::Steps;
  using Lanes = cuda::Lanes;

  // ---- expressions
  template <int R, class T, class Plan>
  static void evaluate(const Space<R>& space, T* out, const Plan& plan) {
    cuda::evaluate(space, pack(out), pack(plan));
  }
  template <int R, class... T, class... Plan>
  static void evaluate_together(const Space<R>& space, const Pack<T*...>& out, const Pack<Plan...>& plans) {
    cuda::evaluate(space, out, plans);
  }
  template <class Job>
  static void evaluate_each(const std::vector<Job>& jobs) {
    cuda::evaluate_each(jobs);
  }
  template <int R, class Plan, class T>
  static void reduce_sum(const Space<R>& space, const Plan& plan, Reduction extents, double scale, T* out) {
    cuda::reduce_sum(space, plan, extents, scale, out);
  }
  template <int R, class Plan, class T>
  static void reduce_max(const Space<R>& space, const Plan& plan, Reduction extents, T* out, int* places) {
    cuda::reduce_max(space, plan, extents, out, places);
  }
  template <int R, class Plan, class Targets, class T>
  static void pull_back(const Space<R>& space, const Plan& plan, const Targets& targets, const T* upstream) {
    cuda::pull_back(space, plan, targets, upstream);
  }
  template <int R, class Plan, class T>
  static void evaluate_window(const Space<R>& space, const Plan& plan, const LeafPlan<T, R>& window, T* out) {
    cuda::evaluate_window(space, plan, window, out);
  }

  // ---- products and row operations
  template <class A, class C>
  static void matmul(Matrix<A> a, Matrix<A> b, Matrix<C> c, bool accumulate, const Epilogue<C>& epilogue = {}) {
    using T = std::remove_const_t<A>;
    cuda::batched_matmul<products, T, C>({a, 1, 0}, {b, 1, 0}, {c, 1, 0}, accumulate, epilogue);
  }
  template <class T>
  static void batched_matmul(MatrixBatch<T> a, MatrixBatch<T> b, MatrixBatch<T> c, bool accumulate) {
    cuda::batched_matmul<products, T, T>(a, b, c, accumulate);
  }
  template <class T>
  static void column_sums(const T* x, long rows, long cols, compute_t<T>* sums, bool add) {
    cuda::column_sums(x, rows, cols, 1.0, sums, add);
  }
  template <class T>
  static void gelu_gradient(const T* dy, const T* pre, T* dx, long rows, long cols, compute_t<T>* sums, bool add) {
    cuda::gelu_gradient(dy, pre, dx, rows, cols, sums, add);
  }
  static void layer_norm_forward(const auto&... arguments) { cuda::layer_norm_forward(arguments...); }
  static void layer_norm_of_plan(const auto&... arguments) { cuda::layer_norm_of_plan(arguments...); }
  static void layer_norm_backward(const auto&... arguments) { cuda::layer_norm_backward(arguments...); }
  static void batch_norm_forward(const auto&... arguments) { cuda::batch_norm_forward(arguments...); }
  static void batch_norm_backward(const auto&... arguments) { cuda::batch_norm_backward(arguments...); }
  static void softmax_forward(const auto&... arguments) { cuda::softmax_forward(arguments...); }
  static void softmax_backward(const auto&... arguments) { cuda::softmax_backward(arguments...); }
  static void log_softmax_forward(const auto&... arguments) { cuda::log_softmax_forward(arguments...); }
  static void log_softmax_backward(const auto&... arguments) { cuda::log_softmax_backward(arguments...); }
  static void cross_entropy_forward(const auto&... arguments) { cuda::cross_entropy_forward(arguments...); }
  static void cross_entropy_backward(const auto&... arguments) { cuda::cross_entropy_backward(arguments...); }
  static void l2_normalize_forward(const auto&... arguments) { cuda::l2_normalize_forward(arguments...); }
  static void l2_normalize_backward(const auto&... arguments) { cuda::l2_normalize_backward(arguments...); }
  static void attention_forward(const auto&... arguments) { cuda::attention_forward(arguments...); }
  static void attention_backward(const auto&... arguments) { cuda::attention_backward(arguments...); }
  static void gather_rows(const auto&... arguments) { cuda::gather_rows(arguments...); }
  static void scatter_add_rows(const auto&... arguments) { cuda::scatter_add_rows(arguments...); }

  static void nearest_rows(const auto&... arguments) { cuda::nearest_rows(arguments...); }

  // ---- views of images
  static void make_views(const ViewShape& shape, const ViewJob* jobs, std::size_t count, const std::uint8_t* images,
                         float* views) {
    cuda::make_views(shape, jobs, count, images, views);
  }

 private:
  template <class T>
  static void transfer(const T* from, T* to, long count, cudaMemcpyKind kind) {
    if (count > 0)
      cuda::require(cudaMemcpyAsync(to, from, static_cast<std::size_t>(count) * sizeof(T), kind, cuda::stream()),
                    "cudaMemcpyAsync");
  }
};

using Cuda = BasicCuda<cuda::FloatProducts::exact>;
/// Float products on tensor cores, at TF32's precision.
using CudaTf32 = BasicCuda<cuda::FloatProducts::tf32>;

}}  // namespace vitral
