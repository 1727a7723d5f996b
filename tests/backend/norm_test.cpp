#include <vitral/backend/cpu/norm.hpp>
#include <vitral/core/philox.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

using namespace vitral;

namespace {

constexpr double eps = 1e-5;

template <class T>
std::vector<T> random_values(long count, std::uint64_t stream, double offset = 0) {
  std::vector<T> out(static_cast<std::size_t>(count));
  const Random random{31, stream, 0};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<T>(static_cast<compute_t<T>>(random.normal(i) + offset));
  return out;
}

template <class T>
double tolerance() {
  return std::is_same_v<T, double> ? 1e-7 : std::is_same_v<T, float> ? 1e-3 : 5e-2;
}

// Normalises vectors of `length` elements `step` apart, `count` vectors that begin `start` apart, in double.
struct Geometry {
  long count, start, length, step;
};
Geometry layer(long rows, long cols) { return {rows, cols, cols, 1}; }
Geometry batch(long rows, long cols) { return {cols, 1, rows, cols}; }

std::vector<double> naive(const std::vector<double>& x, const std::vector<double>& gamma,
                          const std::vector<double>& beta, const Geometry& g, long cols) {
  std::vector<double> y(x.size());
  for (long v = 0; v < g.count; ++v) {
    const auto at = [&](long i) { return static_cast<std::size_t>(v * g.start + i * g.step); };
    double mean = 0, var = 0;
    for (long i = 0; i < g.length; ++i) mean += x[at(i)] / static_cast<double>(g.length);
    for (long i = 0; i < g.length; ++i) var += (x[at(i)] - mean) * (x[at(i)] - mean) / static_cast<double>(g.length);
    for (long i = 0; i < g.length; ++i) {
      const std::size_t c = at(i) % static_cast<std::size_t>(cols);
      y[at(i)] = (x[at(i)] - mean) / std::sqrt(var + eps) * gamma[c] + beta[c];
    }
  }
  return y;
}

template <class T>
struct Run {
  using P = compute_t<T>;
  std::vector<T> y, dx;
  std::vector<P> dgamma, dbeta, running_mean, running_var;
};

template <class T>
Run<T> run(bool is_layer, const std::vector<T>& x, const std::vector<compute_t<T>>& gamma,
           const std::vector<compute_t<T>>& beta, const std::vector<T>& dy, long rows, long cols, bool add) {
  using P = compute_t<T>;
  const std::size_t n = static_cast<std::size_t>(cols);
  const P start = add ? P(1) : P(9);
  Run<T> r{std::vector<T>(x.size()), std::vector<T>(x.size(), static_cast<T>(start)),
           std::vector<P>(n, start), std::vector<P>(n, start),
           std::vector<P>(n, P(2)),  std::vector<P>(n, P(3))};
  std::vector<P> mean(static_cast<std::size_t>(is_layer ? rows : cols)), rstd(mean.size());
  if (is_layer) {
    cpu::layer_norm_forward(x.data(), gamma.data(), beta.data(), r.y.data(), mean.data(), rstd.data(), rows, cols, eps);
    cpu::layer_norm_backward(x.data(), gamma.data(), mean.data(), rstd.data(), dy.data(), r.dx.data(), add,
                             r.dgamma.data(), add, r.dbeta.data(), add, rows, cols);
  } else {
    cpu::batch_norm_forward(x.data(), gamma.data(), beta.data(), r.y.data(), mean.data(), rstd.data(),
                            r.running_mean.data(), r.running_var.data(), 0.1, eps, rows, cols);
    cpu::batch_norm_backward(x.data(), gamma.data(), mean.data(), rstd.data(), dy.data(), r.dx.data(), add,
                             r.dgamma.data(), add, r.dbeta.data(), add, rows, cols);
  }
  return r;
}

// Forward against plain loops, backward against finite differences of them, overwriting and adding.
template <class T>
void verify(bool is_layer, long rows, long cols) {
  using P = compute_t<T>;
  const auto x = random_values<T>(rows * cols, 1, 0.5), dy = random_values<T>(rows * cols, 2);
  const auto gamma = random_values<P>(cols, 3, 1), beta = random_values<P>(cols, 4);
  const Geometry g = is_layer ? layer(rows, cols) : batch(rows, cols);
  std::vector<double> xd(x.begin(), x.end()), gd(gamma.begin(), gamma.end()), bd(beta.begin(), beta.end());
  const auto r = run(is_layer, x, gamma, beta, dy, rows, cols, false);
  const auto added = run(is_layer, x, gamma, beta, dy, rows, cols, true);
  const auto y = naive(xd, gd, bd, g, cols);
  for (std::size_t i = 0; i < y.size(); ++i)
    CHECK(std::fabs(static_cast<double>(r.y[i]) - y[i]) < tolerance<T>() * (1 + std::fabs(y[i])));
  const auto compare = [&](std::vector<double>& variable, const auto& gradient, const auto& added_gradient) {
    for (std::size_t i = 0; i < variable.size(); i += 1 + variable.size() / 50) {
      const double keep = variable[i], h = 1e-5;
      double slope = 0;
      for (const double side : {1.0, -1.0}) {
        variable[i] = keep + side * h;
        const auto out = naive(xd, gd, bd, g, cols);
        for (std::size_t j = 0; j < out.size(); ++j) slope += side * out[j] * static_cast<double>(dy[j]) / (2 * h);
      }
      variable[i] = keep;
      CAPTURE(i);
      const double allowed = tolerance<T>() * (1 + std::fabs(slope)) * 2;
      CHECK(std::fabs(static_cast<double>(gradient[i]) - slope) < allowed);
      CHECK(std::fabs(static_cast<double>(added_gradient[i]) - 1 - slope) < allowed);
    }
  };
  compare(xd, r.dx, added.dx);
  compare(gd, r.dgamma, added.dgamma);
  compare(bd, r.dbeta, added.dbeta);
}

}  // namespace

