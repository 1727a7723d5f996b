// What attention on tensor cores is made of: bf16 rows of one head in shared memory, the fragments that a warp reads of
// them, and a warp's own rows and sums in registers. Heads have 32 or 64 channels; sums are floats.
#pragma once

#include <vitral/backend/cuda/block_reduce.hpp>
#include <vitral/backend/cuda/instructions.hpp>
#include <vitral/backend/cuda/launch.hpp>
#include <vitral/tensor/heads.hpp>

#include <cmath>
#include <cstdint>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda::detail {

constexpr float log2_e = 1.44269504089f, ln_2 = 0.693147180560f;

__device__ inline int lane_of_thread() { return static_cast<int>(threadIdx.x) % 32; }
/// The same number in all lanes, as the compiler can see.
__device__ inline int warp_of_thread() { return __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x) / 32, 0); }

/// Rows of Width bf16 values in shared memory. 16 bytes more in each row let the rows of a matrix that ldmatrix reads
/// lie in different banks.
template <int Width>
struct BandTile {
  static constexpr int row_bytes = 2 * (Width + 8);
  SharedAddress data, straight, crossed;  // the tile, and where this lane reads a window at row and column 0

  __device__ explicit BandTile(SharedAddress begin) : data(begin) {
    const unsigned lane = threadIdx.x % 32;
    straight = data + lane % 16 * row_bytes + lane / 16 * 16;
    crossed = data + (lane % 8 + lane / 16 * 8) * row_bytes + lane / 8 % 2 * 16;
  }

  /// `Threads` threads start to copy rows first ... first + Rows - 1 of a head of `count` rows; those beyond are zeros.
  template <int Rows, int Threads>
  __device__ void request(const bf16* head, long token_stride, int first, int count) const {
    constexpr int pieces = Width / 8, step = Threads / pieces;  // pieces of 16 bytes
    const int thread = static_cast<int>(threadIdx.x), row0 = thread / pieces, channel = thread % pieces * 8;
    const bf16* from = head + (first + row0) * token_stride + channel;
    const SharedAddress to = data + static_cast<unsigned>(row0 * row_bytes + 2 * channel);
#pragma unroll
    for (int row = 0; row < Rows; row += step, from += step * token_stride)
      if (row + step <= Rows || row0 + row < Rows) start_copy(to + row * row_bytes, from, first + row0 + row < count);
  }

  // The four matrices of a 16 x 16 window at (row, column), as the operand that is meant:
  /// A = window.
  __device__ void left(unsigned (&a)[4], int row, int column) const {
    load_matrices(a, straight + static_cast<unsigned>(row * row_bytes + 2 * column));
  }
  /// A = window^T.
  __device__ void left_transposed(unsigned (&a)[4], int row, int column) const {
    load_transposed(a, crossed + static_cast<unsigned>(row * row_bytes + 2 * column));
  }
  /// B = window^T: b[0] and b[1] for its first 8 columns, b[2] and b[3] for the rest.
  __device__ void right_transposed(unsigned (&b)[4], int row, int column) const {
    load_matrices(b, crossed + static_cast<unsigned>(row * row_bytes + 2 * column));
  }
  /// B = window.
  __device__ void right(unsigned (&b)[4], int row, int column) const {
    load_transposed(b, straight + static_cast<unsigned>(row * row_bytes + 2 * column));
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

/// Blocks of a head of `rows` rows, of which each has `rows_of_block`. They are neighbours in the grid, so that they
/// find in the cache what they all read.
[[nodiscard]] inline int blocks_of_head(int rows, int rows_of_block) {
  return (rows + rows_of_block - 1) / rows_of_block;
}

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

}}}  // namespace vitral::cuda::detail
