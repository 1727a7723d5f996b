// The place of the CUDA backend: tensors, expressions and the tape compile with nvcc for a backend of a few lines, and
// their plans run in kernels. The program compares a few numbers where there is a device.
#include <vitral/autodiff/record.hpp>
#include <vitral/backend/cuda/pinned.hpp>
#include <vitral/tensor/evaluate.hpp>

#include <cmath>
#include <cstdio>
#include <cuda_runtime.h>
#include <type_traits>
#include <utility>
#include <vector>

namespace cuda_test {

using namespace vitral;

/// Writes the index of the element that stands at `position` in row-major order.
template <int R>
__device__ void find(const Space<R>& space, long position, long (&index)[R]) {
  for (int i = space.axes - 1; i >= 0; --i) {
    index[i] = position % space.extent[i];
    position /= space.extent[i];
  }
}

template <int R, class T, class Plan>
__global__ void evaluate_kernel(Space<R> space, T* out, Plan plan) {
  const long position = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (position >= space.size) return;
  long index[R];
  find(space, position, index);
  out[position] = static_cast<compute_t<T>>(value_at(plan, index, space.axes));
}

// ---- the backward pass, on one thread: it is here to be compiled, not to be fast ------------------------------------

__device__ void clear(const NoGradient&) {}
template <class T, int R>
__device__ void clear(const GradientPlan<T, R>& target) {
  for (long i = 0; target.data && !target.add && i < target.size; ++i) target.data[i] = T(0);
}
__device__ void clear(const Pack<>&) {}
template <class H, class... T>
__device__ void clear(const Pack<H, T...>& targets) {
  clear(targets.head);
  clear(targets.tail);
}

template <class Plan, class C>
__device__ void push(const Plan&, const NoGradient&, C, const long*, int) {}
template <class Plan, class T, int R, class C>
__device__ void push(const Plan&, const GradientPlan<T, R>& target, C g, const long* index, int axes) {
  long offset = 0;
  for (int i = 0; i < axes; ++i) offset += index[i] * target.stride[i];
  if (target.data) target.data[offset] = static_cast<C>(target.data[offset]) + g;
}
template <class Op, class... P, class... G, class C>
__device__ void push(const NodePlan<Op, P...>& plan, const Pack<G...>& targets, C g, const long* index, int axes);

template <class Op, class... P, class... G, class C, int... I>
__device__ void push_arguments(const NodePlan<Op, P...>& plan, const Pack<G...>& targets, C g, const long* index,
                               int axes, std::integer_sequence<int, I...>) {
  using A = joint_compute<decltype(value_at(get<I>(plan.args), index, axes))...>;
  const auto y = value_at(plan, index, axes);
  const auto parts = Op::pull(g, y, static_cast<A>(value_at(get<I>(plan.args), index, axes))...);
  (push(get<I>(plan.args), get<I>(targets), get<I>(parts), index, axes), ...);
}
template <class Op, class... P, class... G, class C>
__device__ void push(const NodePlan<Op, P...>& plan, const Pack<G...>& targets, C g, const long* index, int axes) {
  push_arguments(plan, targets, g, index, axes, std::make_integer_sequence<int, sizeof...(P)>{});
}

template <int R, class Plan, class Targets, class T>
__global__ void pull_back_kernel(Space<R> space, Plan plan, Targets targets, const T* upstream) {
  clear(targets);
  for (long position = 0; position < space.size; ++position) {
    long index[R];
    find(space, position, index);
    using C = decltype(value_at(plan, index, space.axes));
    push(plan, targets, static_cast<C>(upstream[position]), index, space.axes);
  }
}

void succeeds(cudaError_t status) { check(status == cudaSuccess, "CUDA: ", cudaGetErrorString(status)); }

struct TestCuda {
  static constexpr bool on_host = false;

