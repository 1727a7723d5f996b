// Attention's forward pass on tensor cores: bf16, heads of 32 or 64 channels. As FlashAttention-2 (Dao, arXiv
// 2307.08691) a warp owns rows of queries, whose scores never leave its registers, and walks tiles of keys and values,
// the next of which is on its way meanwhile.
#pragma once

#include <vitral/backend/cuda/attention_tiles.hpp>

#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda::detail {

/// How the kernel cuts its work: 16-row pieces that a warp owns, warps of a block, blocks of a multiprocessor, keys of
/// a tile, and keys whose scores a warp holds at a time.
template <int Pieces, int Warps, int Blocks, int TileKeys, int Chunk>
struct ForwardCut {
  static constexpr int pieces = Pieces, warps = Warps, blocks = Blocks, tile_keys = TileKeys, chunk = Chunk;
};

/// A head has `blocks` blocks. Where one tile holds all keys there is one buffer in shared memory, else two.
template <int Width, class Cut>
__global__ void __launch_bounds__(32 * Cut::warps, Cut::blocks)
    attention_mma(Heads<const bf16> q, Heads<const bf16> k, Heads<const bf16> v, Heads<bf16> out, float* lse,
                  AttentionSize size, int blocks) {
  constexpr int steps = Width / 16, pieces = Cut::pieces, chunk = Cut::chunk, tile_keys = Cut::tile_keys;
  constexpr unsigned tile_bytes = tile_keys * BandTile<Width>::row_bytes;
  // A row's largest score so far is left as it is until one exceeds it by this much (in powers of two): sums stay far
  // from overflow, and shrinking them is rarely needed.
  constexpr float slack = 8;
  const OwnHead own(size, blocks);
  const int lane = lane_of_thread(), row0 = (own.block * Cut::warps + warp_of_thread()) * 16 * pieces;
  const bf16 *const keys = own.of(k), *const values = own.of(v);
  const SharedAddress shared = address_of(dynamic_shared<bf16>());
  const float scale = static_cast<float>(size.scale) * log2_e;  // exponentials are powers of two

  const auto request = [&](int begin, unsigned buffer) {
    const BandTile<Width> key(shared + 2 * buffer * tile_bytes), value(key.data + tile_bytes);
    key.template request<tile_keys, 32 * Cut::warps>(keys, k.token_stride, begin, size.keys);
    value.template request<tile_keys, 32 * Cut::warps>(values, v.token_stride, begin, size.keys);
  };
  request(0, 0);
  OwnRows<Width> query[pieces];
#pragma unroll
  for (int t = 0; t < pieces; ++t) query[t].load(own.of(q), q.token_stride, row0 + 16 * t, size.queries);

  Band<Width / 8> sums[pieces];
  float most[pieces][2], total[pieces][2];  // of the rows g and g + 8
#pragma unroll
  for (int t = 0; t < pieces; ++t)
#pragma unroll
    for (int r = 0; r < 2; ++r) most[t][r] = -INFINITY, total[t][r] = 0;

  unsigned buffer = 0;
  for (int begin = 0; begin < size.keys; begin += tile_keys, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // the tile is there, and nobody reads the one before it
    if (begin + tile_keys < size.keys) request(begin + tile_keys, buffer ^ 1);
    if (row0 >= size.queries) continue;
    const BandTile<Width> key(shared + 2 * buffer * tile_bytes), value(key.data + tile_bytes);
    const int here = size.keys - begin < tile_keys ? size.keys - begin : tile_keys;

    const auto meet = [&](auto all, int at) {  // keys at ... at + chunk - 1, or those of them that there are
      constexpr bool whole = decltype(all)::value;
      Band<chunk / 8> scores[pieces];
#pragma unroll
      for (int j = 0; j < chunk / 16; ++j)
        if (whole || at + 16 * j < here)
#pragma unroll
          for (int c = 0; c < steps; ++c) {
            unsigned right[4];
            key.right_transposed(right, at + 16 * j, 16 * c);
#pragma unroll
            for (int t = 0; t < pieces; ++t) scores[t].add(j, query[t].part[c], right);
          }
      if constexpr (!whole)  // no weight for what is beyond the keys
#pragma unroll
        for (int t = 0; t < pieces; ++t)
#pragma unroll
          for (int j = 0; j < chunk / 8; ++j)
#pragma unroll
            for (int i = 0; i < 4; ++i)
              if (at + 8 * j + 2 * (lane % 4) + i % 2 >= here) scores[t].part[j][i] = -INFINITY;

      float largest[pieces][2];  // of those that the thread holds
      bool grows = false;
#pragma unroll
      for (int t = 0; t < pieces; ++t)
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          float m = fmaxf(scores[t].part[0][2 * r], scores[t].part[0][2 * r + 1]);
#pragma unroll
          for (int j = 1; j < chunk / 8; ++j)
            m = fmaxf(m, fmaxf(scores[t].part[j][2 * r], scores[t].part[j][2 * r + 1]));
          largest[t][r] = m * scale;
          grows = grows || largest[t][r] > most[t][r] + slack;
        }
      if (__any_sync(0xffffffffu, grows))
#pragma unroll
        for (int t = 0; t < pieces; ++t)
#pragma unroll
          for (int r = 0; r < 2; ++r) {
            const float next = fmaxf(most[t][r], over_row(largest[t][r], Max{}));
            const float shrink = power_of_two(most[t][r] - next);
            most[t][r] = next;
            total[t][r] *= shrink;
#pragma unroll
            for (int c = 0; c < Width / 8; ++c)
#pragma unroll
              for (int i = 0; i < 2; ++i) sums[t].part[c][2 * r + i] *= shrink;
          }
#pragma unroll
      for (int t = 0; t < pieces; ++t)
#pragma unroll
        for (int j = 0; j < chunk / 8; ++j)
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            float& p = scores[t].part[j][i];
            p = power_of_two(p * scale - most[t][i / 2]);
            total[t][i / 2] += p;
          }
#pragma unroll
      for (int j = 0; j < chunk / 16; ++j)
        if (whole || at + 16 * j < here) {
          unsigned weights[pieces][4];
#pragma unroll
          for (int t = 0; t < pieces; ++t) scores[t].as_left(weights[t], j);
#pragma unroll
          for (int c = 0; c < steps; ++c) {
            unsigned right[4];
            value.right(right, at + 16 * j, 16 * c);
#pragma unroll
            for (int t = 0; t < pieces; ++t) sums[t].add(c, weights[t], right);
          }
        }
    };
    int at = 0;
    for (; at + chunk <= here; at += chunk) meet(std::true_type{}, at);
    if (at < here) meet(std::false_type{}, at);
  }
