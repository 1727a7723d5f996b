// float products on AMX's bf16 tiles, as exact as float's rounding: each float is split into three bf16 parts, and of
// the nine products of parts the six largest are summed (Henry, Tang and Heinecke, arXiv 1904.06376). An infinity
// becomes NaN. Compiled where the compiler may use AMX, used where the processor and the operating system offer it.
#pragma once

#include <vitral/backend/cpu/work_memory.hpp>
#include <vitral/tensor/matrix.hpp>

#include <algorithm>
#include <cstdint>

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__linux__)
#define VITRAL_AMX 1
// g++ 12 takes the deliberately undefined registers of its own AVX-512 header for mistakes of its callers.
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vitral { inline namespace VITRAL_ABI { namespace cpu::amx {

#if defined(VITRAL_AMX)

/// Whether this process may use tiles; asks the kernel once.
[[nodiscard]] inline bool available() {
  static const bool granted = [] {
    constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return __builtin_cpu_supports("avx512bf16") && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return granted;
}

namespace detail {

inline constexpr long side = 16, depth = 32;           // a tile: 16 rows of 32 bf16 numbers
inline constexpr long tile = side * depth, parts = 3;  // numbers of a tile; bf16 parts of a float
using Word = std::uint16_t;

inline long blocks(long extent) { return (extent + 31) / 32; }

/// The three parts of 32 floats.
struct Parts {
  __m512i of[parts];
};
inline Parts split(__m512 low, __m512 high) {
  Parts out;
  for (long p = 0; p < parts; ++p) {
    const __m512bh rounded = _mm512_cvtne2ps_pbh(high, low);
    out.of[p] = reinterpret_cast<const __m512i&>(rounded);
    const auto widened = [&](int half) {
      const __m256i words = half ? _mm512_extracti64x4_epi64(out.of[p], 1) : _mm512_castsi512_si256(out.of[p]);
      return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16));
    };
    low = _mm512_sub_ps(low, widened(0));
    high = _mm512_sub_ps(high, widened(1));
  }
  return out;
}

inline __mmask16 first_lanes(long count) { return static_cast<__mmask16>((1u << std::clamp(count, 0l, side)) - 1u); }

/// Exchanges rows and columns of 16 x 16 floats.
inline void transpose(__m512 (&r)[16]) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      const __m512d a = _mm512_castps_pd(t[i + j]), b = _mm512_castps_pd(t[i + j + 2]);
      r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 2; ++j) {
      t[8 * j + i] = _mm512_shuffle_f32x4(r[8 * j + i], r[8 * j + i + 4], 0x88);
      t[8 * j + i + 4] = _mm512_shuffle_f32x4(r[8 * j + i], r[8 * j + i + 4], 0xdd);
    }
  for (int i = 0; i < 8; ++i) {
    r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
  }
}

/// 16 x 16 floats from (row, col) on, zero outside of the matrix: r[i] is row i, or column i where those are dense.
inline void load(const Matrix<const float>& m, long row, long col, __m512 (&r)[16]) {
  const bool dense_rows = m.col_stride == 1;
  const long lines = dense_rows ? m.rows - row : m.cols - col, lanes = dense_rows ? m.cols - col : m.rows - row;
  const long stride = dense_rows ? m.row_stride : m.col_stride;
  const float* const from = m.data + row * m.row_stride + col * m.col_stride;
  const __mmask16 mask = first_lanes(lanes);
  for (long i = 0; i < side; ++i)
    r[i] = i < lines ? _mm512_maskz_loadu_ps(mask, from + i * stride) : _mm512_setzero_ps();
}
inline void load_rows(const Matrix<const float>& m, long row, long col, __m512 (&r)[16]) {
  load(m, row, col, r);
  if (m.col_stride != 1) transpose(r);
}

/// A left operand's rows [row, row + 32) as tiles [k / 32][part][2].
inline void split_left(const Matrix<const float>& a, long row, Word* to) {
  for (long k = 0; k < a.cols; k += depth)
    for (long half = 0; half < 2; ++half) {
      __m512 low[16], high[16];
      load_rows(a, row + half * side, k, low);
      load_rows(a, row + half * side, k + side, high);
      for (long i = 0; i < side; ++i) {
        const Parts line = split(low[i], high[i]);
        for (long p = 0; p < parts; ++p)
          _mm512_store_si512(to + ((k / depth * parts + p) * 2 + half) * tile + i * depth, line.of[p]);
      }
    }
}

/// A right operand as tiles [n / 32][k / 32][part][2]: row i of a tile holds the rows 2 i and 2 i + 1, column by
/// column.
inline void split_right(const Matrix<const float>& b, Word* to) {
  const __m512i pairs = _mm512_set_epi32(0x1f0f, 0x1e0e, 0x1d0d, 0x1c0c, 0x1b0b, 0x1a0a, 0x1909, 0x1808, 0x1707, 0x1606,
                                         0x1505, 0x1404, 0x1303, 0x1202, 0x1101, 0x1000);
  const __m512i low_bytes = _mm512_set1_epi32(0xff),
                order = _mm512_or_si512(_mm512_and_si512(pairs, low_bytes),
                                        _mm512_slli_epi32(_mm512_srli_epi32(pairs, 8), 16));
  for (long n = 0; n < b.cols; n += 32)
    for (long k = 0; k < b.rows; k += depth)
      for (long half = 0; half < 2; ++half) {
        Word* const tiles = to + (n / 32 * blocks(b.rows) + k / depth) * parts * 2 * tile + half * tile;
        __m512 rows[2][16];
        load_rows(b, k, n + half * side, rows[0]);
        load_rows(b, k + side, n + half * side, rows[1]);
        for (long i = 0; i < side; ++i) {
          const Parts pair = split(rows[i / 8][2 * i % 16], rows[i / 8][2 * i % 16 + 1]);
          for (long p = 0; p < parts; ++p)
            _mm512_store_si512(tiles + p * 2 * tile + i * depth, _mm512_permutexvar_epi16(order, pair.of[p]));
        }
      }
}

struct alignas(64) Configuration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};
  std::uint8_t rows[16] = {};
  Configuration() {
    for (int i = 0; i < 8; ++i) {
      bytes[i] = 64;
      rows[i] = 16;
    }
  }
};

