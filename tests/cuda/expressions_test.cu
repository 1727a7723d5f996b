// Expressions and the tape on the device: every family of operations against numbers computed here, random numbers equal
// to the host's bit for bit, and batches in page-locked memory.
#include <vitral/autodiff/record.hpp>
#include <vitral/autodiff/reduce.hpp>
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/tensor/evaluate.hpp>

#include <cmath>
#include <cstdio>
#include <cuda_runtime.h>
#include <type_traits>
#include <utility>
#include <vector>

namespace cuda_test {

using namespace vitral;

template <class T>
using Rows = Tensor<T, Shape<dyn, 3>, Cuda>;
template <class T>
using Row = Tensor<T, Shape<3>, Cuda>;

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
  right = near("d bias", static_cast<C>(b.grad().to_vector()[0]), 1, tolerance) && right;

  // The backward of a maximum does not wait for the device, so it can be part of a graph: twice eager, then captured.
  Cuda::Steps steps;
  auto d_max = Rows<T>::from(std::vector<T>(6, T(C(0))), {2});
  for (int i = 0; i < 3; ++i)
    steps.wait(steps.run(0, [&] {
      Tape inner;
      const auto w = inner.watch(x);
      inner.backward(sum(max<1>(w) * static_cast<float>(i)));
      d_max = w.grad();
    }));
  const auto found = d_max.to_vector();
  for (std::size_t i = 0; i < 6; ++i)
    right = near("d max", static_cast<C>(found[i]), i % 3 == 2 ? 2 : 0, 0) && right;
  return right;
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
