// Cases of operations on rows: softmax and its kin, attention, lookups; and what becomes of a NaN.
#pragma once

#include "reference.hpp"

#include <vitral/tensor/reduce.hpp>

#include <algorithm>

namespace conformance {

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

TEST_CASE_TEMPLATE_DEFINE("a backend finds the nearest rows, of equal products the earlier one", X, nearest_) {
  using B = typename X::Backend_;
  if constexpr (OffersNearestRows<B>) {
    struct Case {
      long rows, asked, width;
      int k;
      bool leave_one_out;
    };
    // Whole numbers, whose products are exact and often equal; more rows and queries than a block has of them, too.
    for (const Case& c : {Case{70, 9, 3, 1, false},
                          {300, 9, 5, 33, false},
                          {40, 4, 4, 40, false},
                          {45, 45, 3, 7, true},
                          {8300, 3, 2, 4, false},
                          {3, 8200, 2, 2, false}}) {
      CAPTURE(c.rows);
      CAPTURE(c.leave_one_out);
      const auto whole = [&](long count, std::uint64_t stream) {
        Numbers out = normal<float>(count, stream);
        for (double& x : out) x = std::round(2 * x);
        return out;
      };
      const Numbers table = whole(c.rows * c.width, 17);
      const Numbers queries = c.leave_one_out ? table : whole(c.asked * c.width, 18);
      const auto from = put<B, float>(table), to = put<B, float>(queries);
      const auto products = put<B, float>(Numbers(at(c.asked * c.k)));
      const auto places = Memory<B, int>(Shape<dyn>{static_cast<int>(c.asked * c.k)});
      B::nearest_rows(row_major(from.data(), c.rows, c.width), row_major(to.data(), c.asked, c.width), c.k,
                      c.leave_one_out, products.data(), places.data());
      Numbers best, where;
      for (long i = 0; i < c.asked; ++i) {
        std::vector<std::pair<double, double>> all;  // minus the product, the row
        for (long j = 0; j < c.rows; ++j) {
          double product = 0;
          for (long n = 0; n < c.width; ++n) product += table[at(j * c.width + n)] * queries[at(i * c.width + n)];
          if (!c.leave_one_out || i != j) all.emplace_back(-product, j);
        }
        std::partial_sort(all.begin(), all.begin() + c.k, all.end());
        for (int n = 0; n < c.k; ++n) {
          best.push_back(-all[at(n)].first);
          where.push_back(all[at(n)].second);
        }
      }
      CHECK(take(products) == best);
      CHECK(take(places) == where);
    }
  }
}

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

}  // namespace conformance
