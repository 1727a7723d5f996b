// Attention's backward pass on tensor cores for bf16 heads of 32 or 64 channels. A warp sums dq for its rows of
// queries, or dk and dv for its rows of keys, each sum in one order: no atomics. Short sequences have both sides in one
// kernel, longer ones a kernel for each side, which walks tiles of the other.
#pragma once

#include <vitral/backend/cuda/attention_mma.hpp>
#include <vitral/backend/cuda/memory.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda::detail {

enum class Side { queries, keys };

/// The arguments of each of the kernels.
struct BackwardTensors {
  Heads<const bf16> q, k, v, out, dout;
  const float* lse;
  float* delta;  // out . dout of each query; the queries' side writes it, the keys' side reads it
  Heads<bf16> dq, dk, dv;
  bool add;
};

/// A warp's own rows of one side, queries with the gradients of their results, or keys with their values; and what the
/// warp sums for them.
template <int Width, Side side, int Pieces>
struct OwnSide {
  static constexpr int steps = Width / 16;
  static constexpr bool of_keys = side == Side::keys;

  OwnRows<Width> first[Pieces], second[Pieces];      // q and dout, or k and v
  Band<Width / 8> sums[Pieces];                      // of dq or dk, without the scale
  Band<Width / 8> value_sums[of_keys ? Pieces : 1];  // of dv
  float lse[Pieces][2], delta[Pieces][2];            // of own queries

