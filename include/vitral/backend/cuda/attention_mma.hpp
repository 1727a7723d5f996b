// Attention on tensor cores: bf16, heads of 32 or 64 channels, sums and softmax in float. Forward as FlashAttention-2
// (Dao, arXiv 2307.08691): a warp owns 16 queries, whose scores never leave its registers. Backward, one block for each
// image and head walks all pairs of tiles in order, so that dq, dk and dv are each summed once, by one thread, without
// atomics: the same bits in every run.
#pragma once

#include <vitral/backend/cuda/block_reduce.hpp>
#include <vitral/backend/cuda/instructions.hpp>
#include <vitral/backend/cuda/memory.hpp>
#include <vitral/tensor/heads.hpp>

#include <cmath>
#include <cstdint>

namespace vitral::inline VITRAL_ABI::cuda {

namespace detail {

constexpr int mma_rows = 64;     // queries or keys of a tile: 16 for each of 4 warps
constexpr int mma_threads = 128;
constexpr float log2_e = 1.44269504089f, ln_2 = 0.693147180560f;

/// 64 rows of Width bf16 values in shared memory. 16 bytes more in each row let the rows of a matrix that ldmatrix reads
/// lie in different banks.
template <int Width>
struct BandTile {
  static constexpr int stride = Width + 8, size = mma_rows * stride;
  bf16* data;

  /// Rows first ... first + 63 of one head; those beyond `count` are zeros.
  __device__ void load(const bf16* head, long token_stride, int first, int count) const {
    constexpr int pieces = Width / 8;  // of 16 bytes
    for (int i = static_cast<int>(threadIdx.x); i < mma_rows * pieces; i += mma_threads) {
      const int row = i / pieces, channel = i % pieces * 8;
      uint4 piece{0, 0, 0, 0};
      if (first + row < count) piece = *reinterpret_cast<const uint4*>(head + (first + row) * token_stride + channel);
      *reinterpret_cast<uint4*>(data + row * stride + channel) = piece;
    }
  }

  // The four matrices of a 16 x 16 window at (row, column), as the operand that is meant:
  /// A = window.
  __device__ void left(unsigned (&a)[4], int row, int column) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    load_matrices(a, data + (row + lane % 16) * stride + column + lane / 16 * 8);
  }
  /// A = window^T.
  __device__ void left_transposed(unsigned (&a)[4], int row, int column) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    load_transposed(a, data + (row + lane % 8 + lane / 16 * 8) * stride + column + lane / 8 % 2 * 8);
  }
  /// B = window^T: b[0] and b[1] for its first 8 columns, b[2] and b[3] for the rest.
  __device__ void right_transposed(unsigned (&b)[4], int row, int column) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    load_matrices(b, data + (row + lane % 8 + lane / 16 * 8) * stride + column + lane / 8 % 2 * 8);
  }
  /// B = window.
  __device__ void right(unsigned (&b)[4], int row, int column) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    load_transposed(b, data + (row + lane % 16) * stride + column + lane / 16 * 8);
  }
};

/// A [16, 8 Count] accumulator of a warp, as `Count` results of multiply_add beside each other.
template <int Count>
struct Band {
  float part[Count][4] = {};

  /// Columns 16 i ... 16 i + 15, as a left operand.
  __device__ void as_left(unsigned (&a)[4], int i) const {
    const auto &x = part[2 * i], &y = part[2 * i + 1];
    a[0] = pair_of(x[0], x[1]);
    a[1] = pair_of(x[2], x[3]);
    a[2] = pair_of(y[0], y[1]);
    a[3] = pair_of(y[2], y[3]);
  }
  /// Columns 16 i ... += a b.
  __device__ void add(int i, const unsigned (&a)[4], const unsigned (&b)[4]) {
    multiply_add(part[2 * i], a, b[0], b[1]);
    multiply_add(part[2 * i + 1], a, b[2], b[3]);
  }
  /// to[row, column] (=|+=) factor * this, for the rows below `rows`.
  __device__ void store(bf16* to, long row_stride, int rows, float factor, bool add_to) const {
    const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int half = 0; half < 2; ++half)
      if (g + 8 * half < rows)
#pragma unroll
        for (int i = 0; i < Count; ++i) {
          auto& place = *reinterpret_cast<unsigned*>(to + (g + 8 * half) * row_stride + 8 * i + 2 * t);
          float first = part[i][2 * half] * factor, second = part[i][2 * half + 1] * factor;
          if (add_to) {
            first += bit_cast<float>(place << 16);
            second += bit_cast<float>(place & 0xffff0000u);
          }
          place = pair_of(first, second);
        }
  }
};

