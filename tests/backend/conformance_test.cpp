// What every backend has to do (backend/backend.hpp), against plain loops in double: the CPU's, or CUDA's where
// tests/cuda/conformance_test.cu includes this file.
#include <vitral/autodiff/norm.hpp>
#include <vitral/backend/backend.hpp>
#if defined(VITRAL_TEST_CUDA)
#include <vitral/backend/cuda/cuda.hpp>
#else
#include <vitral/backend/cpu/cpu.hpp>
#endif
#include <vitral/nn/linear.hpp>
#include <vitral/nn/rounded_weights.hpp>
#include <vitral/tensor/layout.hpp>
#include <vitral/tensor/reduce.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <tuple>
#include <vector>

using namespace vitral;

namespace {

template <class B, class T>
struct On {
  static_assert(Backend<B> && BackendFor<B, T>);
  using Backend_ = B;
  using Scalar = T;
};
#if defined(VITRAL_TEST_CUDA)
using All = std::tuple<On<Cuda, float>, On<Cuda, double>, On<Cuda, bf16>>;
#else
using All = std::tuple<On<Cpu, float>, On<Cpu, double>, On<Cpu, bf16>>;
#endif

/// Values on the host, as the backend's scalar type has rounded them.
using Numbers = std::vector<double>;
auto at(long i) { return static_cast<std::size_t>(i); }

template <class B, class T>
using Memory = Tensor<T, Shape<dyn>, B>;

template <class B, class T>
Memory<B, T> put(const Numbers& numbers) {
  std::vector<T> values(numbers.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<compute_t<T>>(numbers[i]);
  return Memory<B, T>::from(values, {static_cast<int>(values.size())});
}
template <class T, class S, class B>
Numbers take(const Tensor<T, S, B>& x) {
  Numbers numbers;
  for (const T& value : x.to_vector()) numbers.push_back(static_cast<double>(value));
  return numbers;
}
template <class T>
Numbers normal(long count, std::uint64_t stream) {
  Numbers numbers(at(count));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = static_cast<double>(static_cast<T>(static_cast<compute_t<T>>(Random{7, stream, 0}.normal(i))));
  return numbers;
}

template <class T>
double tolerance() {
  return std::is_same_v<T, double> ? 1e-8 : std::is_same_v<T, float> ? 3e-5 : 4e-2;
}

/// The largest difference, relative where the expected value is above 1; infinite where it is no number.
double gap(const Numbers& a, const Numbers& b) {
  if (a.size() != b.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(a[i] - b[i]) / (1 + std::fabs(b[i]));
    worst = difference <= worst ? worst : std::isnan(difference) ? INFINITY : difference;
  }
  return worst;
}

double dot(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// The gradient of loss(x), by central differences.
template <class F>
Numbers slope(F&& loss, Numbers x) {
  Numbers out(x.size());
  constexpr double h = 1e-5;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double keep = x[i];
    x[i] = keep + h;
    const double above = loss(x);
    x[i] = keep - h;
    out[i] = (above - loss(x)) / (2 * h);
    x[i] = keep;
  }
  return out;
}

/// run(gradient, add) overwrites what is there, or adds to it.
template <class B, class T, class F>
void check_gradient(const Numbers& expected, F&& run) {
  for (const bool add : {false, true}) {
    const auto gradient = put<B, T>(Numbers(expected.size(), add ? 1 : 99));
    run(gradient.data(), add);
    Numbers sum = expected;
    for (double& value : sum) value += add ? 1 : 0;
    CAPTURE(add);
    CHECK(gap(take(gradient), sum) < tolerance<T>());
  }
}

double gelu_of(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

/// f on each row.
template <class F>
Numbers by_row(const Numbers& x, long cols, F&& f) {
  Numbers y;
  for (auto row = x.begin(); row != x.end(); row += cols)
    for (const double value : f(Numbers(row, row + cols))) y.push_back(value);
  return y;
}
Numbers softmax_of(Numbers row) {
  double sum = 0;
  for (double& value : row) sum += value = std::exp(value);
  for (double& value : row) value /= sum;
  return row;
}

/// (x - mean) / sqrt(variance + eps) * gamma + beta, gamma and beta [size] or one number each.
Numbers normalized(Numbers row, const Numbers& gamma, const Numbers& beta, double eps) {
  const double n = static_cast<double>(row.size());
  double mean = 0, variance = 0;
  for (const double value : row) mean += value / n;
  for (const double value : row) variance += (value - mean) * (value - mean) / n;
  for (std::size_t i = 0; i < row.size(); ++i)
    row[i] = (row[i] - mean) / std::sqrt(variance + eps) * gamma[i % gamma.size()] + beta[i % beta.size()];
  return row;
}

Numbers transposed_of(const Numbers& x, long rows, long cols) {
  Numbers y(x.size());
  for (long i = 0; i < rows; ++i)
    for (long j = 0; j < cols; ++j) y[at(j * rows + i)] = x[at(i * cols + j)];
  return y;
}

Numbers product(const Numbers& a, const Numbers& b, long m, long k, long n) {
  Numbers c(at(m * n));
  for (long i = 0; i < m; ++i)
    for (long j = 0; j < n; ++j)
      for (long l = 0; l < k; ++l) c[at(i * n + j)] += a[at(i * k + l)] * b[at(l * n + j)];
  return c;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("a backend multiplies matrices and transposed ones, and adds", X, matmul_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  constexpr long m = 37, k = 20, n = 18;
  const Numbers a = normal<T>(m * k, 1), b = normal<T>(k * n, 2), expected = product(a, b, m, k, n);
  const auto a_rows = put<B, T>(a), b_rows = put<B, T>(b);
  const auto a_cols = put<B, T>(transposed_of(a, m, k)), b_cols = put<B, T>(transposed_of(b, k, n));
  for (const bool a_plain : {true, false})
    for (const bool b_plain : {true, false}) {
      CAPTURE(a_plain);
      CAPTURE(b_plain);
      const auto left = a_plain ? row_major(a_rows.data(), m, k) : transposed(row_major(a_cols.data(), k, m));
      const auto right = b_plain ? row_major(b_rows.data(), k, n) : transposed(row_major(b_cols.data(), n, k));
      check_gradient<B, T>(expected, [&](T* c, bool add) { B::matmul(left, right, row_major(c, m, n), add); });
    }

  const auto wide = put<B, compute_t<T>>(Numbers(m * n));
  B::matmul(row_major(a_rows.data(), m, k), row_major(b_rows.data(), k, n), row_major(wide.data(), m, n), false);
  CHECK(gap(take(wide), expected) < 3e-5);
}
TEST_CASE_TEMPLATE_APPLY(matmul_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend adds a bias and applies an activation, keeping its argument or not", X,
                          epilogue_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  constexpr long m = 37, k = 20;
  // CUDA has GELU in the product for widths that 8 divides; the emulated device refuses a bias for two of these.
  for (const long n : {18, 24, 40, 56})
    for (const Activation activation : {Activation::none, Activation::relu, Activation::gelu})
      for (const bool keep : {true, false}) {
        CAPTURE(n);
        CAPTURE(static_cast<int>(activation));
        CAPTURE(keep);
        const Numbers a = normal<T>(m * k, 1), b = normal<T>(k * n, 2), bias = normal<compute_t<T>>(n, 3);
        const auto left = put<B, T>(a), right = put<B, T>(b);
        const auto c = put<B, T>(Numbers(at(m * n), 1)), pre = put<B, T>(Numbers(at(m * n)));
        const auto shift = put<B, compute_t<T>>(bias);
        B::matmul(row_major(left.data(), m, k), row_major(right.data(), k, n), row_major(c.data(), m, n), true,
                  Epilogue<T>{shift.data(), activation, keep ? pre.data() : nullptr});
        Numbers before = product(a, b, m, k, n);
        for (std::size_t i = 0; i < before.size(); ++i) before[i] += 1 + bias[i % at(n)];
        Numbers after = before;
        for (double& value : after)
          value = activation == Activation::gelu   ? gelu_of(value)
                  : activation == Activation::relu ? std::max(value, 0.0)
                                                   : value;
        CHECK(gap(take(c), after) < tolerance<T>());
        CHECK(gap(take(pre), keep ? before : Numbers(at(m * n))) < tolerance<T>());
      }
}
TEST_CASE_TEMPLATE_APPLY(epilogue_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend hands a NaN on through ReLUs, kinks, maxima and norms of rows", X, nan_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  using P = compute_t<T>;
  constexpr long rows = 6, cols = 24, k = 5;
  const double nan = std::nan("");
  const auto isnan_at = [](const auto& tensor) {
    std::vector<bool> out;
    for (const double value : take(tensor)) out.push_back(std::isnan(value));
    return out;
  };
  std::vector<bool> in_row(at(rows * cols)), in_column = in_row;  // all of row 2, all of column 3
  for (long i = 0; i < rows; ++i)
    for (long j = 0; j < cols; ++j) {
      in_row[at(i * cols + j)] = i == 2;
      in_column[at(i * cols + j)] = j == 3;
    }

  Numbers a = normal<T>(rows * k, 1);
  a[2 * k] = nan;
  const auto left = put<B, T>(a), right = put<B, T>(normal<T>(k * cols, 2));
  const auto shift = put<B, P>(normal<P>(cols, 3));
  for (const Activation activation : {Activation::relu, Activation::gelu}) {
    const auto c = put<B, T>(Numbers(at(rows * cols)));
    B::matmul(row_major(left.data(), rows, k), row_major(right.data(), k, cols), row_major(c.data(), rows, cols), false,
              Epilogue<T>{shift.data(), activation, nullptr});
    CHECK(isnan_at(c) == in_row);
  }

  Numbers x = normal<T>(rows * cols, 4);
  x[2 * cols + 3] = nan;
  const auto in = put<B, T>(x), y = put<B, T>(x);
  const auto statistics = put<B, P>(Numbers(at(4 * cols)));
  P* const s = statistics.data();
  B::l2_normalize_forward(in.data(), y.data(), s, rows, cols, 1e-12);
  CHECK(isnan_at(y) == in_row);
  B::softmax_forward(in.data(), y.data(), rows, cols);
  CHECK(isnan_at(y) == in_row);
  B::log_softmax_forward(in.data(), y.data(), rows, cols);
  CHECK(isnan_at(y) == in_row);
  const P* const none = nullptr;
  B::batch_norm_forward(in.data(), none, none, y.data(), s, s + cols, s + 2 * cols, s + 3 * cols, 0.1, 1e-5, rows, cols,
                        1, 1, true);
  CHECK(isnan_at(y) == in_column);
  const auto dx = put<B, T>(x);
  B::batch_norm_backward(in.data(), none, s, s + cols, in.data(), dx.data(), false, static_cast<P*>(nullptr), false,
                         static_cast<P*>(nullptr), false, rows, cols, 1, y.data());
  CHECK(isnan_at(dx) == in_column);

  const Tensor<T, Shape<rows, cols>, B> values(in.buffer(), {});
  std::vector<bool> there(at(rows * cols));
  there[2 * cols + 3] = true;
  CHECK(isnan_at(eval(relu(values))) == there);
  CHECK(isnan_at(eval(clamp(maximum(minimum(values, 1), -1), -2, 2))) == there);
  std::vector<bool> row_two(at(rows));
  row_two[2] = true;
  CHECK(isnan_at(max<1>(values)) == row_two);
  CHECK(take(argmax<1>(values))[2] == 3);
}
TEST_CASE_TEMPLATE_APPLY(nan_, All);

namespace {

/// Shapes with rows that are read in wide pieces and that are not, of one part and of many.
struct Rows {
  long rows, cols;
};
constexpr Rows row_shapes[] = {{1, 8}, {9, 13}, {70, 24}, {3, 1000}, {3000, 16}, {700, 200}, {2500, 7}};

/// f(rows, cols, shift) for each of them, and for addresses `shift` elements behind the start of an allocation.
template <class F>
void for_row_shapes(F&& f) {
  for (const Rows& shape : row_shapes)
    for (const long shift : {0, 1}) {
      CAPTURE(shape.rows);
      CAPTURE(shape.cols);
      CAPTURE(shift);
      f(shape.rows, shape.cols, shift);
    }
}

/// As put, but beginning `shift` elements behind the start of an allocation; and as take.
template <class B, class T>
Memory<B, T> put_shifted(Numbers numbers, long shift) {
  numbers.insert(numbers.begin(), at(shift), 5.0);
  return put<B, T>(numbers);
}
template <class T, class B>
Numbers take_shifted(const Memory<B, T>& memory, long shift) {
  const Numbers all = take(memory);
  return Numbers(all.begin() + shift, all.end());
}
Numbers column_sums_of(const Numbers& x, long cols) {
  Numbers sums(at(cols));
  for (std::size_t i = 0; i < x.size(); ++i) sums[i % at(cols)] += x[i];
  return sums;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("a backend sums columns, by itself where it offers that", X, column_sums_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  using P = compute_t<T>;
  for_row_shapes([](long rows, long cols, long shift) {
    const Numbers x = normal<T>(rows * cols, 6), expected = column_sums_of(x, cols);
    const auto in = put_shifted<B, T>(x, shift);
    if constexpr (requires(P * sums) { B::column_sums(in.data(), rows, cols, sums, true); })
      check_gradient<B, P>(expected,
                           [&](P* sums, bool add) { B::column_sums(in.data() + shift, rows, cols, sums, add); });
    else
      CHECK_MESSAGE(B::on_host, "a device adds the rows of a matrix up for each bias");
    if (shift == 0) {
      const Tensor<T, Shape<dyn, dyn>, B> matrix(in.buffer(), {static_cast<int>(rows), static_cast<int>(cols)});
      CHECK(gap(take(sum<0>(matrix)), expected) < tolerance<T>());
      Numbers means = expected;
      for (double& value : means) value /= static_cast<double>(rows);
      CHECK(gap(take(mean<0>(matrix)), means) < tolerance<T>());
    }
  });
}
TEST_CASE_TEMPLATE_APPLY(column_sums_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend that offers it applies GELU's gradient and sums its columns", X, gelu_gradient_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  using P = compute_t<T>;
  const auto slope_of = [](double x) {
    if (!std::is_same_v<T, bf16>) return math::gelu_grad(x);
    const double t = std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x));  // as products have it
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / std::acos(-1.0)) * (1 + 3 * 0.044715 * x * x);
  };
  for_row_shapes([&](long rows, long cols, long shift) {
    const Numbers up = normal<T>(rows * cols, 8);
    Numbers pre = normal<T>(rows * cols, 9);
    for (double& value : pre) value = static_cast<double>(static_cast<T>(static_cast<P>(2 * value)));
    const auto dy = put<B, T>(up), argument = put_shifted<B, T>(pre, shift);
    if constexpr (requires(P * sums) { B::gelu_gradient(dy.data(), dy.data(), dy.data(), rows, cols, sums, true); }) {
      Numbers expected = up, rounded(up.size());
      for (std::size_t i = 0; i < up.size(); ++i) expected[i] *= slope_of(pre[i]);
      P* const none = nullptr;
      const auto dx = put<B, T>(Numbers(up.size()));
      B::gelu_gradient(dy.data(), argument.data() + shift, dx.data(), rows, cols, none, false);
      const Numbers separate = take(dx);
      double worst = 0;  // relative, for the sake of the slope where it is small
      for (std::size_t i = 0; i < up.size(); ++i)
        worst = std::max(worst, std::fabs(separate[i] - expected[i]) / (1e-4 + std::fabs(expected[i])));
      CHECK(worst < (std::is_same_v<T, bf16> ? 5e-3 : 1e-3));
      check_gradient<B, P>(column_sums_of(separate, cols), [&](P* sums, bool add) {
        B::copy(put<B, T>(up).data(), dy.data(), rows * cols);
        B::gelu_gradient(dy.data(), argument.data() + shift, dy.data(), rows, cols, sums, add);
      });
      CHECK(take(dy) == separate);
    } else {
      CHECK(B::on_host);
    }
  });
}
TEST_CASE_TEMPLATE_APPLY(gelu_gradient_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend multiplies batches", X, batched_matmul_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  constexpr long m = 5, k = 7, n = 6, count = 3;
  const Numbers a = normal<T>(count * m * k, 4), b = normal<T>(k * n, 5);
  Numbers expected;
  for (long i = 0; i < count; ++i)
    for (const double value : product(Numbers(a.begin() + i * m * k, a.end()), b, m, k, n)) expected.push_back(value);
  const auto left = put<B, T>(a), right = put<B, T>(b);
  check_gradient<B, T>(expected, [&](T* c, bool add) {
    B::batched_matmul(MatrixBatch<T>{row_major(left.data(), m, k), count, m * k},
                      MatrixBatch<T>{row_major(right.data(), k, n), count, 0},
                      MatrixBatch<T>{row_major(c, m, n), count, m * n}, add);
  });
}
TEST_CASE_TEMPLATE_APPLY(batched_matmul_, All);

template <class B, class T>
void check_norms(long rows, long cols) {
  using P = compute_t<T>;
  constexpr double eps = 1e-3;
  const Numbers x = normal<T>(rows * cols, 6), up = normal<T>(rows * cols, 7);
  const Numbers gamma = normal<P>(cols, 8), beta = normal<P>(cols, 9);
  const auto in = put<B, T>(x), dy = put<B, T>(up), out = put<B, T>(Numbers(at(rows * cols)));
  const auto scale = put<B, P>(gamma), shift = put<B, P>(beta);
  P* const none = nullptr;

  for (const bool by_rows : {true, false}) {
    CAPTURE(by_rows);
    const long groups = by_rows ? rows : cols;
    const auto mean = put<B, P>(Numbers(at(groups))), rstd = put<B, P>(Numbers(at(groups)));
    const auto running_mean = put<B, P>(Numbers(at(cols), 0.5)), running_var = put<B, P>(Numbers(at(cols), 2));
    if (by_rows)
      B::layer_norm_forward(in.data(), scale.data(), shift.data(), out.data(), mean.data(), rstd.data(), rows, cols,
                            eps);
    else
      B::batch_norm_forward(in.data(), scale.data(), shift.data(), out.data(), mean.data(), rstd.data(),
                            running_mean.data(), running_var.data(), 0.1, eps, rows, cols);
    const auto reference = [&](const Numbers& values, const Numbers& g, const Numbers& b) {
      if (by_rows) return by_row(values, cols, [&](const Numbers& row) { return normalized(row, g, b, eps); });
      long column = 0;
      const auto y = by_row(transposed_of(values, rows, cols), rows, [&](const Numbers& values_of_column) {
        const std::size_t c = at(column++);
        return normalized(values_of_column, {g[c]}, {b[c]}, eps);
      });
      return transposed_of(y, cols, rows);
    };
    CHECK(gap(take(out), reference(x, gamma, beta)) < tolerance<T>());
    if (!by_rows) {
      Numbers moments[2];
      for (std::size_t c = 0; c < at(cols); ++c) {
        double sum = 0, squares = 0;
        for (std::size_t i = 0; i < at(rows); ++i) sum += x[i * at(cols) + c] / static_cast<double>(rows);
        for (std::size_t i = 0; i < at(rows); ++i)
          squares += std::pow(x[i * at(cols) + c] - sum, 2) / static_cast<double>(rows - 1);
        moments[0].push_back(0.9 * 0.5 + 0.1 * sum);
        moments[1].push_back(0.9 * 2 + 0.1 * squares);
      }
      CHECK(gap(take(running_mean), moments[0]) < tolerance<P>());
      CHECK(gap(take(running_var), moments[1]) < tolerance<P>());
    }

    const auto backward = [&](T* dx, bool add_dx, P* dgamma, bool add_dgamma, P* dbeta, bool add_dbeta) {
      const auto arguments = [&](auto run) {
        run(in.data(), scale.data(), mean.data(), rstd.data(), dy.data(), dx, add_dx, dgamma, add_dgamma, dbeta,
            add_dbeta, rows, cols);
      };
      if (by_rows)
        arguments([](auto... a) { B::layer_norm_backward(a...); });
      else
        arguments([](auto... a) { B::batch_norm_backward(a...); });
    };
    T* const no_dx = nullptr;
    check_gradient<B, T>(slope([&](const Numbers& v) { return dot(reference(v, gamma, beta), up); }, x),
                         [&](T* g, bool add) { backward(g, add, none, false, none, false); });
    check_gradient<B, P>(slope([&](const Numbers& v) { return dot(reference(x, v, beta), up); }, gamma),
                         [&](P* g, bool add) { backward(no_dx, false, g, add, none, false); });
    check_gradient<B, P>(slope([&](const Numbers& v) { return dot(reference(x, gamma, v), up); }, beta),
                         [&](P* g, bool add) { backward(no_dx, false, none, false, g, add); });
  }
}

TEST_CASE_TEMPLATE_DEFINE("a backend's layer_norm and batch_norm agree with their formulas, both passes", X, norm_) {
  check_norms<typename X::Backend_, typename X::Scalar>(9, 13);
  check_norms<typename X::Backend_, typename X::Scalar>(3,
                                                        132);  // a multiple of four: a device may read four at a time
}
TEST_CASE_TEMPLATE_APPLY(norm_, All);

/// BatchNorm of `views` views with every option, against double. `shift`: elements from the aligned address on.
template <class B, class T>
void check_batch_norm(long rows, long cols, int views, int passes, bool relu, long shift) {
  using P = compute_t<T>;
  constexpr double eps = 1e-3, momentum = 0.2;
  const long size = views * rows * cols;
  Numbers x = normal<T>(size, 40), up = normal<T>(size, 41), gamma = normal<P>(cols, 42), beta = normal<P>(cols, 43);
  for (double& value : x) value = static_cast<double>(static_cast<T>(static_cast<P>(value + 3)));  // far from its mean
  Numbers y(at(size)), dx(at(size)), dgamma(at(cols)), dbeta(at(cols));
  Numbers running_mean(at(cols), 0.5), running_var(at(cols), 2.0);
  const auto place = [&](long view, long i, long c) { return at((view * rows + i) * cols + c); };
  const auto for_columns = [&](auto&& f) {
    for (long view = 0; view < views; ++view)
      for (long c = 0; c < cols; ++c) {
        double mean = 0, var = 0;
        for (long i = 0; i < rows; ++i) mean += x[place(view, i, c)] / static_cast<double>(rows);
        for (long i = 0; i < rows; ++i) var += std::pow(x[place(view, i, c)] - mean, 2) / static_cast<double>(rows);
        f(view, c, mean, var);
      }
  };
  for (int pass = 0; pass < passes; ++pass)
    for_columns([&](long, long c, double mean, double var) {
      const double unbiased = var * static_cast<double>(rows) / static_cast<double>(rows - 1);
      running_mean[at(c)] += momentum * (mean - running_mean[at(c)]);
      running_var[at(c)] += momentum * (unbiased - running_var[at(c)]);
    });
  for_columns([&](long view, long c, double mean, double var) {
    const double rstd = 1 / std::sqrt(var + eps);
    double sum = 0, dot = 0;
    for (long i = 0; i < rows; ++i) {
      const std::size_t p = place(view, i, c);
      y[p] = (x[p] - mean) * rstd * gamma[at(c)] + beta[at(c)];
      // Where rounding may take it to either side of zero there is no right gradient to compare with.
      if (relu && std::fabs(y[p]) < 1e-4) up[p] = 0;
      if (relu) y[p] = std::max(y[p], 0.0);
      if (relu && y[p] == 0) continue;
      sum += up[p];
      dot += up[p] * (x[p] - mean) * rstd;
    }
    dbeta[at(c)] += sum;
    dgamma[at(c)] += dot;
    for (long i = 0; i < rows; ++i) {
      const std::size_t p = place(view, i, c);
      const double g = relu && y[p] == 0 ? 0 : up[p], n = static_cast<double>(rows);
      dx[p] = rstd * gamma[at(c)] * (g - sum / n - (x[p] - mean) * rstd * dot / n);
    }
  });

  const auto shifted = [&](const Numbers& numbers) { return put_shifted<B, T>(numbers, shift); };
  const auto in = shifted(x), dy = shifted(up), out = shifted(Numbers(at(size)));
  const auto scale = put<B, P>(gamma), offset = put<B, P>(beta);
  const auto mean = put<B, P>(Numbers(at(views * cols))), rstd = put<B, P>(Numbers(at(views * cols)));
  const auto followed_mean = put<B, P>(Numbers(at(cols), 0.5)), followed_var = put<B, P>(Numbers(at(cols), 2));
  B::batch_norm_forward(in.data() + shift, scale.data(), offset.data(), out.data() + shift, mean.data(), rstd.data(),
                        followed_mean.data(), followed_var.data(), momentum, eps, views * rows, cols, views, passes,
                        relu);
  CHECK(gap(take_shifted(out, shift), y) < tolerance<T>());
  CHECK(gap(take(followed_mean), running_mean) < tolerance<P>());
  CHECK(gap(take(followed_var), running_var) < tolerance<P>());

  const T* const active = relu ? out.data() + shift : nullptr;
  const auto backward = [&](const T* gradient, T* to, bool add_dx, P* to_gamma, bool add_gamma, P* to_beta,
                            bool add_beta) {
    B::batch_norm_backward(in.data() + shift, scale.data(), mean.data(), rstd.data(), gradient, to, add_dx, to_gamma,
                           add_gamma, to_beta, add_beta, views * rows, cols, views, active);
  };
  P* const none = nullptr;
  T* const no_dx = nullptr;
  for (const bool add : {false, true}) {
    const auto to = shifted(Numbers(at(size), add ? 1 : 99));
    backward(dy.data() + shift, to.data() + shift, add, none, false, none, false);
    Numbers expected = dx;
    for (double& value : expected) value += add ? 1 : 0;
    CHECK(gap(take_shifted(to, shift), expected) < tolerance<T>());
  }
  const double limit = tolerance<P>() * std::sqrt(static_cast<double>(rows));  // sums of that many
  for (const bool add : {false, true}) {
    const auto to_gamma = put<B, P>(Numbers(at(cols), 1)), to_beta = put<B, P>(Numbers(at(cols), 1));
    backward(dy.data() + shift, no_dx, false, to_gamma.data(), add, to_beta.data(), add);
    Numbers gamma_sum = dgamma, beta_sum = dbeta;
    for (double& value : gamma_sum) value += add ? 1 : 0;
    for (double& value : beta_sum) value += add ? 1 : 0;
    CHECK(gap(take(to_gamma), gamma_sum) < limit);
    CHECK(gap(take(to_beta), beta_sum) < limit);
  }
  backward(dy.data() + shift, dy.data() + shift, false, none, false, none, false);  // in dy's place
  CHECK(gap(take_shifted(dy, shift), dx) < tolerance<T>());
}

TEST_CASE_TEMPLATE_DEFINE("a backend's batch_norm takes views, passes, a ReLU, few rows and many", X, batch_norm_) {
  struct Case {
    long rows, cols;
    int views, passes;
    bool relu;
    long shift;
  };
  for (const Case& c : {Case{2, 2, 1, 1, false, 0},
                        {5, 13, 3, 2, true, 0},
                        {130, 34, 2, 2, true, 0},
                        {130, 34, 2, 1, false, 1},
                        {300, 18, 2, 1, true, 0},
                        {300, 18, 3, 3, false, 0},
                        {1100, 6, 2, 1, true, 0}}) {
    CAPTURE(c.rows);
    CAPTURE(c.views);
    CAPTURE(c.shift);
    check_batch_norm<typename X::Backend_, typename X::Scalar>(c.rows, c.cols, c.views, c.passes, c.relu, c.shift);
  }
}
TEST_CASE_TEMPLATE_APPLY(batch_norm_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend's statistics of values far from zero are accurate", X, far_from_zero_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  using P = compute_t<T>;
  for (const long rows : {300l, 1200l}) {
    Numbers x(at(2 * rows));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 8192 + (i / 2 % 2 == 0 ? 64 : -64);  // also in bf16
    const auto in = put<B, T>(x), out = put<B, T>(x);
    const auto mean = put<B, P>({0, 0}), rstd = put<B, P>({0, 0});
    P* const none = nullptr;
    B::batch_norm_forward(in.data(), none, none, out.data(), mean.data(), rstd.data(), none, none, 0.1, 0.0, rows, 2l);
    CHECK(take(mean) == Numbers{8192, 8192});
    CHECK(take(rstd) == Numbers{1.0 / 64, 1.0 / 64});
  }
}
TEST_CASE_TEMPLATE_APPLY(far_from_zero_, All);

/// The backward pass of LayerNorm against its formula in double. `shift`: elements from the aligned address on.
template <class B, class T>
void check_layer_norm_backward(long rows, long cols, bool affine, long shift) {
  using P = compute_t<T>;
  const long size = rows * cols;
  const Numbers x = normal<T>(size, 50), up = normal<T>(size, 51), gamma = normal<P>(cols, 52);
  Numbers means(at(rows)), rstds(at(rows)), dx(at(size)), dgamma(at(cols)), dbeta(at(cols));
  for (long i = 0; i < rows; ++i) {
    const double n = static_cast<double>(cols);
    double mean = 0, var = 0, sum = 0, along = 0;
    for (long c = 0; c < cols; ++c) mean += x[at(i * cols + c)] / n;
    for (long c = 0; c < cols; ++c) var += std::pow(x[at(i * cols + c)] - mean, 2) / n;
    const double rstd = 1 / std::sqrt(var + 1e-3);
    const auto hat = [&](long c) { return (x[at(i * cols + c)] - mean) * rstd; };
    const auto g = [&](long c) { return up[at(i * cols + c)] * (affine ? gamma[at(c)] : 1); };
    for (long c = 0; c < cols; ++c) {
      sum += g(c);
      along += g(c) * hat(c);
      dgamma[at(c)] += up[at(i * cols + c)] * hat(c);
      dbeta[at(c)] += up[at(i * cols + c)];
    }
    for (long c = 0; c < cols; ++c) dx[at(i * cols + c)] = rstd * (g(c) - sum / n - hat(c) * along / n);
    means[at(i)] = mean;
    rstds[at(i)] = rstd;
  }
  const auto shifted = [&](const Numbers& numbers) { return put_shifted<B, T>(numbers, shift); };
  const auto in = shifted(x), dy = shifted(up);
  const auto scale = put<B, P>(gamma), mean = put<B, P>(means), rstd = put<B, P>(rstds);
  const double limit = tolerance<P>() * std::sqrt(static_cast<double>(rows));  // sums of that many
  for (const bool add : {false, true}) {
    CAPTURE(add);
    const double before = add ? 1 : 0;
    const auto to = add ? shifted(Numbers(at(size), 1)) : dy;  // a gradient that is not added to may take dy's place
    const auto to_gamma = put<B, P>(Numbers(at(cols), 1)), to_beta = put<B, P>(Numbers(at(cols), 1));
    const auto again = shifted(up);
    B::layer_norm_backward(in.data() + shift, affine ? scale.data() : nullptr, mean.data(), rstd.data(),
                           (add ? again : dy).data() + shift, to.data() + shift, add, to_gamma.data(), add,
                           to_beta.data(), add, rows, cols);
    const auto plus = [&](Numbers numbers) {
      for (double& number : numbers) number += before;
      return numbers;
    };
    CHECK(gap(take_shifted(to, shift), plus(dx)) < tolerance<T>());
    CHECK(gap(take(to_gamma), plus(dgamma)) < limit);
    CHECK(gap(take(to_beta), plus(dbeta)) < limit);
  }
}

TEST_CASE_TEMPLATE_DEFINE("a backend's layer_norm has its gradients for rows of any number, width and address", X,
                          layer_norm_backward_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  check_layer_norm_backward<B, T>(4300, 8, true, 0);  // more rows than a device has warps to walk them
  check_layer_norm_backward<B, T>(2200, 260, true, 0);
  check_layer_norm_backward<B, T>(19, 192, false, 0);
  for (const long cols : {384, 768, 1024, 1028}) check_layer_norm_backward<B, T>(19, cols, true, 0);
  check_layer_norm_backward<B, T>(19, 384, true, 1);
  check_layer_norm_backward<B, T>(700, 7, true, 0);
}
TEST_CASE_TEMPLATE_APPLY(layer_norm_backward_, All);

TEST_CASE_TEMPLATE_DEFINE("a sum and its layer_norm in one pass are the two passes' bits", X, sum_and_norm_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  using P = compute_t<T>;
  for (const int cols : {13, 132, 384, 600, 1024}) {
    CAPTURE(cols);
    const auto tensor = [](auto shape, std::uint64_t stream) {
      using S = decltype(shape);
      return Tensor<T, S, B>(put<B, T>(normal<T>(shape.size(), stream)).buffer(), shape);
    };
    const auto x = tensor(Shape<dyn, 3, dyn>{2, cols}, 24), branch = tensor(Shape<dyn, 3, dyn>{2, cols}, 25);
    const auto keep = tensor(Shape<dyn, 1, 1>{2}, 26);
    const auto scale = put<B, P>(normal<P>(cols, 27)), shift = put<B, P>(normal<P>(cols, 28));
    const auto both = eval_and_normalize(x + branch * keep, scale, shift);
    const auto sum = eval(x + branch * keep);
    CHECK(take(both.value) == take(sum));
    CHECK(take(both.normalized) == take(layer_norm(sum, scale, shift)));
  }
}
TEST_CASE_TEMPLATE_APPLY(sum_and_norm_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend's row operations agree with their formulas, forward and backward", X, rows_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  using P = compute_t<T>;
  constexpr long rows = 5, cols = 11;
  const Numbers x = normal<T>(rows * cols, 10), up = normal<T>(rows * cols, 11);
  const auto in = put<B, T>(x), dy = put<B, T>(up);
  const auto y = put<B, T>(Numbers(rows * cols));
  const auto kept = put<B, P>(Numbers(rows));

  const auto soft = [](const Numbers& v) { return by_row(v, cols, softmax_of); };
  B::softmax_forward(in.data(), y.data(), rows, cols);
  CHECK(gap(take(y), soft(x)) < tolerance<T>());
  check_gradient<B, T>(slope([&](const Numbers& v) { return dot(soft(v), up); }, x),
                       [&](T* g, bool add) { B::softmax_backward(y.data(), dy.data(), g, add, rows, cols); });

  const auto log_soft = [&](const Numbers& v) {
    Numbers out = soft(v);
    for (double& value : out) value = std::log(value);
    return out;
  };
  B::log_softmax_forward(in.data(), y.data(), rows, cols);
  CHECK(gap(take(y), log_soft(x)) < tolerance<T>());
  check_gradient<B, T>(slope([&](const Numbers& v) { return dot(log_soft(v), up); }, x),
                       [&](T* g, bool add) { B::log_softmax_backward(y.data(), dy.data(), g, add, rows, cols); });

  const auto unit = [](const Numbers& v) {
    return by_row(v, cols, [](Numbers row) {
      const double length = std::sqrt(dot(row, row));
      for (double& value : row) value /= length;
      return row;
    });
  };
  B::l2_normalize_forward(in.data(), y.data(), kept.data(), rows, cols, 1e-12);
  CHECK(gap(take(y), unit(x)) < tolerance<T>());
  check_gradient<B, T>(slope([&](const Numbers& v) { return dot(unit(v), up); }, x), [&](T* g, bool add) {
    B::l2_normalize_backward(in.data(), kept.data(), dy.data(), g, add, rows, cols, 1e-12);
  });

  const std::vector<int> classes{3, 0, 10, 3, 7};
  const auto target = Memory<B, int>::from(classes, {rows});
  const Numbers weights = normal<P>(rows, 12);
  const auto loss = put<B, P>(Numbers(rows)), dloss = put<B, P>(weights);
  const auto losses = [&](const Numbers& v) {
    Numbers out;
    const Numbers logs = log_soft(v);
    for (std::size_t i = 0; i < rows; ++i) out.push_back(-logs[i * cols + static_cast<std::size_t>(classes[i])]);
    return out;
  };
  B::cross_entropy_forward(in.data(), target.data(), loss.data(), kept.data(), rows, cols);
  CHECK(gap(take(loss), losses(x)) < tolerance<P>());
  check_gradient<B, T>(slope([&](const Numbers& v) { return dot(losses(v), weights); }, x), [&](T* g, bool add) {
    B::cross_entropy_backward(in.data(), target.data(), kept.data(), dloss.data(), g, add, rows, cols);
  });
}
TEST_CASE_TEMPLATE_APPLY(rows_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend's attention agrees with its formula, forward and backward", X, attention_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  using P = compute_t<T>;
  static constexpr AttentionSize size{2, 2, 4, 5, 3, 0.6};
  constexpr long queries = 2 * 4 * 2 * 3, keys = 2 * 5 * 2 * 3;  // [batch, tokens, heads, width]
  const auto heads = [](auto* data, int tokens) {
    return Heads<std::remove_pointer_t<decltype(data)>>{data, tokens * 6l, 6, 3};
  };
  const auto number = [](int b, int t, int h, int tokens) { return at(((b * tokens + t) * 2 + h) * 3); };
  const auto reference = [&](const Numbers& q, const Numbers& k, const Numbers& v) {
    Numbers out(queries);
    for (int b = 0; b < size.batch; ++b)
      for (int h = 0; h < size.heads; ++h)
        for (int i = 0; i < size.queries; ++i) {
          Numbers scores(at(size.keys));
          for (int j = 0; j < size.keys; ++j)
            for (std::size_t c = 0; c < 3; ++c)
              scores[at(j)] += 0.6 * q[number(b, i, h, size.queries) + c] * k[number(b, j, h, size.keys) + c];
          scores = softmax_of(scores);
          for (int j = 0; j < size.keys; ++j)
            for (std::size_t c = 0; c < 3; ++c)
              out[number(b, i, h, size.queries) + c] += scores[at(j)] * v[number(b, j, h, size.keys) + c];
        }
    return out;
  };
  const Numbers q = normal<T>(queries, 13), k = normal<T>(keys, 14), v = normal<T>(keys, 15);
  const Numbers up = normal<T>(queries, 16);
  const auto q_in = put<B, T>(q), k_in = put<B, T>(k), v_in = put<B, T>(v), dy = put<B, T>(up);
  const auto out = put<B, T>(Numbers(queries));
  const auto lse = put<B, P>(Numbers(at(size.batch * size.heads * size.queries)));
  const auto in = [&](const Memory<B, T>& x, int tokens) { return heads(static_cast<const T*>(x.data()), tokens); };
  B::attention_forward(in(q_in, 4), in(k_in, 5), in(v_in, 5), heads(out.data(), 4), lse.data(), size);
  CHECK(gap(take(out), reference(q, k, v)) < tolerance<T>());

  const auto gradient = [&](int which, const Numbers& expected) {
    check_gradient<B, T>(expected, [&](T* g, bool add) {
      const auto dq = put<B, T>(Numbers(queries)), dk = put<B, T>(Numbers(keys)), dv = put<B, T>(Numbers(keys));
      T* const to[] = {which == 0 ? g : dq.data(), which == 1 ? g : dk.data(), which == 2 ? g : dv.data()};
      const P* const kept = lse.data();
      B::attention_backward(in(q_in, 4), in(k_in, 5), in(v_in, 5), in(out, 4), kept, in(dy, 4), heads(to[0], 4),
                            heads(to[1], 5), heads(to[2], 5), add, size);
    });
  };
  gradient(0, slope([&](const Numbers& x) { return dot(reference(x, k, v), up); }, q));
  gradient(1, slope([&](const Numbers& x) { return dot(reference(q, x, v), up); }, k));
  gradient(2, slope([&](const Numbers& x) { return dot(reference(q, k, x), up); }, v));
}
TEST_CASE_TEMPLATE_APPLY(attention_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend gathers rows, adds them back in order, and refuses an index outside", X, gather_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  const auto table = put<B, T>({1, 2, 3, 4, 5, 6}), out = put<B, T>(Numbers(8));
  const auto index = Memory<B, int>::from({2, 0, 2, 1}, {4}), wrong = Memory<B, int>::from({3}, {1});
  B::gather_rows(table.data(), index.data(), out.data(), 4l, 2l, 3l);
  CHECK(take(out) == Numbers{5, 6, 1, 2, 5, 6, 3, 4});
  B::scatter_add_rows(out.data(), index.data(), table.data(), 4l, 2l, 3l);
  CHECK(take(table) == Numbers{2, 4, 6, 8, 15, 18});
  const auto gather_wrong = [&] {
    B::gather_rows(table.data(), wrong.data(), out.data(), 1l, 2l, 3l);
    (void)take(out);  // a device says it when it is waited for
  };
  CHECK_THROWS_AS(gather_wrong(), Error);
}
TEST_CASE_TEMPLATE_APPLY(gather_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend evaluates, reduces and differentiates broadcast expressions", X, expression_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  constexpr int rows = 70, cols = 300;  // several pieces and tasks of any implementation
  const Numbers x = normal<T>(rows * cols, 17), row = normal<T>(cols, 18), column = normal<T>(rows, 19);
  const auto tensor = [](const Numbers& numbers, auto shape) {
    return Tensor<T, decltype(shape), B>(put<B, T>(numbers).buffer(), shape);
  };
  const auto a = tensor(x, Shape<dyn, cols>{rows});
  const auto b = tensor(row, Shape<cols>{});
  const auto c = tensor(column, Shape<rows, 1>{});

  Numbers expected(x.size());
  const auto value = [&](std::size_t i, std::size_t j) { return gelu_of(x[i * cols + j] * row[j] + column[i]) * 0.5; };
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) expected[i * cols + j] = value(i, j);
  const auto y = eval(gelu(a * b + c) * 0.5f);
  CHECK(gap(take(y), expected) < tolerance<T>());

  // Two assignments, of which the second reads what the first wrote; and a strided operand.
  const auto first = clone(a), second = clone(a);
  assign_together(into(first, first + 1), into(second, first * 2));
  Numbers doubled = x;
  for (double& number : doubled) number = 2 * (number + 1);
  CHECK(gap(take(second), doubled) < tolerance<T>());
  CHECK(take(eval(transpose_view<1, 0>(a) * 1.0f)) == transposed_of(x, rows, cols));

  Numbers sums(cols), means(rows), places(rows);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) {
      sums[j] += x[i * cols + j];
      means[i] += x[i * cols + j] * x[i * cols + j] / cols;
      if (x[i * cols + j] > x[i * cols + static_cast<std::size_t>(places[i])]) places[i] = static_cast<double>(j);
    }
  CHECK(gap(take(sum<0>(a)), sums) < tolerance<T>());
  CHECK(gap(take(mean<1>(square(a))), means) < tolerance<T>());
  CHECK(take(argmax<1>(a)) == places);

  // d sum(y up), where the gradients of b and c are sums over the axes along which they are repeated.
  const Numbers up = normal<T>(rows * cols, 20);
  Numbers da(x.size()), db(cols), dc(rows);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j) {
      const double z = x[i * cols + j] * row[j] + column[i];
      const double phi = std::exp(-0.5 * z * z) / std::sqrt(2 * std::acos(-1.0));
      const double g = up[i * cols + j] * 0.5 * (0.5 * (1 + std::erf(z / std::sqrt(2.0))) + z * phi);
      da[i * cols + j] = g * row[j];
      db[j] += g * x[i * cols + j];
      dc[i] += g;
    }
  Tape tape;
  const auto va = tape.watch(a);
  const auto vb = tape.watch(b);
  const auto vc = tape.watch(c);
  for (const double passes : {1.0, 2.0}) {  // the second pass adds
    const auto vy = eval(gelu(va * vb + vc) * 0.5f);
    tape.backward(vy, tensor(up, Shape<rows, cols>{}));
    const auto scaled = [&](Numbers numbers) {
      for (double& number : numbers) number *= passes;
      return numbers;
    };
    CHECK(gap(take(va.grad()), scaled(da)) < tolerance<T>());
    CHECK(gap(take(vb.grad()), scaled(db)) < tolerance<T>());
    CHECK(gap(take(vc.grad()), scaled(dc)) < tolerance<T>());
  }
}
TEST_CASE_TEMPLATE_APPLY(expression_, All);

