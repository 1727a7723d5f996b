// Element-wise code beside a hand-written loop that moves the same bytes, on tensors far larger than the caches. The
// ratio of the two rates is how close an expression comes to the memory's bandwidth.
#include <vitral/vitral.hpp>

#include <benchmark/benchmark.h>

using namespace vitral;

namespace {

constexpr int rows = 1 << 18, width = 768;  // 768 MiB of float, 384 MiB of bf16
constexpr long elements = static_cast<long>(rows) * width;
using Dense = Shape<dyn, width>;

/// Memory that has been written to, so that its pages are there. The pool hands the same blocks to every benchmark.
template <class T, class S = Dense>
Tensor<T, S> filled(float value, const S& shape = {rows}) {
  auto x = Tensor<T, S>::uninitialized(shape);
  assign(x, uniform(Random{1, 0, 0}, shape) + value);
  return x;
}

void report(benchmark::State& state, std::size_t bytes_of_element, long count = elements) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes_of_element) * count);
}

// ---- the yardsticks: plain loops, each thread over its share --------------------------------------------------------

/// One array read, one written.
template <class T>
void loop_copy(benchmark::State& state) {
  const auto x = filled<T>(0), y = filled<T>(0);
  const T* from = x.data();
  T* to = y.data();
  for (auto _ : state) {
#pragma omp parallel for simd schedule(static)
    for (long i = 0; i < elements; ++i) to[i] = from[i];
    benchmark::ClobberMemory();
  }
  report(state, 2 * sizeof(T));
}

/// STREAM's triad: two arrays read, one written.
template <class T>
void loop_triad(benchmark::State& state) {
  const auto x = filled<T>(0), y = filled<T>(0), z = filled<T>(0);
  const T *a = x.data(), *b = y.data();
  T* c = z.data();
  for (auto _ : state) {
#pragma omp parallel for simd schedule(static)
    for (long i = 0; i < elements; ++i)
      c[i] = static_cast<compute_t<T>>(a[i]) + compute_t<T>(3) * static_cast<compute_t<T>>(b[i]);
    benchmark::ClobberMemory();
  }
  report(state, 3 * sizeof(T));
}

/// What an optimiser's step with a moving average moves: five arrays read, four of them written.
void loop_update(benchmark::State& state) {
  const long count = elements / 4;
  const auto x = filled<float>(0), y = filled<float>(0);
  const float* g = x.data();
  float *m = y.data(), *v = m + count, *p = v + count, *t = p + count;
  for (auto _ : state) {
#pragma omp parallel for simd schedule(static)
    for (long i = 0; i < count; ++i) {
      m[i] += g[i];
      v[i] += g[i];
      p[i] += m[i];
      t[i] += p[i];
    }
    benchmark::ClobberMemory();
  }
  report(state, 9 * sizeof(float), count);
}

// ---- expressions ----------------------------------------------------------------------------------------------------

template <class T>
void triad(benchmark::State& state) {
  const auto a = filled<T>(0), b = filled<T>(0), c = filled<T>(0);
  for (auto _ : state) assign(c, a + 3 * b);
  report(state, 3 * sizeof(T));
}

template <class T>
void gelu_forward(benchmark::State& state) {
  const auto x = filled<T>(-0.5f), y = filled<T>(0);
  const Tensor<T, Shape<width>> bias;
  for (auto _ : state) assign(y, gelu(x + bias));
  report(state, 2 * sizeof(T));
}

/// Reads x and the result's gradient, writes x's; the bias's gradient is a sum.
template <class T>
void gelu_backward(benchmark::State& state) {
  const auto x = filled<T>(-0.5f), upstream = filled<T>(0);
  const Tensor<T, Shape<width>> bias;
  Tape tape;
  const auto y = Tensor<T, Dense>::uninitialized({rows});
  const auto record = [&] {
    tape.zero_grad();
    return eval(gelu(tape.watch(x) + tape.watch(bias)));
  };
  tape.backward(record(), upstream);  // from here on the pool has the gradients' memory
  for (auto _ : state) {
    state.PauseTiming();
    const auto loss = record();
    state.ResumeTiming();
    tape.backward(loss, upstream);
  }
  report(state, 3 * sizeof(T));
}

template <class T>
void dropout(benchmark::State& state) {
  const auto x = filled<T>(-0.5f), y = filled<T>(0);
  for (auto _ : state) assign(y, x * (uniform(Random{1, 2, 3}, Dense{rows}) < 0.9f) * (1 / 0.9));
  report(state, 2 * sizeof(T));
}

/// A student of one vector and its teacher.
struct Vector {
  Parameter<float, Shape<dyn>> weight;
  VITRAL_MEMBERS(weight)
};
struct Pair {
  Vector student, average;
  VITRAL_MEMBERS(student)
  void for_each_average(auto&& f) const { f(average, student, 0.99); }
};

/// AdamW with the teacher's average in the same pass, or in one after it.
void adamw(benchmark::State& state, bool together) {
  const int count = elements / 4;
  const auto numbers = [&](float value) { return filled<float>(value, Shape<dyn>{count}); };
  const Pair pair{{{numbers(0)}}, {{numbers(0)}}};
  auto optimizer = make_optimizer(AdamW{}, pair);
  Tape tape;
  tape.backward(eval(tape.watch(pair.student.weight) * 2.0f), numbers(-0.5f));
  for (auto _ : state) {
    if (together) {
      optimizer.step(tape, pair);
    } else {
      optimizer.step(tape);
      const auto& average = pair.average.weight.value;
      assign(average, moving_average(average, pair.student.weight.value, 0.99));
    }
  }
  report(state, 9 * sizeof(float), count);
}

BENCHMARK(loop_copy<float>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(gelu_forward<float>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(dropout<float>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(loop_copy<bf16>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(gelu_forward<bf16>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(loop_triad<float>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(triad<float>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(gelu_backward<float>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(loop_triad<bf16>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(triad<bf16>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(gelu_backward<bf16>)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(loop_update)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(adamw, with_average, true)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(adamw, average_afterwards, false)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