  static void* allocate(std::size_t bytes) {
    void* data = nullptr;
    succeeds(cudaMalloc(&data, bytes));
    return data;
  }
  static void deallocate(void* data) { cudaFree(data); }
  template <class T>
  static void fill(T* data, long count, T value) {
    const std::vector<T> values(static_cast<std::size_t>(count), value);
    copy_from_host(values.data(), data, count);
  }
  template <class T>
  static void copy(const T* from, T* to, long count) {
    succeeds(cudaMemcpy(to, from, static_cast<std::size_t>(count) * sizeof(T), cudaMemcpyDefault));
  }
  template <class T>
  static void copy_from_host(const T* from, T* to, long count) {
    copy(from, to, count);
  }
  template <class T>
  static void copy_to_host(const T* from, T* to, long count) {
    copy(from, to, count);
  }
  template <int R, class T, class Plan>
  static void evaluate(const Space<R>& space, T* out, const Plan& plan) {
    static_assert(std::is_trivially_copyable_v<Plan> && std::is_trivially_copyable_v<Space<R>>);
    static_assert(sizeof(Plan) <= 4000, "a kernel takes 4 KiB of arguments");
    evaluate_kernel<<<static_cast<unsigned>((space.size + 255) / 256), 256>>>(space, out, plan);
    succeeds(cudaGetLastError());
  }
  template <int R, class Plan, class Targets, class T>
  static void pull_back(const Space<R>& space, const Plan& plan, const Targets& targets, const T* upstream) {
    static_assert(std::is_trivially_copyable_v<Plan> && std::is_trivially_copyable_v<Targets>);
    pull_back_kernel<<<1, 1>>>(space, plan, targets, upstream);
    succeeds(cudaGetLastError());
  }
};

using Leaf = LeafPlan<float, 2>;
static_assert(std::is_trivially_copyable_v<NodePlan<op::Gelu, NodePlan<op::Add, Leaf, LeafPlan<bf16, 2>>>>);
static_assert(std::is_trivially_copyable_v<NodePlan<op::Multiply, UniformPlan<2>, ConstantPlan<double>>>);
static_assert(std::is_trivially_copyable_v<Pack<GradientPlan<float, 2>, NoGradient>>);

template <class T>
using Rows = Tensor<T, Shape<dyn, 3>, TestCuda>;
template <class T>
using Row = Tensor<T, Shape<3>, TestCuda>;

bool near(const char* what, double value, double expected, double tolerance) {
  const bool right = std::fabs(value - expected) <= tolerance;
  if (!right) std::printf("%s is %.9g, not %.9g\n", what, value, expected);
  return right;
}

template <class T>
bool runs(double tolerance) {
  using C = compute_t<T>;
  const auto x = Rows<T>::from({C(-1), C(0.5), C(2), C(1), C(-0.25), C(3)}, {2});
  const auto bias = Row<T>::from({C(0.5), C(1), C(-1)}, {});

  // Every family of operations, with broadcasting, constants and random numbers.
  const auto y = eval(gelu(x + bias));
  const double gelu_of_1_5 = 0.75 * (1 + std::erf(1.5 / std::sqrt(2.0)));
  bool right = near("gelu(x + bias)", static_cast<C>(y.to_vector()[1]), gelu_of_1_5, tolerance);
  const auto z = eval(select(x > 0, exp(-x) * tanh(x) + log(abs(x) + 1), sigmoid(x) / 2) + erf(x) -
                      rsqrt(square(x) + 1) + clamp(pow(abs(x) + 1, 1.5), 0.5, 2) * maximum(minimum(x, 1), -1) +
                      relu(-x) * sqrt(abs(x)));
  const double u = 0.5, expected = std::exp(-u) * std::tanh(u) + std::log(1.5) + std::erf(u) - 1 / std::sqrt(1.25) +
                                   std::pow(1.5, 1.5) * u;
  right = near("the long expression", static_cast<C>(z.to_vector()[1]), expected, 4 * tolerance) && right;
  const Random random{1, 2, 3};
  const auto drawn = eval(cast<float>(x) * 0.0f + uniform(random, x.shape()));
  right = near("a random number", drawn.to_vector()[4], random.uniform_float(4), 0) && right;

  // A recorded expression is one node; the gradient of a broadcast leaf is a sum.
  Tape tape;
  const auto v = tape.watch(x);
  const auto b = tape.watch(bias);
  const auto result = eval(square(v + b) * 0.5f);
  tape.backward(result, Rows<T>::from(std::vector<T>(6, T(C(1))), {2}));
  right = near("d x", static_cast<C>(v.grad().to_vector()[5]), 2, tolerance) && right;
  return near("d bias", static_cast<C>(b.grad().to_vector()[0]), 1, tolerance) && right;
}

}  // namespace cuda_test

int main() {
  using namespace cuda_test;
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  vitral::cuda::use_pinned_memory();
  vitral::HostVector<float> batch(1000);
  cudaPointerAttributes attributes{};
  if (cudaPointerGetAttributes(&attributes, batch.data()) != cudaSuccess || attributes.type != cudaMemoryTypeHost)
    return std::puts("a batch does not lie in page-locked memory"), 1;
  const bool right[] = {runs<float>(1e-6), runs<double>(1e-12), runs<bf16>(2e-2)};
  return right[0] && right[1] && right[2] ? 0 : 1;
}
