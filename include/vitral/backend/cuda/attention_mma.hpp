// Attention's forward pass on tensor cores: bf16, heads of 32 or 64 channels. As FlashAttention-2 (Dao, arXiv 2307.08691)
// a warp owns rows of queries, whose scores never leave its registers, and walks tiles of keys and values, the next of
// which is on its way meanwhile.
#pragma once

#include <vitral/backend/cuda/attention_tiles.hpp>

#include <type_traits>

namespace vitral::inline VITRAL_ABI::cuda::detail {

/// How a kernel cuts its work: 16-row pieces that a warp owns, warps of a block and blocks of a multiprocessor at the most,
/// keys whose scores a warp holds at a time.
template <int Tiles, int Warps, int Blocks, int Chunk>
struct ForwardCut {
  static constexpr int tiles = Tiles, warps = Warps, blocks = Blocks, chunk = Chunk;
};

/// tile_keys: keys of a tile, a multiple of 16. Where one tile holds them all there is one buffer, else two.
template <int Width, class Cut>
__global__ void __launch_bounds__(32 * Cut::warps, Cut::blocks)
    attention_mma(Heads<const bf16> q, Heads<const bf16> k, Heads<const bf16> v, Heads<bf16> out, float* lse,
                  AttentionSize size, int blocks, int tile_keys) {
  constexpr int steps = Width / 16, tiles = Cut::tiles, chunk = Cut::chunk;
  // A row's largest score so far is left as it is until one exceeds it by this much (in powers of two): sums stay far from
  // overflow, and shrinking them is rarely needed.
  constexpr float slack = 8;
  const OwnHead own(size, blocks);
  const int warps = static_cast<int>(blockDim.x) / 32, lane = lane_of_thread();
  const int row0 = (own.block * warps + warp_of_thread()) * 16 * tiles;
  const bf16 *const keys = own.of(k), *const values = own.of(v);
  bf16* const shared = dynamic_shared<bf16>();
  const int tile_size = tile_keys * BandTile<Width>::stride;
  const float scale = static_cast<float>(size.scale) * log2_e;  // exponentials are powers of two

  const auto request = [&](int begin, int buffer) {
    const BandTile<Width> key{shared + 2 * buffer * tile_size}, value{key.data + tile_size};
    key.request(keys, k.token_stride, begin, size.keys, tile_keys);
    value.request(values, v.token_stride, begin, size.keys, tile_keys);
  };
  request(0, 0);
  OwnRows<Width> query[tiles];
#pragma unroll
  for (int t = 0; t < tiles; ++t)
    query[t].load(own.of(q), q.token_stride, row0 + 16 * t, size.queries);

  Band<Width / 8> sums[tiles];
  float most[tiles][2], total[tiles][2];  // of the rows g and g + 8
#pragma unroll
  for (int t = 0; t < tiles; ++t)
#pragma unroll
    for (int r = 0; r < 2; ++r) most[t][r] = -INFINITY, total[t][r] = 0;

  for (int begin = 0, buffer = 0; begin < size.keys; begin += tile_keys, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // the tile is there, and nobody reads the one before it
    if (begin + tile_keys < size.keys) request(begin + tile_keys, buffer ^ 1);
    if (row0 >= size.queries) continue;
    const BandTile<Width> key{shared + 2 * buffer * tile_size}, value{key.data + tile_size};
    const int here = size.keys - begin < tile_keys ? size.keys - begin : tile_keys;

    const auto meet = [&](auto all, int at) {  // `chunk` keys, or what is left of them
      constexpr bool whole = decltype(all)::value;
      Band<chunk / 8> scores[tiles];
#pragma unroll
      for (int j = 0; j < chunk / 16; ++j)
        if (whole || at + 16 * j < here)
#pragma unroll
          for (int c = 0; c < steps; ++c) {
            unsigned right[4];
            key.right_transposed(right, at + 16 * j, 16 * c);
#pragma unroll
            for (int t = 0; t < tiles; ++t) scores[t].add(j, query[t].part[c], right);
          }
      if constexpr (!whole)  // no weight for what is beyond the keys
#pragma unroll
        for (int t = 0; t < tiles; ++t)
#pragma unroll
          for (int j = 0; j < chunk / 8; ++j)
#pragma unroll
            for (int i = 0; i < 4; ++i)
              if (at + 8 * j + 2 * (lane % 4) + i % 2 >= here) scores[t].part[j][i] = -INFINITY;

      float largest[tiles][2];
      bool grows = false;
#pragma unroll
      for (int t = 0; t < tiles; ++t)
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          float m = -INFINITY;
#pragma unroll
          for (int j = 0; j < chunk / 8; ++j)
            m = fmaxf(m, fmaxf(scores[t].part[j][2 * r], scores[t].part[j][2 * r + 1]));
          largest[t][r] = over_row(m, Max{}) * scale;
          grows = grows || largest[t][r] > most[t][r] + slack;
        }
      if (__any_sync(0xffffffffu, grows))
#pragma unroll
        for (int t = 0; t < tiles; ++t)
#pragma unroll
          for (int r = 0; r < 2; ++r) {
            const float next = Max{}(most[t][r], largest[t][r]), shrink = power_of_two(most[t][r] - next);
            most[t][r] = next;
            total[t][r] *= shrink;
#pragma unroll
            for (int c = 0; c < Width / 8; ++c)
#pragma unroll
              for (int i = 0; i < 2; ++i) sums[t].part[c][2 * r + i] *= shrink;
          }
#pragma unroll
      for (int t = 0; t < tiles; ++t)
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
          unsigned weights[tiles][4];
#pragma unroll
          for (int t = 0; t < tiles; ++t) scores[t].as_left(weights[t], j);
#pragma unroll
          for (int c = 0; c < steps; ++c) {
            unsigned right[4];
            value.right(right, at + 16 * j, 16 * c);
#pragma unroll
            for (int t = 0; t < tiles; ++t) sums[t].add(c, weights[t], right);
          }
        }
    };
    int at = 0;
    for (; at + chunk <= here; at += chunk) meet(std::true_type{}, at);
    if (at < here) meet(std::false_type{}, at);
  }
