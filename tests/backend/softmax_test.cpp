#include <vitral/backend/cpu/rows.hpp>
#include <vitral/backend/cpu/softmax.hpp>
#include <vitral/core/philox.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace vitral;

namespace {

using Doubles = std::vector<double>;

template <class T>
std::vector<T> random_values(long count, std::uint64_t stream) {
  std::vector<T> out(static_cast<std::size_t>(count));
  const Random random{41, stream, 0};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(static_cast<compute_t<T>>(random.normal(i)));
  return out;
}

template <class T>
double tolerance() {
  return std::is_same_v<T, double> ? 1e-8 : std::is_same_v<T, float> ? 1e-4 : 5e-2;
}

enum class Kind { softmax, log_softmax, l2 };

Doubles naive(Kind kind, const Doubles& x, long rows, long cols) {
  Doubles y(x.size());
  for (long i = 0; i < rows; ++i) {
    const double* from = x.data() + i * cols;
    double sum = 0, square = 0;
    for (long j = 0; j < cols; ++j) {
      sum += std::exp(from[j]);
      square += from[j] * from[j];
    }
    for (long j = 0; j < cols; ++j)
      y[static_cast<std::size_t>(i * cols + j)] = kind == Kind::softmax       ? std::exp(from[j]) / sum
                                                  : kind == Kind::log_softmax ? from[j] - std::log(sum)
                                                                              : from[j] / std::sqrt(square);
  }
  return y;
}

template <class T>
struct Run {
  std::vector<T> y, dx;
};

template <class T>
Run<T> run(Kind kind, const std::vector<T>& x, const std::vector<T>& dy, long rows, long cols, bool add) {
  Run<T> r{std::vector<T>(x.size()), std::vector<T>(x.size(), static_cast<T>(compute_t<T>(add ? 1 : 9)))};
  std::vector<compute_t<T>> norm(static_cast<std::size_t>(rows));
  if (kind == Kind::softmax) {
    cpu::softmax_forward(x.data(), r.y.data(), rows, cols);
    cpu::softmax_backward(r.y.data(), dy.data(), r.dx.data(), add, rows, cols);
  } else if (kind == Kind::log_softmax) {
    cpu::log_softmax_forward(x.data(), r.y.data(), rows, cols);
    cpu::log_softmax_backward(r.y.data(), dy.data(), r.dx.data(), add, rows, cols);
  } else {
    cpu::l2_normalize_forward(x.data(), r.y.data(), norm.data(), rows, cols);
    cpu::l2_normalize_backward(x.data(), norm.data(), dy.data(), r.dx.data(), add, rows, cols);
  }
  return r;
}

constexpr std::pair<long, long> shapes[] = {{1, 1}, {1, 37}, {7, 5}, {130, 3}};

}  // namespace

TEST_CASE_TEMPLATE("softmax, log_softmax and l2_normalize agree with plain loops and finite differences", T, float,
                   double, bf16) {
  for (const Kind kind : {Kind::softmax, Kind::log_softmax, Kind::l2})
    for (const auto& shape : shapes) {
      const long rows = shape.first, cols = shape.second;
      const auto x = random_values<T>(rows * cols, 1), dy = random_values<T>(rows * cols, 2);
      const auto r = run(kind, x, dy, rows, cols, false), added = run(kind, x, dy, rows, cols, true);
      Doubles xd(x.begin(), x.end());
      const auto y = naive(kind, xd, rows, cols);
      CAPTURE(static_cast<int>(kind));
      CAPTURE(cols);
      for (std::size_t i = 0; i < y.size(); ++i) {
        CHECK(std::fabs(static_cast<double>(r.y[i]) - y[i]) < tolerance<T>() * (1 + std::fabs(y[i])));
        const double keep = xd[i], h = 1e-5;
        double slope = 0;
        for (const double side : {1.0, -1.0}) {
          xd[i] = keep + side * h;
          const auto out = naive(kind, xd, rows, cols);
          for (std::size_t j = 0; j < out.size(); ++j) slope += side * out[j] * static_cast<double>(dy[j]) / (2 * h);
        }
        xd[i] = keep;
        CHECK(std::fabs(static_cast<double>(r.dx[i]) - slope) < tolerance<T>() * (1 + std::fabs(slope)));
        CHECK(std::fabs(static_cast<double>(added.dx[i]) - 1 - slope) < tolerance<T>() * (1 + std::fabs(slope)));
      }
    }
}

TEST_CASE_TEMPLATE("cross entropy and its gradient are those of log_softmax", T, float, double, bf16) {
  using P = compute_t<T>;
  const long rows = 9, cols = 21;
  const auto x = random_values<T>(rows * cols, 3);
  const auto up = random_values<P>(rows, 4);
  std::vector<int> target(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < target.size(); ++i) target[i] = static_cast<int>(i * 5 % static_cast<std::size_t>(cols));
  std::vector<P> loss(target.size()), log_sum(target.size());
  std::vector<T> dx(x.size()), added(x.size(), static_cast<T>(P(1)));
  cpu::cross_entropy_forward(x.data(), target.data(), loss.data(), log_sum.data(), rows, cols);
  cpu::cross_entropy_backward(x.data(), target.data(), log_sum.data(), up.data(), dx.data(), false, rows, cols);
  cpu::cross_entropy_backward(x.data(), target.data(), log_sum.data(), up.data(), added.data(), true, rows, cols);
  const auto log_p = naive(Kind::log_softmax, Doubles(x.begin(), x.end()), rows, cols);
  for (std::size_t i = 0; i < target.size(); ++i) {
    const std::size_t start = i * static_cast<std::size_t>(cols);
    CHECK(static_cast<double>(loss[i]) ==
          doctest::Approx(-log_p[start + static_cast<std::size_t>(target[i])]).epsilon(tolerance<T>()));
    for (std::size_t j = 0; j < static_cast<std::size_t>(cols); ++j) {
      const double one = j == static_cast<std::size_t>(target[i]) ? 1 : 0;
      const double expected = static_cast<double>(up[i]) * (std::exp(log_p[start + j]) - one);
      CHECK(std::fabs(static_cast<double>(dx[start + j]) - expected) < tolerance<T>());
      CHECK(std::fabs(static_cast<double>(added[start + j]) - 1 - expected) < tolerance<T>());
    }
  }
}

