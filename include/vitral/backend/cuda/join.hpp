// Joins partial sums in one order, many columns and parts at the same time.
#pragma once

#include <vitral/backend/cuda/launch.hpp>
#include <vitral/core/bf16.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda::detail {

/// Where joined parts go; null: nowhere.
template <class T>
struct Joined {
  T* to = nullptr;
  bool add = false;
};

/// to = (to +) scale * the sum of each column of partial [parts, count]: each threadIdx.y sums some of the parts, and
/// these sums are added in order. Row 1 of the grid serves `second`, whose parts follow the first one's.
template <class C, class T>
__global__ void join_parts(const C* partial, int parts, long count, double scale, Joined<T> first, Joined<T> second) {
  __shared__ C sums[32][block_threads / 8];
  const long i = static_cast<long>(blockIdx.x) * blockDim.x + threadIdx.x;
  const Joined<T> result = blockIdx.y == 0 ? first : second;
  if (!result.to) return;
  partial += blockIdx.y * parts * count;
  C sum{};
  if (i < count)
    for (int part = static_cast<int>(threadIdx.y); part < parts; part += static_cast<int>(blockDim.y))
      sum += partial[part * count + i];
  if (blockDim.y > 1) {
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0) return;
    for (unsigned lane = 1; lane < blockDim.y; ++lane) sum += sums[lane][threadIdx.x];
  }
  if (i >= count) return;
  sum *= static_cast<C>(scale);
  if (result.add) sum += static_cast<C>(static_cast<compute_t<T>>(result.to[i]));
  result.to[i] = static_cast<compute_t<T>>(sum);
}

template <class C, class T>
void launch_join(const char* name, const C* partial, int parts, long count, double scale, Joined<T> first,
                 Joined<T> second = {}) {
  const int lanes = parts >= 64 ? 32 : parts >= 8 ? 8 : 1, across = lanes == 1 ? block_threads : 32;
  launch(name, &join_parts<C, T>, dim3(blocks_for(count, across), second.to ? 2 : 1),
         dim3(static_cast<unsigned>(across), static_cast<unsigned>(lanes)), 0, partial, parts, count, scale, first,
         second);
}

}}}  // namespace vitral::cuda::detail
