// Attention's backward pass on tensor cores: bf16, heads of 32 or 64 channels. A warp owns rows of queries and sums their
// dq, or rows of keys and sums their dk and dv; either side forms the scores it needs again. So every sum is made by one
// thread in one order, without atomics: the same bits in every run. Short sequences have both sides in one kernel, which
// reads everything once; longer ones a kernel for each side, which walks tiles of the other.
#pragma once

#include <vitral/backend/cuda/attention_mma.hpp>
#include <vitral/backend/cuda/memory.hpp>

namespace vitral::inline VITRAL_ABI::cuda::detail {

enum class Side { queries, keys };

/// What a kernel's arguments are, for both kinds of kernel.
struct BackwardTensors {
  Heads<const bf16> q, k, v, out, dout;
  const float* lse;
  float* delta;  // out . dout of each query, which the queries' side makes and the keys' side reads
  Heads<bf16> dq, dk, dv;
  bool add;
};

/// A warp's rows of one side: queries with the gradient of their results, or keys with their values; and the gradients.
template <int Width, Side side, int Tiles>
struct OwnSide {
  static constexpr int steps = Width / 16;
  static constexpr bool of_keys = side == Side::keys;

  OwnRows<Width> first[Tiles], second[Tiles];          // q and dout, or k and v
  Band<Width / 8> sums[Tiles];                         // of dq or dk, without the scale
  Band<Width / 8> value_sums[of_keys ? Tiles : 1];     // of dv
  float lse[Tiles][2], delta[Tiles][2];                // of own queries

  /// Meets 16 rows of the other side, from row `at` of its tiles on: k and v, or q and dout with their lse and delta.
  /// `here`: rows of the tile that there are; lse and scale are those of powers of two.
  template <bool whole>
  __device__ void meet(const BandTile<Width>& one, const BandTile<Width>& two, const float* tile_lse,
                       const float* tile_delta, int at, int here, float scale) {
    const int column = at + 2 * (lane_of_thread() % 4);
    Band<2> weights[Tiles], slopes[Tiles];
#pragma unroll
    for (int c = 0; c < steps; ++c) {
      unsigned right[4];
      one.right_transposed(right, at, 16 * c);
#pragma unroll
      for (int t = 0; t < Tiles; ++t) weights[t].add(0, first[t].part[c], right);
      two.right_transposed(right, at, 16 * c);
#pragma unroll
      for (int t = 0; t < Tiles; ++t) slopes[t].add(0, second[t].part[c], right);
    }
    unsigned weight_rows[Tiles][4], slope_rows[Tiles][4];
#pragma unroll
    for (int t = 0; t < Tiles; ++t) {
#pragma unroll
      for (int n = 0; n < 2; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          float &p = weights[t].part[n][i], &ds = slopes[t].part[n][i];
          const int other = column + 8 * n + i % 2;
          p = power_of_two(p * scale - (of_keys ? tile_lse[other] : lse[t][i / 2]));
          if (!of_keys && !whole && other >= here) p = 0;
          ds = p * (ds - (of_keys ? tile_delta[other] : delta[t][i / 2]));
        }
      weights[t].as_left(weight_rows[t], 0);
      slopes[t].as_left(slope_rows[t], 0);
    }
#pragma unroll
    for (int c = 0; c < steps; ++c) {
      unsigned right[4];
      one.right(right, at, 16 * c);
#pragma unroll
      for (int t = 0; t < Tiles; ++t) sums[t].add(c, slope_rows[t], right);
      if constexpr (of_keys) {
        two.right(right, at, 16 * c);
#pragma unroll
        for (int t = 0; t < Tiles; ++t) value_sums[t].add(c, weight_rows[t], right);
      }
    }
  }

