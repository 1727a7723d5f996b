// What attention on tensor cores is made of: bf16 rows of one head in shared memory, the fragments that a warp reads of
// them, and a warp's own rows and sums in registers. Heads have 32 or 64 channels; sums are floats.
#pragma once

#include <vitral/backend/cuda/block_reduce.hpp>
#include <vitral/backend/cuda/instructions.hpp>
#include <vitral/backend/cuda/launch.hpp>
#include <vitral/tensor/heads.hpp>

#include <cmath>
#include <cstdint>

namespace vitral::inline VITRAL_ABI::cuda::detail {

constexpr float log2_e = 1.44269504089f, ln_2 = 0.693147180560f;

__device__ inline int lane_of_thread() { return static_cast<int>(threadIdx.x) % 32; }
__device__ inline int warp_of_thread() { return static_cast<int>(threadIdx.x) / 32; }

/// Rows of Width bf16 values in shared memory. 16 bytes more in each row let the rows of a matrix that ldmatrix reads lie
/// in different banks.
template <int Width>
struct BandTile {
  static constexpr int stride = Width + 8;
  bf16* data;

  /// Starts to copy rows first ... first + rows - 1 of a head of `count` rows; those beyond are zeros.
  __device__ void request(const bf16* head, long token_stride, int first, int count, int rows) const {
    constexpr int pieces = Width / 8;  // of 16 bytes
    const int thread = static_cast<int>(threadIdx.x), step = static_cast<int>(blockDim.x) / pieces;
    const int channel = thread % pieces * 8;
    const bf16* from = head + (first + thread / pieces) * token_stride + channel;
    for (int row = thread / pieces; row < rows; row += step, from += step * token_stride)
      start_copy(data + row * stride + channel, from, first + row < count);
  }

  // The four matrices of a 16 x 16 window at (row, column), as the operand that is meant:
  /// A = window.
  __device__ void left(unsigned (&a)[4], int row, int column) const {
    const int lane = lane_of_thread();
    load_matrices(a, data + (row + lane % 16) * stride + column + lane / 16 * 8);
  }
  /// B = window^T: b[0] and b[1] for its first 8 columns, b[2] and b[3] for the rest.
  __device__ void right_transposed(unsigned (&b)[4], int row, int column) const {
    const int lane = lane_of_thread();
    load_matrices(b, data + (row + lane % 8 + lane / 16 * 8) * stride + column + lane / 8 % 2 * 8);
  }
  /// B = window.
  __device__ void right(unsigned (&b)[4], int row, int column) const {
    const int lane = lane_of_thread();
    load_transposed(b, data + (row + lane % 16) * stride + column + lane / 16 * 8);
  }
};

/// 16 rows of a head in a warp's registers, as left operands.
template <int Width>
struct OwnRows {
  static constexpr int steps = Width / 16;  // along the channels
  unsigned part[steps][4];

  /// Rows row0 ... row0 + 15 of a head of `count` rows in the device's memory; those beyond are zeros.
  __device__ void load(const bf16* head, long token_stride, int row0, int count) {
    const int lane = lane_of_thread();
#pragma unroll
    for (int c = 0; c < steps; ++c)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = row0 + lane / 4 + i % 2 * 8;
        const bf16* const from = head + row * token_stride + 16 * c + 2 * (lane % 4) + i / 2 * 8;
        part[c][i] = row < count ? *reinterpret_cast<const unsigned*>(from) : 0;
      }
  }
  /// Rows of a tile in shared memory.
  __device__ void load(const BandTile<Width>& tile, int row0) {
#pragma unroll
    for (int c = 0; c < steps; ++c) tile.left(part[c], row0, 16 * c);
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
    const int g = lane_of_thread() / 4, t = lane_of_thread() % 4;
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

/// The warps of a block and the blocks of a head, where a warp owns `rows_of_warp` of `rows` rows: warps that have nothing
/// to do are few, and a block has enough to load its tiles quickly. The blocks of a head are neighbours, so that they find
/// in the cache what they all read.
struct WarpGrid {
  int blocks, warps;
  WarpGrid(int rows, int rows_of_warp, int most_warps) {
    const int needed = (rows + rows_of_warp - 1) / rows_of_warp;
    blocks = (needed + most_warps - 1) / most_warps;
    warps = std::clamp((needed + blocks - 1) / blocks, std::min(4, most_warps), most_warps);
  }
};

/// Which image and head a block is about, and its first row, where a head has `blocks` blocks.
struct OwnHead {
  int index, image, head, block;
  __device__ OwnHead(const AttentionSize& size, int blocks)
      : index(static_cast<int>(blockIdx.x) / blocks),
        image(index / size.heads),
        head(index % size.heads),
        block(static_cast<int>(blockIdx.x) % blocks) {}
  /// The first of a tensor's elements that are the head's.
  template <class T>
  __device__ T* of(const Heads<T>& tensor) const {
    return tensor.data + offset_of_head(tensor, image, head);
  }
};

}  // namespace vitral::inline VITRAL_ABI::cuda::detail