/// The reduction over the four lanes that share a row of an accumulator.
template <class Op>
__device__ float over_row(float value, Op op) {
  value = op(value, __shfl_xor_sync(0xffffffffu, value, 1));
  return op(value, __shfl_xor_sync(0xffffffffu, value, 2));
}

template <int Width>
__global__ void __launch_bounds__(mma_threads)
    attention_mma(Heads<const bf16> q, Heads<const bf16> k, Heads<const bf16> v, Heads<bf16> out, float* lse,
                  AttentionSize size) {
  constexpr int steps = Width / 16;  // along the channels
  const int b = static_cast<int>(blockIdx.x) / size.heads, h = static_cast<int>(blockIdx.x) % size.heads;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int first = static_cast<int>(blockIdx.y) * mma_rows, row0 = first + 16 * warp;
  const BandTile<Width> key{dynamic_shared<bf16>()}, value{key.data + key.size};
  const float scale = static_cast<float>(size.scale) * log2_e;  // exponentials are powers of two

  unsigned query[steps][4];
  key.load(q.data + offset_of_head(q, b, h), q.token_stride, first, size.queries);
  __syncthreads();
#pragma unroll
  for (int c = 0; c < steps; ++c) key.left(query[c], 16 * warp, 16 * c);

  Band<Width / 8> sums;
  float most[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};  // of the rows g and g + 8
  for (int begin = 0; begin < size.keys; begin += mma_rows) {
    __syncthreads();  // the tiles before are no longer read
    key.load(k.data + offset_of_head(k, b, h), k.token_stride, begin, size.keys);
    value.load(v.data + offset_of_head(v, b, h), v.token_stride, begin, size.keys);
    __syncthreads();
    if (row0 >= size.queries) continue;

    Band<mma_rows / 8> scores;
#pragma unroll
    for (int j = 0; j < mma_rows / 16; ++j)
      if (begin + 16 * j < size.keys)
#pragma unroll
        for (int c = 0; c < steps; ++c) {
          unsigned keys[4];
          key.right_transposed(keys, 16 * j, 16 * c);
          scores.add(j, query[c], keys);
        }
    float largest[2] = {most[0], most[1]};
#pragma unroll
    for (int j = 0; j < mma_rows / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& s = scores.part[j][i];
        s = begin + 8 * j + 2 * (lane % 4) + i % 2 < size.keys ? s * scale : -INFINITY;
        largest[i / 2] = Max{}(largest[i / 2], s);
      }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      largest[r] = over_row(largest[r], Max{});
      const float shrink = exp2f(most[r] - largest[r]);
      most[r] = largest[r];
      total[r] *= shrink;
#pragma unroll
      for (int c = 0; c < Width / 8; ++c)
#pragma unroll
        for (int i = 0; i < 2; ++i) sums.part[c][2 * r + i] *= shrink;
    }
#pragma unroll
    for (int j = 0; j < mma_rows / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& p = scores.part[j][i];
        p = exp2f(p - most[i / 2]);
        total[i / 2] += p;
      }
#pragma unroll
    for (int j = 0; j < mma_rows / 16; ++j)
      if (begin + 16 * j < size.keys) {
        unsigned weights[4];
        scores.as_left(weights, j);
#pragma unroll
        for (int c = 0; c < steps; ++c) {
          unsigned values[4];
          value.right(values, 16 * j, 16 * c);
          sums.add(c, weights, values);
        }
      }
  }
  if (row0 >= size.queries) return;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    total[r] = over_row(total[r], Add{});
    const float factor = 1.0f / total[r];
#pragma unroll
    for (int c = 0; c < Width / 8; ++c)
#pragma unroll
      for (int i = 0; i < 2; ++i) sums.part[c][2 * r + i] *= factor;
    const int row = row0 + lane / 4 + 8 * r;
    if (lse && lane % 4 == 0 && row < size.queries)
      lse[static_cast<long>(blockIdx.x) * size.queries + row] = ln_2 * most[r] + ::log(total[r]);
  }
  sums.store(out.data + offset_of_head(out, b, h) + row0 * out.token_stride, out.token_stride, size.queries - row0,
             1.0f, false);
}

