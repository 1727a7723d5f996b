// Expressions and the tape on the device: every family of operations against numbers computed here, random numbers
// equal to the host's bit for bit, losses, text, and batches in page-locked memory.
#include <vitral/autodiff/causal_attention.hpp>
#include <vitral/autodiff/gradcheck.hpp>
#include <vitral/autodiff/layout.hpp>
#include <vitral/autodiff/losses.hpp>
#include <vitral/autodiff/record.hpp>
#include <vitral/autodiff/reduce.hpp>
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/tensor/evaluate.hpp>
#include <vitral/tensor/print.hpp>

#include <cuda_runtime.h>
#include <cmath>
#include <cstdio>
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
  const auto z =
      eval(select(x > 0, exp(-x) * tanh(x) + log(abs(x) + 1), sigmoid(x) / 2) + erf(x) - rsqrt(square(x) + 1) +
           clamp(pow(abs(x) + 1, 1.5), 0.5, 2) * maximum(minimum(x, 1), -1) + relu(-x) * sqrt(abs(x)));
  const double u = 0.5, expected = std::exp(-u) * std::tanh(u) + std::log(1.5) + std::erf(u) - 1 / std::sqrt(1.25) +
                                   std::pow(1.5, 1.5) * u;
  right = near("the long expression", static_cast<C>(z.to_vector()[1]), expected, 4 * tolerance) && right;
  const auto smooth = eval(silu(x) + softplus(x) * log1p(square(x)) - sin(x) * cos(x));
  const double s = std::exp(-u),
               smooth_expected = u / (1 + s) + std::log1p(1 / s) * std::log1p(u * u) - std::sin(u) * std::cos(u);
  right = near("smooth functions", static_cast<C>(smooth.to_vector()[1]), smooth_expected, 4 * tolerance) && right;
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

  tape.zero_grad();
  tape.backward(sum(silu(v) + softplus(v) + log1p(square(v)) + sin(v) + cos(v)));
  const double sigmoid_of_2 = 1 / (1 + std::exp(-2.0));
  const double slope =
      sigmoid_of_2 * (1 + 2 * (1 - sigmoid_of_2)) + sigmoid_of_2 + 4.0 / 5 + std::cos(2.0) - std::sin(2.0);
  right = near("d smooth functions", static_cast<C>(v.grad().to_vector()[2]), slope, 4 * tolerance) && right;

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
  for (std::size_t i = 0; i < 6; ++i) right = near("d max", static_cast<C>(found[i]), i % 3 == 2 ? 2 : 0, 0) && right;
  return right;
}

/// Losses, changes in place and text, of tensors on the device.
bool compares_and_prints() {
  const auto x = Row<float>::from({-1, 0.5f, 2}, {}), target = Row<float>::from({0, 1, 1}, {});
  Tape tape;
  const auto v = tape.watch(x);
  tape.backward(bce_with_logits(v, target) + huber(v, target, 0.75) + mse(v, target) + l1(v, target));
  bool right = near("bce_with_logits", bce_with_logits(x, target).item(),
                    (std::log1p(std::exp(-1.0)) + std::log1p(std::exp(-0.5)) + std::log1p(std::exp(-2.0))) / 3, 1e-6);
  right = near("huber", huber(x, target, 0.75).item(), (2 * 0.75 * (1 - 0.375) + 0.125) / 3, 1e-6) && right;
  right = near("d losses", v.grad().to_vector()[1], (1 / (1 + std::exp(-0.5)) - 1 - 0.5 - 1 - 1) / 3, 1e-6) && right;
  x += target;
  x *= 2;
  if (text_of(x) == "f32 [3]\n[-2,  3,  6]") return right;
  std::printf("the text is %s\n", text_of(x).c_str());
  return false;
}

template <class T>
using Box = Tensor<T, Shape<dyn, dyn, dyn>, Cuda>;

