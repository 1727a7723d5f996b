// Memory of the host for data on their way to a device, such as the loader's batches: ordinary memory, or what the
// device's backend puts in its place (CUDA: page-locked, so that copies run beside the computation).
#pragma once

#include <vitral/core/config.hpp>

#include <cstddef>
#include <new>
#include <vector>

namespace vitral::inline VITRAL_ABI {

struct HostMemory {
  void* (*allocate)(std::size_t bytes);  // throws where there is none
  void (*release)(void* memory);
  bool page_locked = false;
};
/// Set before the first loader is made: what one pair of functions has allocated is released by the same pair.
inline HostMemory host_memory{[](std::size_t bytes) { return ::operator new(bytes); },
                              [](void* memory) { ::operator delete(memory); }};

namespace detail {

template <class T>
struct HostAllocator {
  using value_type = T;
  HostAllocator() = default;
  template <class U>
  HostAllocator(const HostAllocator<U>&) {}  // NOLINT: as allocators convert
  T* allocate(std::size_t count) { return static_cast<T*>(host_memory.allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) { host_memory.release(memory); }
  friend bool operator==(const HostAllocator&, const HostAllocator&) { return true; }
};

}  // namespace detail

/// A vector in this memory.
template <class T>
using HostVector = std::vector<T, detail::HostAllocator<T>>;

}  // namespace vitral::inline VITRAL_ABI