/// Floats of one head's sums of dq between one tile of keys and the next.
template <int Width>
VITRAL_HD long mma_sums(int queries) {
  return (queries + mma_rows - 1L) / mma_rows * mma_rows * Width;
}
template <int Width>
constexpr std::size_t mma_tiles_bytes =
    sizeof(bf16) * (4 * BandTile<Width>::size + BandTile<mma_rows>::size) + sizeof(float) * 2 * mma_rows;

/// The sums of dq, each thread's own, lie in shared memory behind the tiles, or in `spare` where there is not enough.
template <int Width>
__global__ void __launch_bounds__(mma_threads)
    attention_mma_backward(Heads<const bf16> q, Heads<const bf16> k, Heads<const bf16> v, const float* lse,
                           Heads<const bf16> dout, const float* delta, Heads<bf16> dq, Heads<bf16> dk, Heads<bf16> dv,
                           bool add, float* spare, AttentionSize size) {
  constexpr int steps = Width / 16;
  const int b = static_cast<int>(blockIdx.x) / size.heads, h = static_cast<int>(blockIdx.x) % size.heads;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const BandTile<Width> key{dynamic_shared<bf16>()}, value{key.data + key.size}, query{value.data + key.size},
      up{query.data + key.size};
  const BandTile<mma_rows> slopes{up.data + key.size};  // ds^T: a row for each key
  float* const row_lse = reinterpret_cast<float*>(slopes.data + slopes.size);
  float* const row_delta = row_lse + mma_rows;
  float* const own_sums =
      (spare ? spare + blockIdx.x * mma_sums<Width>(size.queries) : row_delta + mma_rows) + threadIdx.x;
  const long statistics = static_cast<long>(blockIdx.x) * size.queries;
  const float scale = static_cast<float>(size.scale);

  for (int first_key = 0; first_key < size.keys; first_key += mma_rows) {
    const int own_key = first_key + 16 * warp;  // the warp owns the sums of 16 keys
    __syncthreads();
    key.load(k.data + offset_of_head(k, b, h), k.token_stride, first_key, size.keys);
    value.load(v.data + offset_of_head(v, b, h), v.token_stride, first_key, size.keys);
    Band<Width / 8> key_sums, value_sums;
    for (int first = 0; first < size.queries; first += mma_rows) {
      __syncthreads();
      query.load(q.data + offset_of_head(q, b, h), q.token_stride, first, size.queries);
      up.load(dout.data + offset_of_head(dout, b, h), dout.token_stride, first, size.queries);
      if (threadIdx.x < mma_rows) {
        const int row = first + static_cast<int>(threadIdx.x);
        row_lse[threadIdx.x] = row < size.queries ? lse[statistics + row] * log2_e : 0.0f;
        row_delta[threadIdx.x] = row < size.queries ? delta[statistics + row] : 0.0f;
      }
      __syncthreads();

      if (own_key < size.keys)  // 16 queries at a time: a row for each key, a column for each query
#pragma unroll
        for (int j = 0; j < mma_rows / 16; ++j)
          if (first + 16 * j < size.queries) {
            Band<2> weights, slope;
#pragma unroll
            for (int c = 0; c < steps; ++c) {
              unsigned left[4], right[4];
              key.left(left, 16 * warp, 16 * c);
              query.right_transposed(right, 16 * j, 16 * c);
              weights.add(0, left, right);
              value.left(left, 16 * warp, 16 * c);
              up.right_transposed(right, 16 * j, 16 * c);
              slope.add(0, left, right);
            }
#pragma unroll
            for (int n = 0; n < 2; ++n)
#pragma unroll
              for (int i = 0; i < 4; ++i) {
                const int column = 16 * j + 8 * n + 2 * (lane % 4) + i % 2, row = own_key + lane / 4 + i / 2 * 8;
                const bool inside = first + column < size.queries && row < size.keys;
                float &p = weights.part[n][i], &ds = slope.part[n][i];
                p = inside ? exp2f(p * (scale * log2_e) - row_lse[column]) : 0.0f;
                ds = p * (ds - row_delta[column]);
              }
            unsigned weight_rows[4], slope_rows[4];
            weights.as_left(weight_rows, 0);
            slope.as_left(slope_rows, 0);
#pragma unroll
            for (int i = 0; i < 4; ++i)
              *reinterpret_cast<unsigned*>(slopes.data + (16 * warp + lane / 4 + i % 2 * 8) * slopes.stride + 16 * j +
                                           2 * (lane % 4) + i / 2 * 8) = slope_rows[i];
#pragma unroll
            for (int c = 0; c < steps; ++c) {
              unsigned right[4];
              up.right(right, 16 * j, 16 * c);
              value_sums.add(c, weight_rows, right);
              query.right(right, 16 * j, 16 * c);
              key_sums.add(c, slope_rows, right);
            }
          }
      __syncthreads();

      const int own_row = first + 16 * warp;  // and the sums of 16 queries
      if (own_row >= size.queries) continue;
      Band<Width / 8> query_sums;
      float* const kept = own_sums + first * Width;
      if (first_key > 0)
#pragma unroll
        for (int i = 0; i < Width / 2; ++i) query_sums.part[i / 4][i % 4] = kept[i * mma_threads];
#pragma unroll
      for (int j = 0; j < mma_rows / 16; ++j)
        if (first_key + 16 * j < size.keys) {
          unsigned left[4], right[4];
          slopes.left_transposed(left, 16 * j, 16 * warp);
#pragma unroll
          for (int c = 0; c < steps; ++c) {
            key.right(right, 16 * j, 16 * c);
            query_sums.add(c, left, right);
          }
        }
      if (first_key + mma_rows < size.keys)
#pragma unroll
        for (int i = 0; i < Width / 2; ++i) kept[i * mma_threads] = query_sums.part[i / 4][i % 4];
      else
        query_sums.store(dq.data + offset_of_head(dq, b, h) + own_row * dq.token_stride, dq.token_stride,
                         size.queries - own_row, scale, add);
    }
    if (own_key >= size.keys) continue;
    key_sums.store(dk.data + offset_of_head(dk, b, h) + own_key * dk.token_stride, dk.token_stride,
                   size.keys - own_key, scale, add);
    value_sums.store(dv.data + offset_of_head(dv, b, h) + own_key * dv.token_stride, dv.token_stride,
                     size.keys - own_key, 1.0f, add);
  }
}