/// left * right + left * keep for matrices [5, width] and a column `keep`, and its gradients.
template <class B, class T>
void check_width(int width) {
  const Shape<dyn, dyn> shape{5, width};
  const Numbers a = normal<T>(shape.size(), 30), b = normal<T>(shape.size(), 31), up = normal<T>(shape.size(), 32);
  const Numbers factor = normal<T>(5, 33);
  const auto tensor = [](const Numbers& numbers, auto extents) {
    return Tensor<T, decltype(extents), B>(put<B, T>(numbers).buffer(), extents);
  };
  const auto keep = tensor(factor, Shape<dyn, 1>{5});
  Tape tape;
  const auto left = tape.watch(tensor(a, shape)), right = tape.watch(tensor(b, shape));
  const auto y = eval(left * right + left * keep);
  Numbers value(a.size()), left_slope = up, right_slope = up;
  for (std::size_t i = 0; i < up.size(); ++i) {
    const double k = factor[i / at(width)];
    value[i] = a[i] * b[i] + a[i] * k;
    left_slope[i] *= b[i] + k;
    right_slope[i] *= a[i];
  }
  CHECK(gap(take(y.value()), value) < tolerance<T>());
  for (const double passes : {1.0, 2.0}) {  // the second pass adds
    tape.backward(eval(left * right + left * keep), tensor(up, shape));
    const auto scaled = [&](Numbers numbers) {
      for (double& number : numbers) number *= passes;
      return numbers;
    };
    CHECK(gap(take(left.grad()), scaled(left_slope)) < tolerance<T>());
    CHECK(gap(take(right.grad()), scaled(right_slope)) < tolerance<T>());
  }
}

