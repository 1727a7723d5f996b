// Attention's kernels at the sizes of vision transformers, forward and backward, on windows into one tensor of queries,
// keys and values, against the formula in double.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/core/philox.hpp>
#include <vitral/tensor/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

using namespace vitral;

namespace {

using Numbers = std::vector<double>;
auto at(long i) { return static_cast<std::size_t>(i); }

/// [batch, tokens, slots, heads, width]: three slots hold queries, keys and values, or one of them alone.
struct Layout {
  int batch, tokens, slots, heads, width;
  long size() const { return long{batch} * tokens * slots * heads * width; }
  template <class T>
  Heads<T> window(T* data, int slot) const {
    const long token = long{slots} * heads * width;
    return {data + long{slot} * heads * width, token * tokens, token, width};
  }
};

/// Rounded to T, as the device has them.
template <class T>
Numbers normal(long count, std::uint64_t stream) {
  Numbers x(at(count));
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<double>(static_cast<compute_t<T>>(T(static_cast<compute_t<T>>(Random{5, stream, 0}.normal(i)))));
  return x;
}
template <class T>
auto put(const Numbers& x) {
  std::vector<T> values(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) values[i] = static_cast<compute_t<T>>(x[i]);
  return Tensor<T, Shape<dyn>, Cuda>::from(values, {static_cast<int>(x.size())});
}
template <class T>
Numbers take(const Tensor<T, Shape<dyn>, Cuda>& x) {
  Numbers out;
  for (const T value : x.to_vector()) out.push_back(static_cast<double>(static_cast<compute_t<T>>(value)));
  return out;
}

/// out, lse and the three gradients, in double; all inputs are dense.
struct Reference {
  Numbers out, lse, dq, dk, dv;

  Reference(const Numbers& q, const Numbers& k, const Numbers& v, const Numbers& up, const Layout& of_queries,
            const Layout& of_keys, double scale)
      : out(q.size()), dq(q.size()), dk(k.size()), dv(v.size()) {
    const int n = of_queries.tokens, m = of_keys.tokens, width = of_queries.width;
    for (int b = 0; b < of_queries.batch; ++b)
      for (int h = 0; h < of_queries.heads; ++h)
        for (int i = 0; i < n; ++i) {
          const auto row = [&](const Layout& l, int token) {
            return at(((long{b} * l.tokens + token) * l.heads + h) * width);
          };
          const auto dot = [&](const Numbers& x, std::size_t x0, const Numbers& y, std::size_t y0) {
            double sum = 0;
            for (std::size_t c = 0; c < at(width); ++c) sum += x[x0 + c] * y[y0 + c];
            return sum;
          };
          const std::size_t query = row(of_queries, i);
          Numbers p(at(m));
          for (int j = 0; j < m; ++j) p[at(j)] = scale * dot(q, query, k, row(of_keys, j));
          const double most = *std::max_element(p.begin(), p.end());
          double total = 0, delta = 0;
          for (double& x : p) total += x = std::exp(x - most);
          lse.push_back(most + std::log(total));
          for (int j = 0; j < m; ++j) {
            p[at(j)] /= total;
            delta += p[at(j)] * dot(up, query, v, row(of_keys, j));
          }
          for (int j = 0; j < m; ++j) {
            const std::size_t key = row(of_keys, j);
            const double weight = p[at(j)], slope = scale * weight * (dot(up, query, v, key) - delta);
            for (std::size_t c = 0; c < at(width); ++c) {
              out[query + c] += weight * v[key + c];
              dv[key + c] += weight * up[query + c];
              dk[key + c] += slope * q[query + c];
              dq[query + c] += slope * k[key + c];
            }
          }
        }
  }
};

bool near(const char* what, const Numbers& got, const Numbers& expected, double tolerance) {
  double difference = 0, whole = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (got[i] - expected[i]) * (got[i] - expected[i]);
    whole += expected[i] * expected[i];
  }
  const double error = std::sqrt(difference / whole);
  if (!(error <= tolerance)) std::printf("  %s is off by %.3g of its norm\n", what, error);
  return error <= tolerance;
}