  /// Meets 16 Groups rows of the other side's tiles, from row `at` on: k and v, or q and dout with their lse and delta.
  /// The tiles hold `here` rows; lse and scale are for powers of two. keep(t, slopes, row) receives the slopes of own
  /// piece t beside the 16 rows from `row` on, as a left operand.
  template <int Groups, bool whole, class Keep>
  __device__ void meet_rows(const BandTile<Width>& one, const BandTile<Width>& two, const float* tile_lse,
                            const float* tile_delta, int at, int here, float scale, Keep&& keep) {
    Band<2 * Groups> weights[Pieces], slopes[Pieces];
#pragma unroll
    for (int c = 0; c < steps; ++c)
#pragma unroll
      for (int j = 0; j < Groups; ++j) {
        unsigned right[4];
        one.right_transposed(right, at + 16 * j, 16 * c);
#pragma unroll
        for (int t = 0; t < Pieces; ++t) weights[t].add(j, first[t].part[c], right);
        two.right_transposed(right, at + 16 * j, 16 * c);
#pragma unroll
        for (int t = 0; t < Pieces; ++t) slopes[t].add(j, second[t].part[c], right);
      }
    const int column = at + 2 * (lane_of_thread() % 4);
#pragma unroll
    for (int j = 0; j < Groups; ++j) {
      unsigned weight_rows[Pieces][4], slope_rows[Pieces][4];
#pragma unroll
      for (int t = 0; t < Pieces; ++t) {
#pragma unroll
        for (int n = 2 * j; n < 2 * j + 2; ++n)
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            float &p = weights[t].part[n][i], &ds = slopes[t].part[n][i];
            const int other = column + 8 * n + i % 2;
            p = power_of_two(p * scale - (of_keys ? tile_lse[other] : lse[t][i / 2]));
            if (!of_keys && !whole && other >= here) p = 0;
            ds = p * (ds - (of_keys ? tile_delta[other] : delta[t][i / 2]));
          }
        weights[t].as_left(weight_rows[t], j);
        slopes[t].as_left(slope_rows[t], j);
        keep(t, slope_rows[t], at + 16 * j);
      }
#pragma unroll
      for (int c = 0; c < steps; ++c) {
        unsigned right[4];
        one.right(right, at + 16 * j, 16 * c);
#pragma unroll
        for (int t = 0; t < Pieces; ++t) sums[t].add(c, slope_rows[t], right);
        if constexpr (of_keys) {
          two.right(right, at + 16 * j, 16 * c);
#pragma unroll
          for (int t = 0; t < Pieces; ++t) value_sums[t].add(c, weight_rows[t], right);
        }
      }
    }
  }
  /// Meets rows 0 ... here - 1 of the tiles, 16 Groups at a time.
  template <int Groups, class Keep>
  __device__ void meet(const BandTile<Width>& one, const BandTile<Width>& two, const float* tile_lse,
                       const float* tile_delta, int here, float scale, Keep&& keep) {
    int at = 0;
    for (; at + 16 * Groups <= here; at += 16 * Groups)
      meet_rows<Groups, true>(one, two, tile_lse, tile_delta, at, here, scale, keep);
    for (; at < here; at += 16) meet_rows<1, false>(one, two, tile_lse, tile_delta, at, here, scale, keep);
  }

  /// Reads own piece t from row `row` on of tiles of `tile_rows` rows. Where they end before it, it has no weight and
  /// this is false.
  __device__ bool take_rows(int t, const BandTile<Width>& one, const BandTile<Width>& two, int row, int tile_rows) {
    if (row < tile_rows) {
      first[t].load(one, row);
      second[t].load(two, row);
      return true;
    }
    first[t] = {}, second[t] = {};
    lse[t][0] = lse[t][1] = INFINITY, delta[t][0] = delta[t][1] = 0;
    return false;
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
    for (int t = 0; t < Pieces; ++t) {
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

/// How a kernel cuts its work: 16-row pieces that a warp owns at a time, warps of a block, blocks of a multiprocessor,
/// rows of a tile, groups of 16 of them that a warp meets at a time.
template <int Pieces, int Warps, int Blocks, int TileRows, int Groups = 1>
struct BackwardCut {
  static constexpr int pieces = Pieces, warps = Warps, blocks = Blocks, tile_rows = TileRows, groups = Groups;
};

/// One side's gradients, from tiles of the other; a head has `blocks` blocks.
template <int Width, Side side, class Cut>
__global__ void __launch_bounds__(32 * Cut::warps, Cut::blocks)
    attention_mma_side(const __grid_constant__ BackwardTensors x, AttentionSize size, int blocks) {
  constexpr bool of_keys = side == Side::keys;
  constexpr int pieces = Cut::pieces, tile_rows = Cut::tile_rows, threads = 32 * Cut::warps;
  constexpr unsigned tile_bytes = tile_rows * BandTile<Width>::row_bytes;
  const OwnHead head(size, blocks);
  const int lane = lane_of_thread(), thread = static_cast<int>(threadIdx.x);
  const int row0 = (head.block * Cut::warps + warp_of_thread()) * 16 * pieces;
  const int own_rows = of_keys ? size.keys : size.queries, other_rows = of_keys ? size.queries : size.keys;
  const Heads<const bf16>&first = of_keys ? x.k : x.q, &second = of_keys ? x.v : x.dout, &one = of_keys ? x.q : x.k,
                    &two = of_keys ? x.dout : x.v;
  const long statistics = static_cast<long>(head.index) * size.queries;
  const float scale = static_cast<float>(size.scale);
  bf16* const memory = dynamic_shared<bf16>();
  const SharedAddress shared = address_of(memory);
  float* const shared_lse = reinterpret_cast<float*>(memory) + tile_bytes;  // behind four tiles
  float* const shared_delta = shared_lse + 2 * tile_rows;

  const auto request = [&](int begin, unsigned buffer) {
    const BandTile<Width> a(shared + 2 * buffer * tile_bytes), b(a.data + tile_bytes);
    a.template request<tile_rows, threads>(head.of(one), one.token_stride, begin, other_rows);
    b.template request<tile_rows, threads>(head.of(two), two.token_stride, begin, other_rows);
    if (of_keys && thread < tile_rows) {  // queries that are not there weigh nothing
      const bool inside = begin + thread < other_rows;
      shared_lse[buffer * tile_rows + thread] = inside ? x.lse[statistics + begin + thread] * log2_e : INFINITY;
      shared_delta[buffer * tile_rows + thread] = inside ? x.delta[statistics + begin + thread] : 0;
    }
  };
  request(0, 0);
  OwnSide<Width, side, pieces> own;
#pragma unroll
  for (int t = 0; t < pieces; ++t) {
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

  unsigned buffer = 0;
  for (int begin = 0; begin < other_rows; begin += tile_rows, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // the tile is there, and nobody reads the one before it
    if (begin + tile_rows < other_rows) request(begin + tile_rows, buffer ^ 1);
    if (row0 >= own_rows) continue;
    const BandTile<Width> a(shared + 2 * buffer * tile_bytes), b(a.data + tile_bytes);
    const int here = other_rows - begin < tile_rows ? other_rows - begin : tile_rows;
    own.template meet<Cut::groups>(a, b, shared_lse + buffer * tile_rows, shared_delta + buffer * tile_rows, here,
                                   scale * log2_e, [](int, const unsigned(&)[4], int) {});
  }
  own.store(x, head, row0, own_rows, scale);
}

/// Whether the keys' side leaves its slopes (a row for each key) to the queries' side. For heads of 32 channels it is
/// cheaper to form them again: without the memory for them more blocks fit on a multiprocessor.
template <int Width>
inline constexpr bool keeps_slopes = Width == 64;

/// Both sides of a head of at most tile_rows queries and keys in one block: everything lies in shared memory.
template <int Width, class Cut>
__global__ void __launch_bounds__(32 * Cut::warps, Cut::blocks)
    attention_mma_both(const __grid_constant__ BackwardTensors x, AttentionSize size) {
  constexpr int pieces = Cut::pieces, tile_rows = Cut::tile_rows, threads = 32 * Cut::warps;
  constexpr int step = 16 * pieces * Cut::warps;
  constexpr unsigned tile_bytes = tile_rows * BandTile<Width>::row_bytes;
  using Slopes = BandTile<tile_rows>;
  const OwnHead head(size, 1);
  const int lane = lane_of_thread(), warp = warp_of_thread(), first_row = 16 * pieces * warp;
  const float* const lse = x.lse + static_cast<long>(head.index) * size.queries;
  const float scale = static_cast<float>(size.scale);
  bf16* const memory = dynamic_shared<bf16>();
  const BandTile<Width> query(address_of(memory)), up(query.data + tile_bytes), key(up.data + tile_bytes),
      value(key.data + tile_bytes);
  bf16* const slope_memory = memory + 2 * tile_bytes;  // behind four tiles
  const Slopes slopes(value.data + tile_bytes);
  float* const shared_lse =
      reinterpret_cast<float*>(slope_memory + (keeps_slopes<Width> ? tile_rows * Slopes::row_bytes / 2 : 0));
  float* const shared_delta = shared_lse + tile_rows;

  query.template request<tile_rows, threads>(head.of(x.q), x.q.token_stride, 0, size.queries);
  up.template request<tile_rows, threads>(head.of(x.dout), x.dout.token_stride, 0, size.queries);
  key.template request<tile_rows, threads>(head.of(x.k), x.k.token_stride, 0, size.keys);
  value.template request<tile_rows, threads>(head.of(x.v), x.v.token_stride, 0, size.keys);
  for (int row = 16 * warp; row < tile_rows; row += 16 * Cut::warps) {
    OwnSide<Width, Side::queries, 1> own;
    OwnRows<Width> result;
    result.load(head.of(x.out), x.out.token_stride, row, size.queries);
    own.second[0].load(head.of(x.dout), x.dout.token_stride, row, size.queries);
    own.take_statistics(0, result, lse, row, size.queries);
#pragma unroll
    for (int r = 0; r < 2; ++r)
      if (lane % 4 == 0) {
        shared_lse[row + lane / 4 + 8 * r] = own.lse[0][r];
        shared_delta[row + lane / 4 + 8 * r] = own.delta[0][r];
      }
  }
  wait_for_copies();
  __syncthreads();

  for (int row0 = first_row; row0 < size.keys; row0 += step) {
    OwnSide<Width, Side::keys, pieces> own;
#pragma unroll
    for (int t = 0; t < pieces; ++t) own.take_rows(t, key, value, row0 + 16 * t, tile_rows);
    own.template meet<Cut::groups>(
        query, up, shared_lse, shared_delta, size.queries, scale * log2_e,
        [&](int t, const unsigned(&slope)[4], int column) {
          if constexpr (keeps_slopes<Width>) {
            if (row0 + 16 * t >= tile_rows) return;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
              const int row = row0 + 16 * t + lane / 4 + i % 2 * 8;
              const int place = row * (Slopes::row_bytes / 2) + column + 2 * (lane % 4) + i / 2 * 8;
              *reinterpret_cast<unsigned*>(slope_memory + place) = row < size.keys ? slope[i] : 0;
            }
          }
        });
    own.store(x, head, row0, size.keys, scale);
  }
  if constexpr (keeps_slopes<Width>) __syncthreads();
  for (int row0 = first_row; row0 < size.queries; row0 += step) {
    OwnSide<Width, Side::queries, pieces> own;
    if constexpr (keeps_slopes<Width>) {
      for (int at = 0; at < size.keys; at += 16) {
        unsigned left[pieces][4];
#pragma unroll
        for (int t = 0; t < pieces; ++t)
          slopes.left_transposed(left[t], at, row0 + 16 * t < tile_rows ? row0 + 16 * t : row0);
#pragma unroll
        for (int c = 0; c < Width / 16; ++c) {
          unsigned right[4];
          key.right(right, at, 16 * c);
#pragma unroll
          for (int t = 0; t < pieces; ++t) own.sums[t].add(c, left[t], right);
        }
      }
    } else {
#pragma unroll
      for (int t = 0; t < pieces; ++t) {
        const int row = row0 + 16 * t;
        if (!own.take_rows(t, query, up, row, tile_rows)) continue;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
          own.lse[t][r] = shared_lse[row + lane / 4 + 8 * r];
          own.delta[t][r] = shared_delta[row + lane / 4 + 8 * r];
        }
      }
      own.template meet<Cut::groups>(key, value, nullptr, nullptr, size.keys, scale * log2_e,
                                     [](int, const unsigned(&)[4], int) {});
    }
    own.store(x, head, row0, size.queries, scale);
  }
}

/// The shared memory that the kernels need: four tiles, what belongs to queries, and the slopes.
template <int Width, class Cut>
constexpr std::size_t side_bytes = static_cast<std::size_t>(Cut::tile_rows) *
                                   (4 * BandTile<Width>::row_bytes + 4 * sizeof(float));
template <int Width, class Cut>
constexpr std::size_t both_bytes = static_cast<std::size_t>(Cut::tile_rows) *
                                   (4 * BandTile<Width>::row_bytes + 2 * sizeof(float) +
                                    (keeps_slopes<Width> ? BandTile<Cut::tile_rows>::row_bytes : 0));

template <int Width, Side side, class Cut>
void launch_mma_side(const BackwardTensors& x, const AttentionSize& size) {
  const int blocks = blocks_of_head(side == Side::keys ? size.keys : size.queries, 16 * Cut::pieces * Cut::warps);
  constexpr std::size_t shared = side_bytes<Width, Cut>;
  allow_shared("attention backward", &attention_mma_side<Width, side, Cut>, shared);
  launch("attention backward", &attention_mma_side<Width, side, Cut>,
         static_cast<unsigned>(size.batch * size.heads * blocks), 32 * Cut::warps, shared, x, size, blocks);
}

template <int Width, class Cut>
void launch_mma_both(const BackwardTensors& x, const AttentionSize& size) {
  constexpr std::size_t shared = both_bytes<Width, Cut>;
  allow_shared("attention backward", &attention_mma_both<Width, Cut>, shared);
  launch("attention backward", &attention_mma_both<Width, Cut>, static_cast<unsigned>(size.batch * size.heads),
         32 * Cut::warps, shared, x, size);
}

template <int Width>
void launch_mma_backward(BackwardTensors x, const AttentionSize& size) {
  constexpr bool narrow = Width == 32;
  const int rows = std::max(size.queries, size.keys);
  if (rows <= 80) return launch_mma_both<Width, BackwardCut<1, 5, narrow ? 4 : 3, 80>>(x, size);
  using Whole = BackwardCut<1, narrow ? 5 : 7, narrow ? 3 : 1, 208, narrow ? 1 : 2>;
  if (rows <= 208 && both_bytes<Width, Whole> <= Device::instance().shared_bytes)
    return launch_mma_both<Width, Whole>(x, size);
  const Scratch<float> delta(static_cast<long>(size.batch) * size.heads * size.queries);
  x.delta = delta.data();
  launch_mma_side<Width, Side::queries, BackwardCut<2, 4, narrow ? 4 : 2, 64>>(x, size);
  launch_mma_side<Width, Side::keys, BackwardCut<narrow ? 2 : 1, 4, 3, 64>>(x, size);
}

}}}  // namespace vitral::cuda::detail