#pragma unroll
  for (int t = 0; t < pieces; ++t) {
    const int row = row0 + 16 * t;
    if (row >= size.queries) return;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float whole = over_row(total[t][r], Add{}), factor = 1.0f / whole;
#pragma unroll
      for (int c = 0; c < Width / 8; ++c)
#pragma unroll
        for (int i = 0; i < 2; ++i) sums[t].part[c][2 * r + i] *= factor;
      const int query_row = row + lane / 4 + 8 * r;
      if (lse && lane % 4 == 0 && query_row < size.queries)
        lse[static_cast<long>(own.index) * size.queries + query_row] = ln_2 * most[t][r] + ::log(whole);
    }
    sums[t].store(own.of(out) + row * out.token_stride, out.token_stride, size.queries - row, 1.0f, false);
  }
}

/// Whether the heads have a width that these kernels know, and lie where 16 bytes can be read at once.
template <class... H>
bool suits_mma(const AttentionSize& size, const H&... heads) {
  const auto aligned = [](const auto& x) {
    return reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0 &&
           (x.batch_stride | x.token_stride | x.head_stride) % 8 == 0;
  };
  return (size.width == 32 || size.width == 64) && size.scale > 0 && (aligned(heads) && ...);
}

template <int Width, class Cut>
void launch_mma_cut(const Heads<const bf16>& q, const Heads<const bf16>& k, const Heads<const bf16>& v,
                    const Heads<bf16>& out, float* lse, const AttentionSize& size) {
  const int blocks = blocks_of_head(size.queries, 16 * Cut::pieces * Cut::warps);
  const int buffers = size.keys > Cut::tile_keys ? 2 : 1;
  const auto shared = static_cast<std::size_t>(2 * buffers * Cut::tile_keys * BandTile<Width>::row_bytes);
  allow_shared("attention", &attention_mma<Width, Cut>, shared);
  launch("attention", &attention_mma<Width, Cut>, static_cast<unsigned>(size.batch * size.heads * blocks),
         32 * Cut::warps, shared, q, k, v, out, lse, size, blocks);
}

/// Sequences of up to 208 keys are one tile. The cuts are those that were the fastest on an H200.
template <int Width>
void launch_mma(const Heads<const bf16>& q, const Heads<const bf16>& k, const Heads<const bf16>& v,
                const Heads<bf16>& out, float* lse, const AttentionSize& size) {
  constexpr bool narrow = Width == 32;
  if (size.keys <= 80) return launch_mma_cut<Width, ForwardCut<1, 5, narrow ? 6 : 4, 80, 16>>(q, k, v, out, lse, size);
  if (size.queries <= 64) return launch_mma_cut<Width, ForwardCut<1, 4, 4, 64, 16>>(q, k, v, out, lse, size);
  if (size.keys <= 208)
    return launch_mma_cut<Width, ForwardCut<2, 4, narrow ? 5 : 3, 208, 16>>(q, k, v, out, lse, size);
  launch_mma_cut<Width, ForwardCut<2, 4, narrow ? 4 : 3, 128, narrow ? 32 : 16>>(q, k, v, out, lse, size);
}

}}}  // namespace vitral::cuda::detail