/// Brings a tile that is needed soon into the first-level cache.
inline void prefetch(const Word* tile_ahead) {
  for (long i = 0; i < side; ++i) _mm_prefetch(tile_ahead + i * depth, _MM_HINT_T0);
}

/// sum [32, 32] = the product of two rows of tiles over `count` blocks of k.
inline void multiply_tiles(const Word* a, const Word* b, long count, float* sum) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const auto at = [](const Word* tiles, long part, long half) { return tiles + (part * 2 + half) * tile; };
  const Word* const first = a;
  for (long k = 0; k < count; ++k, a += parts * 2 * tile, b += parts * 2 * tile) {
    const Word* const next = k + 1 < count ? a + parts * 2 * tile : first;
#define VITRAL_LOAD_LEFT(part)        \
  _tile_loadd(4, at(a, part, 0), 64); \
  _tile_loadd(5, at(a, part, 1), 64)
#define VITRAL_LOAD_RIGHT(part)       \
  _tile_loadd(6, at(b, part, 0), 64); \
  _tile_loadd(7, at(b, part, 1), 64)
#define VITRAL_MULTIPLY(step)              \
  _tile_dpbf16ps(0, 4, 6);                 \
  prefetch(b + (parts * 2 + step) * tile); \
  _tile_dpbf16ps(1, 4, 7);                 \
  prefetch(next + step * tile);            \
  _tile_dpbf16ps(2, 5, 6);                 \
  _tile_dpbf16ps(3, 5, 7)
    // Small products first, in an order that reloads one side at a time.
    VITRAL_LOAD_LEFT(2);
    VITRAL_LOAD_RIGHT(0);
    VITRAL_MULTIPLY(0);
    VITRAL_LOAD_LEFT(1);
    VITRAL_MULTIPLY(1);
    VITRAL_LOAD_RIGHT(1);
    VITRAL_MULTIPLY(2);
    VITRAL_LOAD_LEFT(0);
    VITRAL_MULTIPLY(3);
    VITRAL_LOAD_RIGHT(2);
    VITRAL_MULTIPLY(4);
    VITRAL_LOAD_RIGHT(0);
    VITRAL_MULTIPLY(5);
#undef VITRAL_LOAD_LEFT
#undef VITRAL_LOAD_RIGHT
#undef VITRAL_MULTIPLY
  }
  _tile_stored(0, sum, 128);
  _tile_stored(1, sum + 16, 128);
  _tile_stored(2, sum + 16 * 32, 128);
  _tile_stored(3, sum + 16 * 32 + 16, 128);
}

/// c's block at (row, col) = sum (+ c) (+ bias).
inline void store_block(const float* sum, const Matrix<float>& c, long row, long col, bool accumulate,
                        const float* bias) {
  for (long half = 0; half < 2 && col + half * side < c.cols; ++half) {
    const long j = col + half * side;
    const __mmask16 mask = first_lanes(c.cols - j);
    const __m512 shift = bias ? _mm512_maskz_loadu_ps(mask, bias + j) : _mm512_setzero_ps();
    for (long i = 0; i < std::min(32l, c.rows - row); ++i) {
      float* const to = c.data + (row + i) * c.row_stride + j;
      __m512 value = _mm512_add_ps(_mm512_load_ps(sum + i * 32 + half * side), shift);
      if (accumulate) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, to));
      _mm512_mask_storeu_ps(to, mask, value);
    }
  }
}

}  // namespace detail

/// How many 16-bit numbers a packed b [k, n] takes.
[[nodiscard]] inline long packed_words(long k, long n) {
  return detail::blocks(k) * detail::blocks(n) * detail::parts * 2 * detail::tile;
}
/// Splits and packs b [k, n], which has dense rows or columns; `to` is aligned to 64 bytes.
inline void pack(const Matrix<const float>& b, std::uint16_t* to) { detail::split_right(b, to); }

/// c = a b (+ c when `accumulate`) (+ bias [n], may be null), on the calling thread. a has dense rows or columns, c
/// dense rows.
inline void multiply(const Matrix<const float>& a, const std::uint16_t* packed, const Matrix<float>& c, bool accumulate,
                     const float* bias) {
  using namespace detail;
  static thread_local WorkMemory buffer;
  static const Configuration configuration;
  const long count = blocks(a.cols);
  Word* const left = buffer.reserve<Word>(count * parts * 2 * tile);
  alignas(64) float sum[32 * 32];
  _tile_loadconfig(&configuration);
  for (long row = 0; row < c.rows; row += 32) {
    split_left(a, row, left);
    for (long col = 0; col < c.cols; col += 32) {
      multiply_tiles(left, packed + col / 32 * count * parts * 2 * tile, count, sum);
      store_block(sum, c, row, col, accumulate, bias);
    }
  }
  _tile_release();
}

#else

// Without AMX: never available, so nothing below is called.
[[nodiscard]] inline bool available() { return false; }
[[nodiscard]] inline long packed_words(long, long) { return 0; }
inline void pack(const Matrix<const float>&, std::uint16_t*) {}
inline void multiply(const Matrix<const float>&, const std::uint16_t*, const Matrix<float>&, bool, const float*) {}

#endif

}}}  // namespace vitral::cpu::amx

#if defined(VITRAL_AMX) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