  /// Meets rows 0 ... here - 1 of the tiles.
  __device__ void meet_all(const BandTile<Width>& one, const BandTile<Width>& two, const float* tile_lse,
                           const float* tile_delta, int here, float scale) {
    int at = 0;
    for (; at + 16 <= here; at += 16) meet<true>(one, two, tile_lse, tile_delta, at, here, scale);
    if (at < here) meet<false>(one, two, tile_lse, tile_delta, at, here, scale);
  }

  /// Rows that are not there.
  __device__ void leave_out(int t) {
    first[t] = {}, second[t] = {};
    lse[t][0] = lse[t][1] = INFINITY, delta[t][0] = delta[t][1] = 0;
  }

  /// lse and delta of own queries row ... row + 15, which are rows `result` of the forward pass.
  __device__ void take_statistics(int t, const OwnRows<Width>& result, const float* all_lse, int row, int rows) {
    static_assert(!of_keys);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float dot = 0;
#pragma unroll
      for (int c = 0; c < steps; ++c)
#pragma unroll
        for (int i = r; i < 4; i += 2) {
          const unsigned x = result.part[c][i], y = second[t].part[c][i];
          dot += bit_cast<float>(x << 16) * bit_cast<float>(y << 16) +
                 bit_cast<float>(x & 0xffff0000u) * bit_cast<float>(y & 0xffff0000u);
        }
      delta[t][r] = over_row(dot, Add{});
      const int query = row + lane_of_thread() / 4 + 8 * r;
      lse[t][r] = query < rows ? all_lse[query] * log2_e : INFINITY;  // those that are not there weigh nothing
    }
  }

  /// The gradients of rows row0 ... of `rows`.
  __device__ void store(const BackwardTensors& x, const OwnHead& head, int row0, int rows, float scale) const {
#pragma unroll
    for (int t = 0; t < Tiles; ++t) {
      const int row = row0 + 16 * t;
      const auto put = [&](const Band<Width / 8>& from, const Heads<bf16>& to, float factor) {
        from.store(head.of(to) + row * to.token_stride, to.token_stride, rows - row, factor, x.add);
      };
      if (row >= rows) return;
      put(sums[t], of_keys ? x.dk : x.dq, scale);
      if constexpr (of_keys) put(value_sums[t], x.dv, 1.0f);
    }
  }
};

template <int Tiles, int Warps, int Blocks>
struct BackwardCut {
  static constexpr int tiles = Tiles, warps = Warps, blocks = Blocks;
};