TEST_CASE_TEMPLATE("a masked logit has probability zero and no gradient", T, float, double, bf16) {
  using P = compute_t<T>;
  const P inf = std::numeric_limits<P>::infinity();
  const std::vector<T> x = {static_cast<T>(P(1)), static_cast<T>(-inf), static_cast<T>(P(1)), static_cast<T>(-inf)};
  std::vector<T> y(4), dx(4);
  cpu::softmax_forward(x.data(), y.data(), 1, 4);
  CHECK(static_cast<P>(y[0]) == doctest::Approx(0.5));
  CHECK(static_cast<P>(y[1]) == 0);
  cpu::log_softmax_forward(x.data(), y.data(), 1, 4);
  CHECK(static_cast<double>(y[2]) == doctest::Approx(-std::log(2.0)).epsilon(tolerance<T>()));
  CHECK(static_cast<P>(y[3]) == -inf);
  const std::vector<T> dy = {static_cast<T>(P(1)), static_cast<T>(P(0)), static_cast<T>(P(2)), static_cast<T>(P(0))};
  cpu::log_softmax_backward(y.data(), dy.data(), dx.data(), false, 1, 4);
  CHECK(static_cast<P>(dx[1]) == 0);
  const int target = 2;
  P loss = 0, log_sum = 0;
  const P up = 1;
  cpu::cross_entropy_forward(x.data(), &target, &loss, &log_sum, 1, 4);
  cpu::cross_entropy_backward(x.data(), &target, &log_sum, &up, dx.data(), false, 1, 4);
  CHECK(loss == doctest::Approx(std::log(2.0)));
  CHECK(static_cast<P>(dx[0]) == doctest::Approx(0.5));
  CHECK(static_cast<P>(dx[1]) == 0);
  CHECK(static_cast<P>(dx[2]) == doctest::Approx(-0.5));
}

TEST_CASE("large logits neither overflow nor lose the loss") {
  const std::vector<float> x = {1000, 999, -1000};
  std::vector<float> y(3);
  cpu::softmax_forward(x.data(), y.data(), 1, 3);
  CHECK(y[0] == doctest::Approx(1 / (1 + std::exp(-1.0))));
  CHECK(y[2] == 0);
}

TEST_CASE("l2_normalize divides a zero row by eps") {
  const std::vector<float> x(3), dy = {1, 2, 3};
  std::vector<float> y(3, 9), dx(3);
  float norm = 0;
  cpu::l2_normalize_forward(x.data(), y.data(), &norm, 1, 3);
  CHECK(y == x);
  cpu::l2_normalize_backward(x.data(), &norm, dy.data(), dx.data(), false, 1, 3);
  CHECK(dx[2] == doctest::Approx(3e12));
}

TEST_CASE("a target outside the classes is named") {
  const std::vector<float> x(6);
  const std::vector<int> target = {0, 3};
  std::vector<float> loss(2);
  CHECK_THROWS_WITH_AS(cpu::cross_entropy_forward<float>(x.data(), target.data(), loss.data(), nullptr, 2, 3),
                       "vitral: cross_entropy: target 3 of row 1 is not one of the classes 0 to 2", Error);
}

TEST_CASE_TEMPLATE("gather_rows picks rows and scatter_add_rows adds them back, in order", T, float, double, bf16) {
  const long cols = 130;
  const auto table = random_values<T>(5 * cols, 5);
  const std::vector<int> index = {4, 0, 4, 2};
  std::vector<T> rows(static_cast<std::size_t>(4 * cols));
  cpu::gather_rows(table.data(), index.data(), rows.data(), 4, cols, 5);
  std::vector<T> sum(table.size(), static_cast<T>(compute_t<T>(0)));
  cpu::scatter_add_rows(rows.data(), index.data(), sum.data(), 4, cols, 5);
  const double times[] = {1, 0, 1, 0, 2};
  for (std::size_t i = 0; i < table.size(); ++i)
    CHECK(static_cast<double>(sum[i]) == times[i / static_cast<std::size_t>(cols)] * static_cast<double>(table[i]));
  const int wrong = 5;
  CHECK_THROWS_AS(cpu::gather_rows(table.data(), &wrong, rows.data(), 1, cols, 5), Error);
  CHECK_THROWS_AS(cpu::scatter_add_rows(rows.data(), &wrong, sum.data(), 1, cols, 5), Error);
}

TEST_CASE_TEMPLATE("softmax gives the same bits with one thread and with two", T, float, double, bf16) {
  const auto x = random_values<T>(333 * 65, 6), dy = random_values<T>(333 * 65, 7);
  const int threads = cpu::threads();
  for (const Kind kind : {Kind::softmax, Kind::log_softmax, Kind::l2}) {
    cpu::set_threads(1);
    const auto one = run(kind, x, dy, 333, 65, false);
    cpu::set_threads(2);
    const auto two = run(kind, x, dy, 333, 65, false);
    CHECK(std::memcmp(one.y.data(), two.y.data(), one.y.size() * sizeof(T)) == 0);
    CHECK(std::memcmp(one.dx.data(), two.dx.data(), one.dx.size() * sizeof(T)) == 0);
  }
  cpu::set_threads(threads);
}