/// Whether the heads have a width these kernels know, and lie where 16 bytes can be read at once.
template <class... H>
bool suits_mma(const AttentionSize& size, const H&... heads) {
  const auto aligned = [](const auto& x) {
    return reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0 &&
           (x.batch_stride | x.token_stride | x.head_stride) % 8 == 0;
  };
  return (size.width == 32 || size.width == 64) && (aligned(heads) && ...);
}

template <int Width>
void launch_mma(const Heads<const bf16>& q, const Heads<const bf16>& k, const Heads<const bf16>& v,
                const Heads<bf16>& out, float* lse, const AttentionSize& size) {
  launch("attention", &attention_mma<Width>,
         dim3(static_cast<unsigned>(size.batch * size.heads), blocks_for(size.queries, mma_rows)), mma_threads,
         2 * sizeof(bf16) * BandTile<Width>::size, q, k, v, out, lse, size);
}

template <int Width>
void launch_mma_backward(const Heads<const bf16>& q, const Heads<const bf16>& k, const Heads<const bf16>& v,
                         const float* lse, const Heads<const bf16>& dout, const float* delta, const Heads<bf16>& dq,
                         const Heads<bf16>& dk, const Heads<bf16>& dv, bool add, const AttentionSize& size) {
  const long sums = mma_sums<Width>(size.queries);
  const std::size_t tiles = mma_tiles_bytes<Width>, whole = tiles + static_cast<std::size_t>(sums) * sizeof(float);
  const bool fits = whole <= Device::instance().shared_bytes;
  const Scratch<float> spare(fits ? 0 : sums * size.batch * size.heads);
  const std::size_t shared = fits ? whole : tiles;
  allow_shared("attention backward", &attention_mma_backward<Width>, shared);
  launch("attention backward", &attention_mma_backward<Width>, static_cast<unsigned>(size.batch * size.heads),
         mma_threads, shared, q, k, v, lse, dout, delta, dq, dk, dv, add, spare.data(), size);
}

}  // namespace detail

}  // namespace vitral::inline VITRAL_ABI::cuda
