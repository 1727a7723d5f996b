// Cpu: the backend of the host. oneDNN multiplies float and bf16, Eigen double; OpenMP runs everything else.
#pragma once

#include <vitral/backend/cpu/attention.hpp>
#include <vitral/backend/cpu/evaluate.hpp>
#include <vitral/backend/cpu/fused_block.hpp>
#include <vitral/backend/cpu/matmul.hpp>
#include <vitral/backend/cpu/nearest_rows.hpp>
#include <vitral/backend/cpu/norm.hpp>
#include <vitral/backend/cpu/pull_back.hpp>
#include <vitral/backend/cpu/reduce.hpp>
#include <vitral/backend/cpu/rows.hpp>
#include <vitral/backend/cpu/softmax.hpp>

#include <cstdlib>
#include <cstring>

namespace vitral { inline namespace VITRAL_ABI {

/// See backend/backend.hpp for what each function has to do.
struct Cpu {
  static constexpr bool on_host = true;

  // ---- memory
  [[nodiscard]] static void* allocate(std::size_t bytes) { return vitral::detail::allocate_on_host(bytes); }
  static void deallocate(void* data) { std::free(data); }
  template <class T>
  static void fill(T* data, long count, T value) {
    std::fill_n(data, count, value);
  }
  template <class T>
  static void copy(const T* from, T* to, long count) {
    if (count > 0) std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
  }
  template <class T>
  static void copy_from_host(const T* from, T* to, long count) {
    copy(from, to, count);
  }
  template <class T>
  static void copy_to_host(const T* from, T* to, long count) {
    copy(from, to, count);
  }

  template <class T>
  static void queue_copy_from_host(const T* from, T* to, long count) {
    copy(from, to, count);
  }
  template <class T>
  static void queue_copy_to_host(const T* from, T* to, long count) {
    copy(from, to, count);
  }
  /// Work is done when it is queued.
  struct Steps {
    static constexpr long ahead = 0;
    template <class F>
    long run(std::size_t, F&& work) {
      work();
      return 0;
    }
    void wait(long) {}
  };

  // ---- expressions
  template <int R, class T, class Plan>
  static void evaluate(const Space<R>& space, T* out, const Plan& plan) {
    cpu::evaluate(space, cpu::Target<Plan, T>{plan, out});
  }
  template <int R, class... T, class... Plan>
  static void evaluate_together(const Space<R>& space, const Pack<T*...>& out, const Pack<Plan...>& plans) {
    [&]<int... I>(std::integer_sequence<int, I...>) {
      cpu::evaluate(space, cpu::Target<Plan, T>{get<I>(plans), get<I>(out)}...);
    }
    (std::make_integer_sequence<int, sizeof...(T)>{});
  }
  template <int R, class Plan, class T>
  static void reduce_sum(const Space<R>& space, const Plan& plan, Reduction extents, double scale, T* out) {
    cpu::reduce_sum(space, plan, extents, scale, out);
  }
  template <int R, class Plan, class T>
  static void reduce_max(const Space<R>& space, const Plan& plan, Reduction extents, T* out, int* places) {
    cpu::reduce_max(space, plan, extents, out, places);
  }
  template <int R, class Plan, class Targets, class T>
  static void pull_back(const Space<R>& space, const Plan& plan, const Targets& targets, const T* upstream) {
    cpu::pull_back(space, plan, targets, upstream);
  }
  template <int R, class Plan, class T>
  static void evaluate_window(const Space<R>& space, const Plan& plan, const LeafPlan<T, R>& window, T* out) {
    cpu::evaluate_window(space, plan, window, out);
  }

  // ---- products and row operations
  template <class A, class C>
  static void matmul(Matrix<A> a, Matrix<A> b, Matrix<C> c, bool accumulate, const Epilogue<C>& epilogue = {}) {
    using T = std::remove_const_t<A>;
    cpu::matmul<T, T, C>(a, b, c, accumulate, epilogue);
  }
  template <class T>
  static void batched_matmul(MatrixBatch<T> a, MatrixBatch<T> b, MatrixBatch<T> c, bool accumulate) {
    cpu::batched_matmul<T, T, T>(a, b, c, accumulate);
  }
  static void layer_norm_forward(const auto&... arguments) { cpu::layer_norm_forward(arguments...); }
  static void layer_norm_backward(const auto&... arguments) { cpu::layer_norm_backward(arguments...); }
  static void batch_norm_forward(const auto&... arguments) { cpu::batch_norm_forward(arguments...); }
  static void batch_norm_backward(const auto&... arguments) { cpu::batch_norm_backward(arguments...); }
  static void softmax_forward(const auto&... arguments) { cpu::softmax_forward(arguments...); }
  static void softmax_backward(const auto&... arguments) { cpu::softmax_backward(arguments...); }
  static void log_softmax_forward(const auto&... arguments) { cpu::log_softmax_forward(arguments...); }
  static void log_softmax_backward(const auto&... arguments) { cpu::log_softmax_backward(arguments...); }
  static void cross_entropy_forward(const auto&... arguments) { cpu::cross_entropy_forward(arguments...); }
  static void cross_entropy_backward(const auto&... arguments) { cpu::cross_entropy_backward(arguments...); }
  static void l2_normalize_forward(const auto&... arguments) { cpu::l2_normalize_forward(arguments...); }
  static void l2_normalize_backward(const auto&... arguments) { cpu::l2_normalize_backward(arguments...); }
  static void attention_forward(const auto&... arguments) { cpu::attention_forward(arguments...); }
  static void attention_backward(const auto&... arguments) { cpu::attention_backward(arguments...); }
  static void block_forward(const auto&... arguments) { cpu::block_forward(arguments...); }
  static void block_backward(const auto&... arguments) { cpu::block_backward(arguments...); }
  static void gather_rows(const auto&... arguments) { cpu::gather_rows(arguments...); }
  static void scatter_add_rows(const auto&... arguments) { cpu::scatter_add_rows(arguments...); }
  static void nearest_rows(const auto&... arguments) { cpu::nearest_rows(arguments...); }
};

}}  // namespace vitral
