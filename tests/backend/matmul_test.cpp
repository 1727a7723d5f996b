#include <vitral/backend/cpu/matmul.hpp>
#include <vitral/core/philox.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

using namespace vitral;

namespace {

template <class T>
std::vector<T> random_values(long count, std::uint64_t stream) {
  std::vector<T> out(static_cast<std::size_t>(count));
  const Random random{11, stream, 0};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(static_cast<compute_t<T>>(random.normal(i)));
  return out;
}

template <class T>
double tolerance() {
  return std::is_same_v<T, double> ? 1e-12 : std::is_same_v<T, float> ? 1e-4 : 2e-2;
}

double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }

// Largest difference, relative to 1 + |expected|, between a matmul with everything switched on and a naive one.
template <class T, class C>
double worst_error(long m, long n, long k, bool a_transposed, bool b_transposed, bool accumulate, bool with_bias,
                   Activation activation, bool keep_pre) {
  const auto a = random_values<T>(m * k, 1), b = random_values<T>(k * n, 2);
  const auto bias = random_values<compute_t<C>>(n, 3);
  const long pitch = n + 3;
  std::vector<C> c = random_values<C>(m * pitch, 4), pre(c.size());
  const std::vector<C> before = c;
  const Matrix<const T> left = a_transposed ? transposed(row_major(a.data(), k, m)) : row_major(a.data(), m, k);
  const Matrix<const T> right = b_transposed ? transposed(row_major(b.data(), n, k)) : row_major(b.data(), k, n);
  const Matrix<C> out{c.data(), m, n, pitch, 1};
  cpu::matmul(left, right, out, accumulate,
              {with_bias ? bias.data() : nullptr, activation, keep_pre ? pre.data() : nullptr});
  double worst = 0;
  for (long i = 0; i < m; ++i) {
    for (long j = 0; j < pitch; ++j) {
      const std::size_t at = static_cast<std::size_t>(i * pitch + j);
      double expected = static_cast<double>(before[at]);
      if (j < n) {
        if (!accumulate) expected = 0;
        for (long l = 0; l < k; ++l) expected += static_cast<double>(left(i, l)) * static_cast<double>(right(l, j));
        if (with_bias) expected += static_cast<double>(bias[static_cast<std::size_t>(j)]);
        if (keep_pre)
          worst = std::fmax(worst, std::fabs(static_cast<double>(pre[at]) - expected) / (1 + std::fabs(expected)));
        if (activation == Activation::relu) expected = std::fmax(expected, 0);
        if (activation == Activation::gelu) expected = gelu(expected);
      }
      worst = std::fmax(worst, std::fabs(static_cast<double>(c[at]) - expected) / (1 + std::fabs(expected)));
    }
  }
  return worst;
}

struct Case {
  long m, n, k;
};
constexpr Case cases[] = {{1, 1, 1}, {7, 3, 5}, {1, 33, 17}, {65, 1, 64}, {3, 4, 0}, {130, 70, 9}, {300, 200, 40}};

template <class A, class C_>
struct Types {
  using T = A;
  using C = C_;
};

}  // namespace

TEST_CASE_TEMPLATE("matmul agrees with three loops for every orientation, epilogue and odd size", X,
                   Types<float, float>, Types<double, double>, Types<bf16, bf16>, Types<bf16, float>) {
  using T = typename X::T;
  using C = typename X::C;
  for (const Case& s : cases) {
    for (const bool at : {false, true})
      for (const bool bt : {false, true})
        for (const bool accumulate : {false, true}) {
          CAPTURE(s.m);
          CAPTURE(s.n);
          CAPTURE(s.k);
          CAPTURE(at);
          CAPTURE(bt);
          CAPTURE(accumulate);
          CHECK(worst_error<T, C>(s.m, s.n, s.k, at, bt, accumulate, false, Activation::none, false) < tolerance<C>());
          CHECK(worst_error<T, C>(s.m, s.n, s.k, at, bt, accumulate, true, Activation::gelu, true) < tolerance<C>());
          CHECK(worst_error<T, C>(s.m, s.n, s.k, at, bt, accumulate, true, Activation::relu, false) < tolerance<C>());
        }
  }
}

