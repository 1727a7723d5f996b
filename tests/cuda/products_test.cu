// What cuBLASLt is asked for, and graphs that have to be made anew: choices that the results of a product do not show.
#define DOCTEST_CONFIG_IMPLEMENT
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/tensor/tensor.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <vector>

using namespace vitral;

namespace {

using Products = cuda::detail::Products;

template <class T>
Tensor<T, Shape<dyn>, Cuda> noise(int count, std::uint64_t stream) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<compute_t<T>>(Random{5, stream, 0}.normal(i));
  return Tensor<T, Shape<dyn>, Cuda>::from(values, {count});
}

template <class T, class S>
std::vector<float> numbers(const Tensor<T, S, Cuda>& x) {
  std::vector<float> out;
  for (const T value : x.to_vector()) out.push_back(static_cast<float>(value));
  return out;
}

/// c += a b, twice, with a bias, GELU and its argument where asked for; then c and the argument.
template <class T, class C>
std::vector<float> product(Products& products, int m, int k, int n, cublasLtEpilogue_t epilogue) {
  const auto a = noise<T>(m * k, 1), b = noise<T>(k * n, 2);
  const auto c = noise<C>(m * n, 3), argument = noise<C>(m * n, 4), bias = noise<C>(n, 5);
  const MatrixBatch<const T> left{row_major<const T>(a.data(), m, k), 1, 0};
  const MatrixBatch<const T> right{row_major<const T>(b.data(), k, n), 1, 0};
  const auto key = cuda::detail::product_key<cuda::FloatProducts::exact>(
      left, right, MatrixBatch<C>{row_major(c.data(), m, n), 1, 0}, epilogue, true);
  cuda::detail::Beside beside;
  if (epilogue != CUBLASLT_EPILOGUE_DEFAULT) beside = {bias.data(), argument.data()};
  for (int i = 0; i < 2; ++i) CHECK(products.run(key, a.data(), b.data(), c.data(), beside) == CUBLAS_STATUS_SUCCESS);
  std::vector<float> out = numbers(c);
  const std::vector<float> kept = numbers(argument);
  out.insert(out.end(), kept.begin(), kept.end());
  return out;
}

}  // namespace

TEST_CASE("a trial of algorithms changes the speed of a product and not a bit of it") {
  Products plain(1e30), trying(0);
  const auto none = CUBLASLT_EPILOGUE_DEFAULT, gelu = CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
  CHECK(product<float, float>(plain, 33, 48, 24, none) == product<float, float>(trying, 33, 48, 24, none));
  CHECK(product<bf16, float>(plain, 33, 48, 64, none) == product<bf16, float>(trying, 33, 48, 64, none));
  CHECK(product<bf16, bf16>(plain, 33, 48, 32, gelu) == product<bf16, bf16>(trying, 33, 48, 32, gelu));
  CHECK(product<bf16, bf16>(plain, 640, 512, 256, gelu) == product<bf16, bf16>(trying, 640, 512, 256, gelu));
}

#if defined(VITRAL_ON_FIBRES)
TEST_CASE("the fastest algorithm with the usual bits is taken, for a small product the first that is supported") {
  using on_host::Algorithm;
  const auto runs = [](Algorithm way) { return on_host::runs_of_algorithms()[static_cast<int>(way)]; };
  const long usual = runs(Algorithm::usual), other = runs(Algorithm::other_bits), fast = runs(Algorithm::fast);
  const long fastest = runs(Algorithm::without_workspace);
  Products products(2.0 * 19 * 8 * 64);
  product<float, float>(products, 18, 8, 64, CUBLASLT_EPILOGUE_DEFAULT);
  CHECK(runs(Algorithm::usual) == usual + 2);
  for (int i = 1; i < 3; ++i) {  // the second time, what was found is remembered
    product<float, float>(products, 19, 8, 64, CUBLASLT_EPILOGUE_DEFAULT);
    CHECK(runs(Algorithm::usual) == usual + 2 + 10);  // once for its bits, nine times for its time
    CHECK(runs(Algorithm::other_bits) == other + 1);
    CHECK(runs(Algorithm::fast) == fast + 10);
    CHECK(runs(Algorithm::without_workspace) == fastest + 10 + 2 * i);
  }
}
#endif

TEST_CASE("a product of a shape that is first met in a graph is not tried, and is right") {
  Products plain(1e30), trying(0);
  const auto a = noise<float>(20 * 8, 1), b = noise<float>(8 * 72, 2);
  const auto eager = noise<float>(20 * 72, 3), captured = noise<float>(20 * 72, 4);
  const auto multiply = [&](Products& products, float* c) {
    const auto key = cuda::detail::product_key<cuda::FloatProducts::exact>(
        MatrixBatch<const float>{row_major<const float>(a.data(), 20, 8), 1, 0},
        MatrixBatch<const float>{row_major<const float>(b.data(), 8, 72), 1, 0},
        MatrixBatch<float>{row_major(c, 20, 72), 1, 0}, CUBLASLT_EPILOGUE_DEFAULT, false);
    CHECK(products.run(key, a.data(), b.data(), c) == CUBLAS_STATUS_SUCCESS);
  };
  multiply(plain, eager.data());
  cuda::Steps steps;
  for (int i = 0; i < 3; ++i)
    steps.wait(steps.run(0, [&] {
      if (i == 2) multiply(trying, captured.data());
    }));
  CHECK(steps.graphs_made() == 1);
  CHECK(numbers(captured) == numbers(eager));
}

TEST_CASE("a graph is made once for steps of one form, and anew for another form") {
  cuda::Steps steps;
  const auto x = noise<float>(8, 1), y = noise<float>(8, 2);
  const auto step = [&](std::size_t kind, int fills, bool copies) {
    steps.wait(steps.run(kind, [&] {
      for (int i = 0; i < fills; ++i) Cuda::fill(x.data(), 8, static_cast<float>(i));
      if (copies) Cuda::copy(x.data(), y.data(), 8);
    }));
  };
  for (int i = 0; i < 6; ++i) step(0, 2, false);
  CHECK(steps.graphs_made() == 1);
  step(0, 3, false);
  CHECK(steps.graphs_made() == 2);
  step(0, 3, false);
  CHECK(steps.graphs_made() == 2);
  step(0, 2, true);  // as many operations, one of another kind
  CHECK(steps.graphs_made() == 3);
  CHECK(numbers(y) == std::vector<float>(8, 1.0f));
  for (int i = 0; i < 4; ++i) step(1, 2, false);
  CHECK(steps.graphs_made() == 4);
}

int main(int argc, char** argv) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  return doctest::Context(argc, argv).run();
}
