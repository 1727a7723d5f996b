// Cases of LayerNorm and BatchNorm.
#pragma once

#include "reference.hpp"

#include <vitral/autodiff/norm.hpp>

#include <algorithm>

namespace conformance {

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

}  // namespace conformance
