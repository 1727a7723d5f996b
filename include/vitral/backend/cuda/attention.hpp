// Attention for every type and width that stores no [queries, keys] matrix (for bf16 see attention_mma.hpp): blocks of
// 32 queries meet tiles of 32 keys in shared memory by FlashAttention's running softmax (arXiv 1805.02867, 2205.14135).
// Backwards, dq has one kernel and dk with dv another, so that nothing is added atomically.
#pragma once

#include <vitral/backend/cuda/attention_mma_backward.hpp>

#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

constexpr int tile = 32;                           // queries or keys of a tile: one for each lane
constexpr int attention_warps = 4;                 // of a block
constexpr int warp_rows = tile / attention_warps;  // rows of the block's tile that a warp owns
constexpr int most_channels = 128;                 // of a head

/// A tile [32, width] in shared memory; an element more in each row keeps 32 rows from meeting in one bank.
template <class P>
struct SharedTile {
  P* data;
  int stride;
  __device__ P& operator()(int row, int channel) const { return data[row * stride + channel]; }
};

/// The shared memory of a block as tiles, one after another.
template <class P>
struct SharedTiles {
  P* next;
  int width;
  __device__ SharedTile<P> take(int columns) {
    SharedTile<P> t{next, columns + 1};
    next += tile * (columns + 1);
    return t;
  }
  __device__ SharedTile<P> take() { return take(width); }
};
template <class P>
std::size_t tiles_bytes(int tiles, int score_tiles, int width) {
  return sizeof(P) * tile * static_cast<std::size_t>(tiles * (width + 1) + score_tiles * (tile + 1));
}

/// Rows first ... first + 31 of one head, times `factor`; rows beyond `count` are zeros.
template <class T, class P>
__device__ void load_tile(const SharedTile<P>& to, const Heads<const T>& from, long head_offset, int first, int count,
                          int width, P factor = P(1)) {
  for (int i = static_cast<int>(threadIdx.x); i < tile * width; i += static_cast<int>(blockDim.x)) {
    const int row = i / width, channel = i % width;
    const bool inside = first + row < count;
    to(row, channel) =
        inside ? static_cast<P>(from.data[head_offset + (first + row) * from.token_stride + channel]) * factor : P(0);
  }
}

template <class P>
__device__ P dot_rows(const SharedTile<P>& a, int i, const SharedTile<P>& b, int j, int width) {
  P sum{};
  for (int c = 0; c < width; ++c) sum += a(i, c) * b(j, c);
  return sum;
}

/// What a lane keeps of the sums of its warp's rows: channels lane, lane + 32, ...
template <class P, int Channels>
struct RowSums {
  P value[warp_rows][Channels] = {};

  /// Row r gains the sum over j of weight(j) * from(j, channel).
  __device__ void add(int r, const SharedTile<P>& weights, int row, const SharedTile<P>& from, int width) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    for (int j = 0; j < tile; ++j) {
      const P w = weights(row, j);
      for (int k = 0; k < Channels; ++k)
        if (lane + 32 * k < width) value[r][k] += w * from(j, lane + 32 * k);
    }
  }
  template <class T>
  __device__ void store(int r, const Heads<T>& to, long at, int width, P factor, bool add) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    for (int k = 0; k < Channels; ++k) {
      const int c = lane + 32 * k;
      if (c >= width) continue;
      const P v = value[r][k] * factor;
      to.data[at + c] = add ? static_cast<P>(to.data[at + c]) + v : v;
    }
  }
};

