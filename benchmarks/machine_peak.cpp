// What this machine can do at best: multiply-adds from registers in fp32 and, where there are instructions for it, in
// bf16, and memory bandwidth by STREAM's triad. A benchmark's share of these says how far from the ceiling it is.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>

#include <omp.h>

#if defined(__AVX512F__) || defined(__AMX_BF16__)
#include <immintrin.h>
#endif
#ifdef __AMX_BF16__
#include <sys/syscall.h>
#include <unistd.h>
#endif

// Without instructions for a fused multiply-add, a * b + c is two of the machine's best.
#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

constexpr int repeats = 5;        // the best one counts: the others were disturbed
constexpr int accumulators = 12;  // independent sums, enough to hide a multiply-add's latency; they stay in registers
volatile float sink;              // what is written here has to be computed

/// Seconds that `work` takes on all threads at once, the best of a few times.
double best_seconds(const auto& work) {
  double best = 1e30;
  for (int i = 0; i < repeats; ++i) {
    double begin = 0, end = 0;
#pragma omp parallel
    {
#pragma omp barrier
#pragma omp master
      begin = omp_get_wtime();
      work();
#pragma omp barrier
#pragma omp master
      end = omp_get_wtime();
    }
    best = std::min(best, end - begin);
  }
  return best;
}

/// `flops`: of one call of `work` on one thread.
void print_rate(const char* what, double flops, const auto& work) {
  std::printf("%s: %.0f GFLOP/s\n", what, flops * omp_get_max_threads() / best_seconds(work) / 1e9);
}

void print_fma(long steps) {
  using Vector [[gnu::vector_size(vector_bytes)]] = float;
  constexpr int lanes = vector_bytes / 4;
  print_rate("fp32 multiply-adds", 2.0 * lanes * accumulators * static_cast<double>(steps), [=] {
    Vector sums[accumulators], factor = Vector{} + 0.5f, term = Vector{} + 0.25f;
    for (int k = 0; k < accumulators; ++k)
      sums[k] = Vector{} + static_cast<float>(k);  // equal sums would be computed once
    for (long i = 0; i < steps; ++i)
      for (Vector& s : sums) s = s * factor + term;
    Vector total{};
    for (const Vector& s : sums) total += s;
    sink = total[0];
  });
}

#ifdef __AVX512BF16__
void print_bf16_dot_products(long steps) {
  print_rate("bf16 dot products", 2.0 * 32 * accumulators * static_cast<double>(steps), [=] {
    __m512 sums[accumulators];
    for (int k = 0; k < accumulators; ++k) sums[k] = _mm512_set1_ps(static_cast<float>(k));
    const auto ones = (__m512bh)_mm512_set1_epi32(0x3f803f80);
    for (long i = 0; i < steps; ++i)
      for (__m512& s : sums) s = _mm512_dpbf16_ps(s, ones, ones);
    for (int k = 1; k < accumulators; ++k) sums[0] += sums[k];
    sink = sums[0][0];
  });
}
#endif

#ifdef __AMX_BF16__
// What ldtilecfg reads: eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  unsigned char palette = 1, start_row = 0, reserved[14] = {};
  unsigned short bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

void print_bf16_tiles(long steps) {
  // Linux saves the tiles of those programs only that have asked for it: ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA.
  if (syscall(SYS_arch_prctl, 0x1023, 18) != 0) return;
  constexpr double flops = 4.0 * 2 * 16 * 16 * 32;  // four products of 16 x 32 and 32 x 16 in each step
  print_rate("bf16 tile products (AMX)", flops * static_cast<double>(steps), [=] {
    const TileConfig config;
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (long i = 0; i < steps; ++i) {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
  });
}
#endif

/// a = b + 3 c, twelve bytes for each element as STREAM counts them.
void print_triad(std::size_t mebibytes) {
  const std::size_t n = mebibytes * (std::size_t{1} << 20) / sizeof(float);
  const std::unique_ptr<float[]> a(new float[n]), b(new float[n]), c(new float[n]);  // not touched yet
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < n; ++i) a[i] = 0, b[i] = 1, c[i] = 2;
  double best = 1e30;
  for (int r = 0; r < repeats; ++r) {
    const double begin = omp_get_wtime();
#pragma omp parallel for simd schedule(static)
    for (std::size_t i = 0; i < n; ++i) a[i] = b[i] + 3 * c[i];
    best = std::min(best, omp_get_wtime() - begin);
  }
  sink = a[n / 2];
  std::printf("triad: %.1f GB/s\n", 12.0 * static_cast<double>(n) / best / 1e9);
}

int main(int argc, char** argv) {
  int threads = 2;
  long steps = 10'000'000;
  std::size_t mebibytes = 512;
  CLI::App app("Measures this machine's peak arithmetic and memory bandwidth");
  app.add_option("--threads", threads, "Threads")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--mebibytes", mebibytes, "Of each of the triad's three arrays, much more than the caches hold")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--loops", steps, "Times round each loop of arithmetic")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  omp_set_num_threads(threads);
  print_fma(steps);
#ifdef __AVX512BF16__
  print_bf16_dot_products(steps);
#endif
#ifdef __AMX_BF16__
  print_bf16_tiles(steps / 10);
#endif
  print_triad(mebibytes);
}
