// backend/cuda/instructions.hpp for the device of fibres: the lanes of a warp exchange what the instructions read.
#pragma once

#include <vitral/core/bf16.hpp>

#include <cuda_runtime.h>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

template <class T>
T* dynamic_shared() {
  return reinterpret_cast<T*>(on_host::shared);
}

using SharedAddress = std::uintptr_t;
inline SharedAddress address_of(const void* shared) { return reinterpret_cast<SharedAddress>(shared); }

inline float half_of(unsigned both, int which) {
  bf16 value;
  value.bits = static_cast<std::uint16_t>(which ? both >> 16 : both);
  return value;
}

inline void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  struct Registers {
    unsigned a[4], b[2];
  };
  const Registers mine{{a[0], a[1], a[2], a[3]}, {b0, b1}};
  on_host::Block& block = on_host::Block::current();
  Registers all[32];
  block.exchange_all(mine, all);
  const int g = block.lane() / 4, t = block.lane() % 4;
  for (int i = 0; i < 4; ++i) {
    const int row = g + 8 * (i / 2), column = 2 * t + i % 2;
    float sum = c[i];
    for (int k = 0; k < 16; ++k) {
      const Registers &left = all[row % 8 * 4 + k % 8 / 2], &right = all[column * 4 + k % 8 / 2];
      sum += half_of(left.a[row / 8 + 2 * (k / 8)], k % 2) * half_of(right.b[k / 8], k % 2);
    }
    c[i] = sum;
  }
}

inline void load_elements(unsigned (&to)[4], SharedAddress address, bool transposed) {
  const bf16* const row = reinterpret_cast<const bf16*>(address);
  if (address % 16 != 0) on_host::broken("ldmatrix needs addresses of 16 bytes");
  on_host::Block& block = on_host::Block::current();
  const bf16* rows[32];
  block.exchange_all(row, rows);
  const int g = block.lane() / 4, t = block.lane() % 4;
  for (int m = 0; m < 4; ++m) {
    const auto at = [&](int r, int c) { return static_cast<unsigned>(rows[8 * m + r][c].bits); };
    to[m] = transposed ? at(2 * t, g) | at(2 * t + 1, g) << 16 : at(g, 2 * t) | at(g, 2 * t + 1) << 16;
  }
  block.warp_barrier();  // what was read may be written by other lanes from now on
}
inline void load_matrices(unsigned (&to)[4], SharedAddress row) { load_elements(to, row, false); }
inline void load_transposed(unsigned (&to)[4], SharedAddress row) { load_elements(to, row, true); }

/// The bytes are read and written when the thread waits for them, no earlier: who reads before finds what was there.
inline void start_copy(SharedAddress to, const bf16* from, bool wanted) {
  if ((to | reinterpret_cast<std::uintptr_t>(from)) % 16 != 0) on_host::broken("cp.async needs addresses of 16 bytes");
  on_host::Block::current().start_copy(reinterpret_cast<void*>(to), wanted ? from : nullptr);
}
inline void wait_for_copies() { on_host::Block::current().finish_copies(); }

inline float power_of_two(float x) { return exp2f(x); }

inline unsigned pair_of(float first, float second) {
  return static_cast<unsigned>(bf16(first).bits) | static_cast<unsigned>(bf16(second).bits) << 16;
}

}}}  // namespace vitral::cuda