template <int Channels, class T>
__global__ void attention_kernel(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<T> out, compute_t<T>* lse,
                                 AttentionSize size) {
  using P = compute_t<T>;
  SharedTiles<P> shared{dynamic_shared<P>(), size.width};
  const auto query = shared.take(), key = shared.take(), value = shared.take(), weight = shared.take(tile);
  const int first = static_cast<int>(blockIdx.y) * tile, b = static_cast<int>(blockIdx.x) / size.heads,
            h = static_cast<int>(blockIdx.x) % size.heads;
  const int lane = static_cast<int>(threadIdx.x) % 32, row0 = static_cast<int>(threadIdx.x) / 32 * warp_rows;
  const P infinity = static_cast<P>(INFINITY);
  load_tile<T>(query, q, offset_of_head(q, b, h), first, size.queries, size.width, static_cast<P>(size.scale));

  RowSums<P, Channels> sums;
  P most[warp_rows], total[warp_rows];
  for (int r = 0; r < warp_rows; ++r) most[r] = -infinity, total[r] = 0;
  for (int begin = 0; begin < size.keys; begin += tile) {
    __syncthreads();  // the tiles before are no longer read
    load_tile<T>(key, k, offset_of_head(k, b, h), begin, size.keys, size.width);
    load_tile<T>(value, v, offset_of_head(v, b, h), begin, size.keys, size.width);
    __syncthreads();
    for (int r = 0; r < warp_rows; ++r) {
      const P score = begin + lane < size.keys ? dot_rows(query, row0 + r, key, lane, size.width) : -infinity;
      const P largest = Max{}(most[r], warp_reduce(score, Max{}));
      const P p = ::exp(score - largest), shrink = ::exp(most[r] - largest);
      total[r] = total[r] * shrink + warp_reduce(p, Add{});
      most[r] = largest;
      for (int c = 0; c < Channels; ++c) sums.value[r][c] *= shrink;
      weight(row0 + r, lane) = p;
      __syncwarp();
      sums.add(r, weight, row0 + r, value, size.width);
    }
  }
  for (int r = 0; r < warp_rows; ++r) {
    const int row = first + row0 + r;
    if (row >= size.queries) continue;
    sums.store(r, out, offset_of_head(out, b, h) + row * out.token_stride, size.width, P(1) / total[r], false);
    if (lse && lane == 0) lse[static_cast<long>(blockIdx.x) * size.queries + row] = most[r] + ::log(total[r]);
  }
}

/// delta [batch, heads, queries] = out . dout for each row.
template <class T>
__global__ void attention_delta(Heads<const T> out, Heads<const T> dout, compute_t<T>* delta, AttentionSize size) {
  using P = compute_t<T>;
  const long at = (static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (at >= static_cast<long>(size.batch) * size.heads * size.queries) return;
  const int row = static_cast<int>(at % size.queries), h = static_cast<int>(at / size.queries % size.heads),
            b = static_cast<int>(at / size.queries / size.heads);
  const T* const x = out.data + offset_of_head(out, b, h) + row * out.token_stride;
  const T* const y = dout.data + offset_of_head(dout, b, h) + row * dout.token_stride;
  P sum{};
  for (int c = lane; c < size.width; c += 32) sum += static_cast<P>(x[c]) * static_cast<P>(y[c]);
  sum = warp_reduce(sum, Add{});
  if (lane == 0) delta[at] = sum;
}

/// A block owns 32 queries and walks the keys (`Of::queries`), or owns 32 keys and walks the queries.
enum class Of { queries, keys };

template <Of of, int Channels, class T>
__global__ void attention_backward_kernel(Heads<const T> q, Heads<const T> k, Heads<const T> v, const compute_t<T>* lse,
                                          Heads<const T> dout, const compute_t<T>* delta, Heads<T> dq, Heads<T> dk,
                                          Heads<T> dv, bool add, AttentionSize size) {
  using P = compute_t<T>;
  SharedTiles<P> shared{dynamic_shared<P>(), size.width};
  const auto query = shared.take(), up = shared.take(), key = shared.take(), value = shared.take();
  const auto weight = shared.take(tile), slope = shared.take(tile);
  const int first = static_cast<int>(blockIdx.y) * tile, b = static_cast<int>(blockIdx.x) / size.heads,
            h = static_cast<int>(blockIdx.x) % size.heads;
  const int lane = static_cast<int>(threadIdx.x) % 32, row0 = static_cast<int>(threadIdx.x) / 32 * warp_rows;
  const long statistics = static_cast<long>(blockIdx.x) * size.queries;
  const auto load_queries = [&](int begin) {
    load_tile<T>(query, q, offset_of_head(q, b, h), begin, size.queries, size.width);
    load_tile<T>(up, dout, offset_of_head(dout, b, h), begin, size.queries, size.width);
  };
  const auto load_keys = [&](int begin) {
    load_tile<T>(key, k, offset_of_head(k, b, h), begin, size.keys, size.width);
    load_tile<T>(value, v, offset_of_head(v, b, h), begin, size.keys, size.width);
  };
  constexpr bool by_query = of == Of::queries;
  by_query ? load_queries(first) : load_keys(first);

  RowSums<P, Channels> sums, value_sums;  // of dq; or of dk and dv
  for (int begin = 0; begin < (by_query ? size.keys : size.queries); begin += tile) {
    __syncthreads();
    by_query ? load_keys(begin) : load_queries(begin);
    __syncthreads();
    for (int r = 0; r < warp_rows; ++r) {
      const int i = by_query ? row0 + r : lane, j = by_query ? lane : row0 + r;  // query and key in their tiles
      const int row = (by_query ? first : begin) + i;
      const bool inside = row < size.queries && (by_query ? begin : first) + j < size.keys;
      const P scale = static_cast<P>(size.scale);
      const P p = inside ? ::exp(dot_rows(query, i, key, j, size.width) * scale - lse[statistics + row]) : P(0);
      const P ds = inside ? p * (dot_rows(up, i, value, j, size.width) - delta[statistics + row]) * scale : P(0);
      slope(row0 + r, lane) = ds;
      if (!by_query) weight(row0 + r, lane) = p;
      __syncwarp();
      sums.add(r, slope, row0 + r, by_query ? key : query, size.width);
      if (!by_query) value_sums.add(r, weight, row0 + r, up, size.width);
    }
  }
  for (int r = 0; r < warp_rows; ++r) {
    const int row = first + row0 + r;
    if (row >= (by_query ? size.queries : size.keys)) continue;
    const auto store = [&](const RowSums<P, Channels>& from, const Heads<T>& to) {
      from.store(r, to, offset_of_head(to, b, h) + row * to.token_stride, size.width, P(1), add);
    };
    if (by_query) {
      store(sums, dq);
    } else {
      store(sums, dk);
      store(value_sums, dv);
    }
  }
}

/// Launches a kernel of this file over the tiles of `rows` rows for each image and head.
template <class... A, class... B>
void launch_tiles(const char* name, void (*kernel)(A...), int rows, const AttentionSize& size, std::size_t shared,
                  const B&... arguments) {
  allow_shared(name, kernel, shared);
  launch(name, kernel,
         dim3(static_cast<unsigned>(size.batch * size.heads), static_cast<unsigned>((rows + tile - 1) / tile)),
         32 * attention_warps, shared, arguments...);
}

/// Calls f with the number of channels that a lane holds, as a constant.
template <class F>
void with_channels(int width, F&& f) {
  check(width >= 1 && width <= most_channels, "attention: heads of ", width,
        " channels; the device's kernels take 1 to ", most_channels);
  if (width <= 32)
    f(std::integral_constant<int, 1>{});
  else if (width <= 64)
    f(std::integral_constant<int, 2>{});
  else
    f(std::integral_constant<int, 4>{});
}

}  // namespace detail