TEST_CASE_TEMPLATE("layer_norm agrees with plain loops and with finite differences", T, float, double, bf16) {
  for (const auto& [rows, cols] : {std::pair{1l, 7l}, {5l, 33l}, {65l, 16l}, {130l, 3l}}) {
    verify<T>(true, rows, cols);
  }
}

TEST_CASE_TEMPLATE("batch_norm agrees with plain loops and with finite differences", T, float, double, bf16) {
  for (const auto& [rows, cols] : {std::pair{3l, 7l}, {33l, 5l}, {16l, 65l}, {9l, 130l}}) {
    verify<T>(false, rows, cols);
  }
}

TEST_CASE("gamma, beta, statistics and gradients that nobody wants may be null") {
  const auto x = random_values<double>(12, 5), dy = random_values<double>(12, 6);
  const std::vector<double> ones(4, 1.0), zeros(4, 0.0);
  std::vector<double> plain(12), affine(12), mean(4), rstd(4), dx(12), dx_affine(12), sums(4);
  cpu::layer_norm_forward<double>(x.data(), nullptr, nullptr, plain.data(), nullptr, nullptr, 3, 4, eps);
  cpu::layer_norm_forward(x.data(), ones.data(), zeros.data(), affine.data(), mean.data(), rstd.data(), 3, 4, eps);
  CHECK(plain == affine);
  cpu::layer_norm_backward<double>(x.data(), nullptr, mean.data(), rstd.data(), dy.data(), dx.data(), false, nullptr,
                                   false, nullptr, false, 3, 4);
  cpu::layer_norm_backward<double>(x.data(), ones.data(), mean.data(), rstd.data(), dy.data(), dx_affine.data(), false,
                                   sums.data(), false, nullptr, false, 3, 4);
  // Two loops, which the compiler may contract into fused multiply-adds differently: equal to rounding, not in bits.
  for (std::size_t i = 0; i < dx.size(); ++i) CHECK(dx[i] == doctest::Approx(dx_affine[i]).epsilon(1e-13));
  cpu::batch_norm_forward<double>(x.data(), nullptr, nullptr, plain.data(), mean.data(), rstd.data(), nullptr, nullptr,
                                  0.1, eps, 3, 4);
  cpu::batch_norm_forward<double>(x.data(), ones.data(), zeros.data(), affine.data(), mean.data(), rstd.data(), nullptr,
                                  nullptr, 0.1, eps, 3, 4);
  CHECK(plain == affine);
}

TEST_CASE("batch_norm follows the mean and the unbiased variance with its momentum") {
  const std::vector<double> x = {1, 2, 6};  // mean 3, squares 4 + 1 + 9 = 14, unbiased variance 7
  std::vector<double> y(3);
  double mean = 0, rstd = 0, running_mean = 2, running_var = 3;
  cpu::batch_norm_forward<double>(x.data(), nullptr, nullptr, y.data(), &mean, &rstd, &running_mean, &running_var, 0.1,
                                  0.0, 3, 1);
  CHECK(mean == doctest::Approx(3));
  CHECK(rstd == doctest::Approx(std::sqrt(3.0 / 14)));
  CHECK(running_mean == doctest::Approx(0.9 * 2 + 0.1 * 3));
  CHECK(running_var == doctest::Approx(0.9 * 3 + 0.1 * 7));
  CHECK_THROWS_AS(cpu::batch_norm_forward<double>(x.data(), nullptr, nullptr, y.data(), &mean, &rstd, nullptr, nullptr,
                                                  0.1, 0.0, 1, 1),
                  Error);
}

TEST_CASE("statistics of values far from zero are accurate") {
  const long rows = 300;
  std::vector<float> x(static_cast<std::size_t>(rows)), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 10000.0f + (i % 2 == 0 ? 1.0f : -1.0f);
  float mean = 0, rstd = 0;
  cpu::batch_norm_forward<float>(x.data(), nullptr, nullptr, y.data(), &mean, &rstd, nullptr, nullptr, 0.1, 0.0, rows,
                                 1);
  CHECK(mean == 10000.0f);
  CHECK(rstd == 1.0f);
  cpu::layer_norm_forward<float>(x.data(), nullptr, nullptr, y.data(), &mean, &rstd, 1, rows, 0.0);
  CHECK(mean == doctest::Approx(10000.0f));
  CHECK(rstd == doctest::Approx(1.0f).epsilon(1e-4));
}

TEST_CASE_TEMPLATE("normalisation gives the same bits with one thread and with two", T, float, double, bf16) {
  using P = compute_t<T>;
  const long rows = 333, cols = 200;
  const auto x = random_values<T>(rows * cols, 7), dy = random_values<T>(rows * cols, 8);
  const auto gamma = random_values<P>(cols, 9), beta = random_values<P>(cols, 10);
  const int threads = cpu::threads();
  for (const bool is_layer : {true, false}) {
    cpu::set_threads(1);
    const auto one = run(is_layer, x, gamma, beta, dy, rows, cols, false);
    cpu::set_threads(2);
    const auto two = run(is_layer, x, gamma, beta, dy, rows, cols, false);
    CHECK(std::memcmp(one.y.data(), two.y.data(), one.y.size() * sizeof(T)) == 0);
    CHECK(std::memcmp(one.dx.data(), two.dx.data(), one.dx.size() * sizeof(T)) == 0);
    CHECK(one.dgamma == two.dgamma);
    CHECK(one.dbeta == two.dbeta);
  }
  cpu::set_threads(threads);
}