/// The values of one slot, dense.
Numbers slot_of(const Numbers& x, const Layout& l, int slot) {
  Numbers out;
  const long piece = long{l.heads} * l.width;
  for (long token = 0; token < long{l.batch} * l.tokens; ++token)
    out.insert(out.end(), x.begin() + (token * l.slots + slot) * piece,
               x.begin() + (token * l.slots + slot + 1) * piece);
  return out;
}

/// `queries` of the tokens ask all of them: all, or the class token alone.
template <class T>
bool right(int batch, int tokens, int queries, int heads, int width, double tolerance) {
  const Layout all{batch, tokens, 3, heads, width}, asking{batch, queries, 1, heads, width};
  const AttentionSize size{batch, heads, queries, tokens, width, 1.0 / std::sqrt(width)};
  const bool self = queries == tokens;
  const Numbers qkv = normal<T>(all.size(), 1), own = normal<T>(asking.size(), 2), up = normal<T>(asking.size(), 3);
  const Layout one{batch, tokens, 1, heads, width};
  const Reference expected(self ? slot_of(qkv, all, 0) : own, slot_of(qkv, all, 1), slot_of(qkv, all, 2), up, asking,
                           one, size.scale);

  const auto in = put<T>(qkv), q_in = put<T>(own), dy = put<T>(up), out = put<T>(Numbers(at(asking.size())));
  const auto lse = put<compute_t<T>>(Numbers(expected.lse.size()));
  const T *const x = in.data(), *const y = dy.data();
  const auto q = self ? all.window(x, 0) : asking.window(static_cast<const T*>(q_in.data()), 0);
  const auto k = all.window(x, 1), v = all.window(x, 2);
  Cuda::attention_forward(q, k, v, asking.window(out.data(), 0), lse.data(), size);
  bool good = near("out", take(out), expected.out, tolerance) && near("lse", take(lse), expected.lse, tolerance);

  Numbers first;
  for (const bool add : {false, true}) {
    const auto gradient = put<T>(Numbers(at(all.size()), add ? 1 : NAN));
    const auto dq = put<T>(Numbers(at(asking.size()), add ? 1 : NAN));
    const T* const result = out.data();
    const compute_t<T>* const kept = lse.data();
    Cuda::attention_backward(q, k, v, asking.window(result, 0), kept, asking.window(y, 0),
                             self ? all.window(gradient.data(), 0) : asking.window(dq.data(), 0),
                             all.window(gradient.data(), 1), all.window(gradient.data(), 2), add, size);
    const Numbers whole = take(gradient), of_queries = self ? slot_of(whole, all, 0) : take(dq);
    const auto plus = [&](Numbers numbers) {
      for (double& value : numbers) value += add ? 1 : 0;
      return numbers;
    };
    good = near("dq", of_queries, plus(expected.dq), tolerance) && good;
    good = near("dk", slot_of(whole, all, 1), plus(expected.dk), tolerance) && good;
    good = near("dv", slot_of(whole, all, 2), plus(expected.dv), tolerance) && good;
  }
  std::printf("%s, %d tokens, %d queries, %d heads of %d channels: %s\n", std::string(scalar_name<T>).c_str(), tokens,
              queries, heads, width, good ? "right" : "WRONG");
  return good;
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  bool good = true;
  for (const int width : {32, 64}) {
    for (const int tokens : {16, 63, 65, 96, 197}) good = right<bf16>(2, tokens, tokens, 2, width, 1e-2) && good;
    good = right<bf16>(2, 65, 1, 3, width, 1e-2) && good;
    good = right<bf16>(1, 577, 17, 1, width, 1e-2) && good;
  }
  for (const int width : {32, 64}) good = right<bf16>(1, 300, 300, 1, width, 1e-2) && good;  // a kernel for each side
  good = right<bf16>(1, 70, 70, 2, 48, 1e-2) && good;  // no width of the tensor cores' kernels
  good = right<float>(1, 70, 70, 2, 64, 1e-5) && good;
  return good ? 0 : 1;
}