TEST_CASE_TEMPLATE("batched matmul multiplies each matrix, whatever the strides", T, float, double, bf16) {
  // A lies as [row, batch, col] and B is one matrix for all; the output has dense columns.
  const long count = 3, m = 5, n = 7, k = 4;
  const auto a = random_values<T>(count * m * k, 5), b = random_values<T>(k * n, 6);
  std::vector<T> c(static_cast<std::size_t>(count * m * n));
  const MatrixBatch<const T> left{{a.data(), m, k, count * k, 1}, count, k};
  const MatrixBatch<const T> right{{b.data(), k, n, n, 1}, count, 0};
  const MatrixBatch<T> out{{c.data(), m, n, 1, m}, count, m * n};
  cpu::batched_matmul(left, right, out, false);
  for (long i = 0; i < count; ++i)
    for (long r = 0; r < m; ++r)
      for (long j = 0; j < n; ++j) {
        double expected = 0;
        for (long l = 0; l < k; ++l)
          expected += static_cast<double>(a[static_cast<std::size_t>(r * count * k + i * k + l)]) *
                      static_cast<double>(b[static_cast<std::size_t>(l * n + j)]);
        CHECK(std::fabs(static_cast<double>(out[i](r, j)) - expected) < tolerance<T>() * (1 + std::fabs(expected)));
      }
}

TEST_CASE_TEMPLATE("an operand whose rows repeat or whose strides are both wide is copied first", T, float, double,
                   bf16) {
  const auto a = random_values<T>(64, 7), b = random_values<T>(64, 8);
  std::vector<T> c(12);
  const Matrix<const T> repeated{a.data(), 3, 4, 0, 1}, sparse{b.data(), 4, 4, 16, 2};
  cpu::matmul(repeated, sparse, row_major(c.data(), 3, 4), false);
  for (long i = 0; i < 3; ++i)
    for (long j = 0; j < 4; ++j) {
      double expected = 0;
      for (long l = 0; l < 4; ++l) expected += static_cast<double>(repeated(i, l)) * static_cast<double>(sparse(l, j));
      CHECK(std::fabs(static_cast<double>(c[static_cast<std::size_t>(i * 4 + j)]) - expected) <
            tolerance<T>() * (1 + std::fabs(expected)));
    }
}

TEST_CASE_TEMPLATE("matmul gives the same bits with one thread and with two", T, float, double, bf16) {
  const int threads = cpu::threads();
  for (const Case& s : {Case{1000, 192, 65}, Case{128, 512, 100}, Case{192, 768, 513}, Case{5, 5, 5}}) {
    const auto a = random_values<T>(s.m * s.k, 9), b = random_values<T>(s.k * s.n, 10);
    const auto bias = random_values<compute_t<T>>(s.n, 11);
    std::vector<T> one(static_cast<std::size_t>(s.m * s.n)), two(one.size());
    for (const bool transpose : {false, true}) {
      const Matrix<const T> left =
          transpose ? transposed(row_major(a.data(), s.k, s.m)) : row_major(a.data(), s.m, s.k);
      for (int t = 1; t <= 2; ++t) {
        cpu::set_threads(t);
        cpu::matmul(left, row_major(b.data(), s.k, s.n), row_major((t == 1 ? one : two).data(), s.m, s.n), false,
                    {bias.data(), Activation::gelu, nullptr});
      }
      CHECK(std::memcmp(one.data(), two.data(), one.size() * sizeof(T)) == 0);
    }
  }
  cpu::set_threads(threads);
}

TEST_CASE("matmul names the shapes that do not fit, and the activation that there is not") {
  float x[12] = {};
  CHECK_THROWS_WITH_AS(
      cpu::matmul(row_major<const float>(x, 2, 3), row_major<const float>(x, 4, 3), row_major(x, 2, 3), false),
      "vitral: matmul: cannot multiply 1 x [2, 3] by 1 x [4, 3] into 1 x [2, 3]", Error);
  CHECK_THROWS_WITH_AS(cpu::matmul(row_major<const float>(x, 2, 3), row_major<const float>(x, 3, 2),
                                   row_major(x + 6, 2, 2), false, {nullptr, static_cast<Activation>(3)}),
                       "vitral: matmul: an epilogue with activation 3; expected none, relu or gelu", Error);
  CHECK_THROWS_AS(cpu::set_threads(0), Error);
}

TEST_CASE("parallel_for runs every task once and carries an exception out") {
  std::vector<int> ran(1000);
  cpu::parallel_for(1000, [&](long i) { ++ran[static_cast<std::size_t>(i)]; });
  CHECK(ran == std::vector<int>(1000, 1));
  CHECK_THROWS_AS(cpu::parallel_for(10, [](long i) { check(i != 7, "task ", i); }), Error);
}