/// One side's gradients, from tiles of 64 rows of the other.
template <int Width, Side side, class Cut>
__global__ void __launch_bounds__(32 * Cut::warps, Cut::blocks)
    attention_mma_side(const __grid_constant__ BackwardTensors x, AttentionSize size, int blocks) {
  constexpr bool of_keys = side == Side::keys;
  constexpr int tiles = Cut::tiles, rows_of_tile = 64, tile_size = rows_of_tile * BandTile<Width>::stride;
  const OwnHead head(size, blocks);
  const int warps = static_cast<int>(blockDim.x) / 32, lane = lane_of_thread(), thread = static_cast<int>(threadIdx.x);
  const int row0 = (head.block * warps + warp_of_thread()) * 16 * tiles;
  const int own_rows = of_keys ? size.keys : size.queries, other_rows = of_keys ? size.queries : size.keys;
  const Heads<const bf16>&first = of_keys ? x.k : x.q, &second = of_keys ? x.v : x.dout, &one = of_keys ? x.q : x.k,
                         &two = of_keys ? x.dout : x.v;
  const long statistics = static_cast<long>(head.index) * size.queries;
  const float scale = static_cast<float>(size.scale);
  bf16* const shared = dynamic_shared<bf16>();
  float* const shared_lse = reinterpret_cast<float*>(shared + 4 * tile_size);
  float* const shared_delta = shared_lse + 2 * rows_of_tile;

  const auto request = [&](int begin, int buffer) {
    const BandTile<Width> a{shared + 2 * buffer * tile_size}, c{a.data + tile_size};
    a.request(head.of(one), one.token_stride, begin, other_rows, rows_of_tile);
    c.request(head.of(two), two.token_stride, begin, other_rows, rows_of_tile);
    if (of_keys && thread < rows_of_tile) {  // queries that are not there weigh nothing
      const bool inside = begin + thread < other_rows;
      shared_lse[buffer * rows_of_tile + thread] = inside ? x.lse[statistics + begin + thread] * log2_e : INFINITY;
      shared_delta[buffer * rows_of_tile + thread] = inside ? x.delta[statistics + begin + thread] : 0;
    }
  };
  request(0, 0);
  OwnSide<Width, side, tiles> own;
#pragma unroll
  for (int t = 0; t < tiles; ++t) {
    const int row = row0 + 16 * t;
    own.first[t].load(head.of(first), first.token_stride, row, own_rows);
    own.second[t].load(head.of(second), second.token_stride, row, own_rows);
    if constexpr (!of_keys) {
      OwnRows<Width> result;
      result.load(head.of(x.out), x.out.token_stride, row, own_rows);
      own.take_statistics(t, result, x.lse + statistics, row, own_rows);
#pragma unroll
      for (int r = 0; r < 2; ++r)
        if (const int query = row + lane / 4 + 8 * r; lane % 4 == 0 && query < own_rows)
          x.delta[statistics + query] = own.delta[t][r];
    }
  }

  for (int begin = 0, buffer = 0; begin < other_rows; begin += rows_of_tile, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // the tile is there, and nobody reads the one before it
    if (begin + rows_of_tile < other_rows) request(begin + rows_of_tile, buffer ^ 1);
    if (row0 >= own_rows) continue;
    const BandTile<Width> a{shared + 2 * buffer * tile_size}, c{a.data + tile_size};
    const int here = other_rows - begin < rows_of_tile ? other_rows - begin : rows_of_tile;
    own.meet_all(a, c, shared_lse + buffer * rows_of_tile, shared_delta + buffer * rows_of_tile, here, scale * log2_e);
  }
  own.store(x, head, row0, own_rows, scale);
}

/// Both sides of a head in one block, one after the other: everything lies in shared memory, as many rows of queries and
/// keys as there are, in steps of 16.
template <int Width, class Cut>
__global__ void __launch_bounds__(32 * Cut::warps, Cut::blocks)
    attention_mma_both(const __grid_constant__ BackwardTensors x, AttentionSize size) {
  constexpr int stride = BandTile<Width>::stride, tiles = Cut::tiles;
  const OwnHead head(size, 1);
  const int queries = (size.queries + 15) / 16 * 16, keys = (size.keys + 15) / 16 * 16;
  const int step = static_cast<int>(blockDim.x) / 32 * 16 * tiles, lane = lane_of_thread();
  const int first_row = 16 * tiles * warp_of_thread();
  const long statistics = static_cast<long>(head.index) * size.queries;
  const float scale = static_cast<float>(size.scale);
  const BandTile<Width> query{dynamic_shared<bf16>()}, up{query.data + queries * stride}, key{up.data + queries * stride},
      value{key.data + keys * stride};
  float* const shared_lse = reinterpret_cast<float*>(value.data + keys * stride);
  float* const shared_delta = shared_lse + queries;

  query.request(head.of(x.q), x.q.token_stride, 0, size.queries, queries);
  up.request(head.of(x.dout), x.dout.token_stride, 0, size.queries, queries);
  key.request(head.of(x.k), x.k.token_stride, 0, size.keys, keys);
  value.request(head.of(x.v), x.v.token_stride, 0, size.keys, keys);
  wait_for_copies();
  __syncthreads();

  for (int row0 = first_row; row0 < queries; row0 += step) {
    OwnSide<Width, Side::queries, tiles> own;
#pragma unroll
    for (int t = 0; t < tiles; ++t) {
      const int row = row0 + 16 * t;
      if (row >= queries) {
        own.leave_out(t);
        continue;
      }
      own.first[t].load(query, row);
      own.second[t].load(up, row);
      OwnRows<Width> result;
      result.load(head.of(x.out), x.out.token_stride, row, size.queries);
      own.take_statistics(t, result, x.lse + statistics, row, size.queries);
#pragma unroll
      for (int r = 0; r < 2; ++r)
        if (lane % 4 == 0) {
          shared_lse[row + lane / 4 + 8 * r] = own.lse[t][r];
          shared_delta[row + lane / 4 + 8 * r] = own.delta[t][r];
        }
    }
    own.meet_all(key, value, nullptr, nullptr, size.keys, scale * log2_e);
    own.store(x, head, row0, size.queries, scale);
  }
  __syncthreads();  // lse and delta of all queries
  for (int row0 = first_row; row0 < keys; row0 += step) {
    OwnSide<Width, Side::keys, tiles> own;
#pragma unroll
    for (int t = 0; t < tiles; ++t) {
      const int row = row0 + 16 * t;
      if (row >= keys) {
        own.leave_out(t);
        continue;
      }
      own.first[t].load(key, row);
      own.second[t].load(value, row);
    }
    own.meet_all(query, up, shared_lse, shared_delta, size.queries, scale * log2_e);
    own.store(x, head, row0, size.keys, scale);
  }
}

