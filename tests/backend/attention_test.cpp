#include <vitral/backend/cpu/attention.hpp>
#include <vitral/core/philox.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace vitral;

namespace {

template <class T>
using Values = std::vector<T>;

template <class T>
Values<T> random_values(long count, std::uint64_t stream) {
  Values<T> out(static_cast<std::size_t>(count));
  const Random random{21, stream, 0};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(static_cast<compute_t<T>>(random.normal(i)));
  return out;
}

template <class T>
double tolerance() {
  return std::is_same_v<T, double> ? 1e-11 : std::is_same_v<T, float> ? 2e-5 : 3e-2;
}

// q, k and v are slices of one tensor [batch, tokens, 3, heads, width], out is [batch, tokens, heads, width].
struct Layout {
  int batch, heads, tokens, width;
  long size() const { return static_cast<long>(batch) * tokens * heads * width; }
  template <class T>
  Heads<T> part(T* data, int which) const {
    const long row = 3l * heads * width;
    return {data + which * heads * width, tokens * row, row, width};
  }
  template <class T>
  Heads<T> plain(T* data) const {
    return {data, static_cast<long>(tokens) * heads * width, static_cast<long>(heads) * width, width};
  }
  AttentionSize options() const { return {batch, heads, tokens, tokens, width, 0.3}; }
};

constexpr Layout layouts[] = {{1, 1, 1, 1}, {2, 3, 5, 4}, {1, 2, 65, 16}, {2, 1, 150, 7}};

template <class T>
double at(Heads<T> x, int b, int h, int t, int c) {
  return static_cast<double>(x.data[b * x.batch_stride + t * x.token_stride + h * x.head_stride + c]);
}

// The forward pass in double, and the loss sum(out * weight) that the finite differences of the backward pass use.
template <class T>
Values<double> naive(const Layout& l, const Values<T>& qkv) {
  Values<double> out(static_cast<std::size_t>(l.size()));
  const auto q = l.part(qkv.data(), 0), k = l.part(qkv.data(), 1), v = l.part(qkv.data(), 2);
  const auto o = l.plain(out.data());
  Values<double> p(static_cast<std::size_t>(l.tokens));
  for (int b = 0; b < l.batch; ++b)
    for (int h = 0; h < l.heads; ++h)
      for (int i = 0; i < l.tokens; ++i) {
        double sum = 0;
        for (int j = 0; j < l.tokens; ++j) {
          double s = 0;
          for (int c = 0; c < l.width; ++c) s += at(q, b, h, i, c) * at(k, b, h, j, c);
          sum += p[static_cast<std::size_t>(j)] = std::exp(0.3 * s);
        }
        for (int c = 0; c < l.width; ++c) {
          double mean = 0;
          for (int j = 0; j < l.tokens; ++j) mean += p[static_cast<std::size_t>(j)] / sum * at(v, b, h, j, c);
          o.data[b * o.batch_stride + i * o.token_stride + h * o.head_stride + c] = mean;
        }
      }
  return out;
}

template <class T>
struct Result {
  Values<T> out, gradient;
};

template <class T>
Result<T> run(const Layout& l, const Values<T>& qkv, const Values<T>& dout, bool add) {
  Result<T> r{Values<T>(dout.size()), Values<T>(qkv.size(), static_cast<T>(compute_t<T>(add ? 1 : 9)))};
  Values<compute_t<T>> lse(static_cast<std::size_t>(l.batch * l.heads * l.tokens));
  const T* const x = qkv.data();
  cpu::attention_forward<T>(l.part(x, 0), l.part(x, 1), l.part(x, 2), l.plain(r.out.data()), lse.data(), l.options());
  const T* const out = r.out.data();
  T* const g = r.gradient.data();
  cpu::attention_backward<T>(l.part(x, 0), l.part(x, 1), l.part(x, 2), l.plain(out), lse.data(), l.plain(dout.data()),
                             l.part(g, 0), l.part(g, 1), l.part(g, 2), add, l.options());
  return r;
}

}  // namespace

TEST_CASE_TEMPLATE("attention's forward pass agrees with plain loops for any number of tokens", T, float, double,
                   bf16) {
  for (const Layout& l : layouts) {
    const auto qkv = random_values<T>(3 * l.size(), 1), dout = random_values<T>(l.size(), 2);
    const auto expected = naive(l, qkv);
    const auto r = run(l, qkv, dout, false);
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::fmax(worst, std::fabs(static_cast<double>(r.out[i]) - expected[i]));
    CAPTURE(l.tokens);
    CHECK(worst < tolerance<T>());
  }
}

TEST_CASE_TEMPLATE("attention's backward pass agrees with finite differences, and adds on request", T, float, double,
                   bf16) {
  for (const Layout& l : layouts) {
    const auto qkv = random_values<T>(3 * l.size(), 3), dout = random_values<T>(l.size(), 4);
    const auto r = run(l, qkv, dout, false), added = run(l, qkv, dout, true);
    Values<double> x(qkv.begin(), qkv.end());
    const std::size_t step = x.size() < 200 ? 1 : x.size() / 60;
    for (std::size_t i = 0; i < x.size(); i += step) {
      const double keep = x[i], h = 1e-5;
      double slope = 0;
      for (const double side : {1.0, -1.0}) {
        x[i] = keep + side * h;
        const auto out = naive(l, x);
        for (std::size_t j = 0; j < out.size(); ++j) slope += side * out[j] * static_cast<double>(dout[j]) / (2 * h);
      }
      x[i] = keep;
      const double allowed = (std::is_same_v<T, double> ? 1e-8 : 3 * tolerance<T>()) * (1 + std::fabs(slope));
      CAPTURE(l.tokens);
      CAPTURE(i);
      CHECK(std::fabs(static_cast<double>(r.gradient[i]) - slope) < allowed);
      CHECK(std::fabs(static_cast<double>(added.gradient[i]) - 1 - slope) < allowed);
    }
  }
}

TEST_CASE_TEMPLATE("attention gives the same bits with one thread and with two", T, float, double, bf16) {
  const int threads = cpu::threads();
  const Layout l{3, 3, 65, 64};
  const auto qkv = random_values<T>(3 * l.size(), 5), dout = random_values<T>(l.size(), 6);
  cpu::set_threads(1);
  const auto one = run(l, qkv, dout, false);
  cpu::set_threads(2);
  const auto two = run(l, qkv, dout, false);
  cpu::set_threads(threads);
  const auto same = [](const Values<T>& a, const Values<T>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
      if (static_cast<compute_t<T>>(a[i]) != static_cast<compute_t<T>>(b[i])) return false;
    return true;
  };
  CHECK(same(one.out, two.out));
  CHECK(same(one.gradient, two.gradient));
}
