// What CUDA C++ has no functions for: dynamic shared memory of any type, copies into it that go on while a thread
// computes (PTX ISA, cp.async), 2^x, and a warp's products of small bf16 matrices on tensor cores (mma m16n8k16,
// ldmatrix).
#pragma once

#include <vitral/core/bf16.hpp>

#include <cuda_runtime.h>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

/// The block's dynamic shared memory, as much as the launch asked for; aligned to 16 bytes.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ uint4 shared_memory[];
  return reinterpret_cast<T*>(shared_memory);
}

/// An address in shared memory, in bytes.
using SharedAddress = unsigned;
__device__ inline SharedAddress address_of(const void* shared) {
  return static_cast<SharedAddress>(__cvta_generic_to_shared(shared));
}

// Lane l holds, with g = l / 4 and t = l % 4, two neighbouring elements in each 32-bit register:
// - of A [16, 16]: rows g, g + 8, g, g + 8 at columns 2t, 2t, 2t + 8, 2t + 8 and the next;
// - of B [16, 8]: column g at rows 2t and 2t + 8 and the next;
// - of C [16, 8], as floats: row g at columns 2t, 2t + 1, then row g + 8.

/// c += a b.
__device__ inline void multiply_add(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Four matrices of 8 x 8 from shared memory: lane l names the 16 bytes of row l % 8 of matrix l / 8, and gets of each
/// matrix the elements 2t and 2t + 1 of row g.
__device__ inline void load_matrices(unsigned (&to)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row));
}
/// The same, but of each matrix the elements of column g in rows 2t and 2t + 1.
__device__ inline void load_transposed(unsigned (&to)[4], SharedAddress row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row));
}

/// Starts a copy of 16 bytes to shared memory, or writes zeros where the bytes are not `wanted`.
__device__ inline void start_copy(SharedAddress to, const bf16* from, bool wanted) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(__cvta_generic_to_global(from)),
               "r"(wanted ? 16 : 0)
               : "memory");
}
/// Waits for the copies that this thread has started; a barrier makes them visible to the others.
__device__ inline void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

/// 2^x within two units in the last place; below 2^-126 it is 0.
__device__ inline float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Two values rounded to bf16 in one register.
__device__ inline unsigned pair_of(float first, float second) {
  unsigned both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
  return both;
}

}}}  // namespace vitral::cuda