template <int Width>
std::size_t both_bytes(const AttentionSize& size) {
  const std::size_t queries = static_cast<std::size_t>(size.queries + 15) / 16 * 16,
                    keys = static_cast<std::size_t>(size.keys + 15) / 16 * 16;
  return (queries + keys) * 2 * sizeof(bf16) * BandTile<Width>::stride + queries * 2 * sizeof(float);
}

template <int Width, Side side, class Cut>
void launch_mma_side(const BackwardTensors& x, const AttentionSize& size) {
  const WarpGrid grid(side == Side::keys ? size.keys : size.queries, 16 * Cut::tiles, Cut::warps);
  constexpr std::size_t shared = 64 * (4 * sizeof(bf16) * BandTile<Width>::stride + 4 * sizeof(float));
  allow_shared("attention backward", &attention_mma_side<Width, side, Cut>, shared);
  launch("attention backward", &attention_mma_side<Width, side, Cut>,
         static_cast<unsigned>(size.batch * size.heads * grid.blocks), 32 * grid.warps, shared, x, size, grid.blocks);
}

template <int Width, class Cut>
void launch_mma_both(const BackwardTensors& x, const AttentionSize& size) {
  const int rows = 16 * Cut::tiles, warps = std::min(Cut::warps, (std::max(size.queries, size.keys) + rows - 1) / rows);
  allow_shared("attention backward", &attention_mma_both<Width, Cut>, both_bytes<Width>(size));
  launch("attention backward", &attention_mma_both<Width, Cut>, static_cast<unsigned>(size.batch * size.heads), 32 * warps,
         both_bytes<Width>(size), x, size);
}

template <int Width>
void launch_mma_backward(BackwardTensors x, const AttentionSize& size) {
  const int rows = std::max(size.queries, size.keys);
  if (rows <= 80)
    return launch_mma_both<Width, std::conditional_t<Width == 32, BackwardCut<1, 5, 4>, BackwardCut<1, 3, 4>>>(x, size);
  if (rows <= 208 && both_bytes<Width>(size) <= Device::instance().shared_bytes)
    return launch_mma_both<Width, std::conditional_t<Width == 32, BackwardCut<1, 5, 3>, BackwardCut<1, 7, 1>>>(x, size);
  const Scratch<float> delta(static_cast<long>(size.batch) * size.heads * size.queries);
  x.delta = delta.data();
  launch_mma_side<Width, Side::queries, BackwardCut<2, 4, Width == 32 ? 3 : 2>>(x, size);
  launch_mma_side<Width, Side::keys, BackwardCut<Width == 32 ? 2 : 1, 4, 3>>(x, size);
}

}  // namespace vitral::inline VITRAL_ABI::cuda::detail