/// first, first + 1, ...
template <class T>
Box<T> counted(const Shape<dyn, dyn, dyn>& shape, int first) {
  std::vector<T> values(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = T(static_cast<compute_t<T>>(first + static_cast<int>(i)));
  return Box<T>::from(values, shape);
}

/// Windows are written four elements at a time only where rows and addresses allow it: boxes of a and of b columns are
/// joined side by side and one behind the other, and their gradients taken apart.
template <class T>
bool joins(int a, int b) {
  const auto number = [](T x) { return static_cast<double>(static_cast<compute_t<T>>(x)); };
  const auto left = counted<T>({2, 3, a}, 1), right = counted<T>({2, 3, b}, 64);
  Tape tape;
  const auto vl = tape.watch(left), vr = tape.watch(right);
  const auto beside = concat<2>(vl, vr, vl);
  const auto values = beside.value().to_vector();
  tape.backward(beside, counted<T>(beside.shape(), 0));
  const auto dl = vl.grad().to_vector(), dr = vr.grad().to_vector();
  bool right_values = true;
  for (int row = 0; row < 6; ++row)
    for (int k = 0; k < a + b + a; ++k) {
      const bool in_right = k >= a && k < a + b;
      const int column = k < a ? k : in_right ? k - a : k - a - b;
      const double got = number(values[static_cast<std::size_t>(row * (a + b + a) + k)]);
      const double expected = in_right ? 64 + row * b + column : 1 + row * a + column;
      right_values = right_values && got == expected;
      if (in_right)
        right_values = right_values && number(dr[static_cast<std::size_t>(row * b + column)]) == row * (a + b + a) + k;
      else if (k < a)
        right_values = right_values &&
                       number(dl[static_cast<std::size_t>(row * a + column)]) == 2 * row * (a + b + a) + k + k + a + b;
    }
  const Parameter<compute_t<T>, Shape<dyn, dyn, dyn>, Cuda> addend{counted<compute_t<T>>({1, 5, a}, 3), false};
  const auto behind = concat_plus<1>(addend, left, counted<T>({2, 2, a}, 32)).to_vector();
  for (int row = 0; row < 10; ++row)
    for (int k = 0; k < a; ++k) {
      const int box = row / 5, at = row % 5;
      const double part = at < 3 ? 1 + (box * 3 + at) * a + k : 32 + (box * 2 + at - 3) * a + k;
      right_values = right_values && number(behind[static_cast<std::size_t>(row * a + k)]) == part + 3 + at * a + k;
    }
  if (!right_values) std::printf("joining boxes of %d and %d columns went wrong\n", a, b);
  return right_values;
}

/// Residual sums share a gradient until their branches add to it.
template <class T>
bool sums_share_gradients() {
  const auto x = counted<T>({2, 3, 4}, 1);
  Tape tape;
  const auto v = tape.watch(x), h = eval(v * 1), early = eval(h * 4);
  const auto y = eval(h + eval(h * 2)), z = eval(y + y + early);
  tape.backward(z, counted<T>(x.shape(), 0));
  const auto got = v.grad().to_vector();
  bool right = true;
  for (std::size_t i = 0; i < got.size(); ++i)
    right =
        near("the gradient of residual sums", static_cast<compute_t<T>>(got[i]), 10.0 * static_cast<double>(i), 0) &&
        right;
  return right;
}

/// Later tokens are hidden, and the gradients are those of finite differences.
bool attends_to_earlier_tokens() {
  std::vector<double> numbers(2 * 3 * 12);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = Random{1, 2, 3}.normal(i);
  const auto qkv = Tensor<double, Shape<dyn, dyn, dyn>, Cuda>::from(numbers, {2, 3, 12});
  const auto all = causal_attention(qkv, 2).to_vector();
  const auto seen = attention(slice<1>(qkv, 0, 2), 2).to_vector();
  bool right = true;
  for (std::size_t image = 0; image < 2; ++image)
    for (std::size_t i = 4; i < 8; ++i)
      right = near("causal attention", all[image * 12 + i], seen[image * 8 + i], 1e-12) && right;
  const auto f = [](const auto& x) { return causal_attention(x, 2); };
  return near("the error of causal attention's gradient", gradcheck(f, qkv), 0, 1e-7) && right;
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
  bool windows = true;
  for (const auto& [a, b] : {std::pair{4, 4}, {8, 4}, {2, 4}, {3, 5}, {4, 3}, {1, 4}})
    windows = joins<float>(a, b) && joins<double>(a, b) && joins<bf16>(a, b) && windows;
  const bool shares = sums_share_gradients<float>() && sums_share_gradients<bf16>();
  const bool compares = compares_and_prints();
  return right[0] && right[1] && right[2] && windows && shares && compares && attends_to_earlier_tokens() ? 0 : 1;
}