template <class T>
void attention_forward(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<T> out, compute_t<T>* lse,
                       const AttentionSize& size) {
  using P = compute_t<T>;
  check(size.keys > 0, "attention: there are no keys");
  if constexpr (std::is_same_v<T, bf16>)
    if (detail::suits_mma(size, q, k, v, out))
      return size.width == 32 ? detail::launch_mma<32>(q, k, v, out, lse, size)
                              : detail::launch_mma<64>(q, k, v, out, lse, size);
  detail::with_channels(size.width, [&](auto channels) {
    detail::launch_tiles("attention", &detail::attention_kernel<channels(), T>, size.queries, size,
                         detail::tiles_bytes<P>(3, 1, size.width), q, k, v, out, lse, size);
  });
}

template <class T>
void attention_backward(Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<const T> out,
                        const compute_t<T>* lse, Heads<const T> dout, Heads<T> dq, Heads<T> dk, Heads<T> dv, bool add,
                        const AttentionSize& size) {
  using P = compute_t<T>;
  if constexpr (std::is_same_v<T, bf16>)
    if (detail::suits_mma(size, q, k, v, out, dout, dq, dk, dv)) {
      const detail::BackwardTensors x{q, k, v, out, dout, lse, nullptr, dq, dk, dv, add};
      return size.width == 32 ? detail::launch_mma_backward<32>(x, size) : detail::launch_mma_backward<64>(x, size);
    }
  const long rows = static_cast<long>(size.batch) * size.heads * size.queries;
  const Scratch<P> delta(rows);
  launch("attention backward", &detail::attention_delta<T>, blocks_for(rows * 32), block_threads, 0, out, dout,
         delta.data(), size);
  detail::with_channels(size.width, [&](auto channels) {
    const std::size_t shared = detail::tiles_bytes<P>(4, 2, size.width);
    const P* const kept = delta.data();
    detail::launch_tiles("attention backward", &detail::attention_backward_kernel<detail::Of::queries, channels(), T>,
                         size.queries, size, shared, q, k, v, lse, dout, kept, dq, dk, dv, add, size);
    detail::launch_tiles("attention backward", &detail::attention_backward_kernel<detail::Of::keys, channels(), T>,
                         size.keys, size, shared, q, k, v, lse, dout, kept, dq, dk, dv, add, size);
  });
}

}}}  // namespace vitral::cuda