#pragma unroll
  for (int t = 0; t < tiles; ++t) {
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
    sums[t].store(own.of(out) + row * out.token_stride, out.token_stride, size.queries - row,
                  1.0f, false);
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
                    const Heads<bf16>& out, float* lse, const AttentionSize& size, int tile_keys) {
  const WarpGrid grid(size.queries, 16 * Cut::tiles, Cut::warps);
  const std::size_t tiles = tile_keys < size.keys ? 4 : 2;
  const std::size_t shared = sizeof(bf16) * tiles * static_cast<std::size_t>(tile_keys * BandTile<Width>::stride);
  allow_shared("attention", &attention_mma<Width, Cut>, shared);
  launch("attention", &attention_mma<Width, Cut>, static_cast<unsigned>(size.batch * size.heads * grid.blocks),
         32 * grid.warps, shared, q, k, v, out, lse, size, grid.blocks, tile_keys);
}

/// Sequences of up to 208 keys are one tile. A warp owns 16 queries of 64 channels, or 32 of 32, so that enough warps find
/// room to hide each other's waiting.
template <int Width>
void launch_mma(const Heads<const bf16>& q, const Heads<const bf16>& k, const Heads<const bf16>& v,
                const Heads<bf16>& out, float* lse, const AttentionSize& size) {
  const int tile_keys = size.keys <= 208 ? (size.keys + 15) / 16 * 16 : 128;
  if (size.keys <= 80 || size.queries <= 32)
    launch_mma_cut<Width, ForwardCut<1, 5, 4, 32>>(q, k, v, out, lse, size, tile_keys);
  else
    launch_mma_cut<Width, std::conditional_t<Width == 32, ForwardCut<2, 4, 4, 32>, ForwardCut<1, 8, 2, 32>>>(
        q, k, v, out, lse, size, tile_keys);
}

}  // namespace vitral::inline VITRAL_ABI::cuda::detail