TEST_CASE_TEMPLATE_DEFINE("a backend evaluates and differentiates rows of odd widths, of fours and of eights", X,
                          widths_) {
  for (const int width : {7, 12, 16}) {
    CAPTURE(width);
    check_width<typename X::Backend_, typename X::Scalar>(width);
  }
}
TEST_CASE_TEMPLATE_APPLY(widths_, All);

namespace {

template <class B_>
struct TwoMatrices {
  Linear<dyn, dyn, float, B_> even, odd;  // one that is read in quads, one that is not
  explicit TwoMatrices(Initializer init = Initializer(Seed{1})) : even(16, 24, init), odd(24, 7, init) {
    init.fill_normal(even.bias, 1);
  }
  VITRAL_MEMBERS(even, odd)
};

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("a backend assigns many tensors at once, each by a factor made for it alone", X,
                          assign_each_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  std::vector<Memory<B, T>> tensors;
  for (const int size : {1, 40, 3, 300}) tensors.push_back(put<B, T>(Numbers(at(size), 1.0)));
  assign_each<B>(tensors.size(), [&](std::size_t i) {
    const auto factor = eval(put<B, T>({static_cast<double>(i)}) + 1);
    return pack_handles(into(tensors[i], tensors[i] * factor));
  });
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CAPTURE(i);
    CHECK(take(tensors[i]) == Numbers(at(tensors[i].size()), static_cast<double>(i + 1)));
  }
}
TEST_CASE_TEMPLATE_APPLY(assign_each_, All);

TEST_CASE_TEMPLATE_DEFINE("a backend rounds all weights in one pass as it rounds each", X, rounded_weights_) {
  using B = typename X::Backend_;
  TwoMatrices<B> net;
  const auto numbers = put<B, bf16>(normal<bf16>(9 * 16, 1));
  const Tensor<bf16, Shape<dyn, dyn>, B> x(numbers.buffer(), {9, 16});
  const auto result = [&] { return take(net.odd(net.even(x))); };
  const Numbers expected = result();
  const RoundedWeights rounded(net);
  B::fill(net.even.weight.value.data(), 16 * 24, 0.0f);  // so that only the copies can say what it was
#if defined(VITRAL_TEST_CUDA)
  B::fill(net.even.bias.value.data(), 24, 9.0f);  // which products add as bf16; on the CPU they add floats
#endif
  CHECK(result() == expected);
}
TEST_CASE_TEMPLATE_APPLY(rounded_weights_, std::tuple<std::tuple_element_t<0, All>>);
