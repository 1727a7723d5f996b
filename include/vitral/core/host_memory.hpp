// Host memory for data that go to a device, such as a loader's batches: ordinary memory, unless the device's backend
// puts another kind in its place (CUDA: page-locked, so that copies run beside the computation).
#pragma once

#include <vitral/core/error.hpp>

#include <cstddef>
#include <cstdlib>
#include <vector>

#include <unistd.h>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Memory aligned to cache lines, for std::free. Throws Error where the machine has less, before any of it is touched.
[[nodiscard]] inline void* allocate_on_host(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto pages = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES));
  void* const memory = bytes / page < pages ? std::aligned_alloc(64, (bytes + 63) / 64 * 64) : nullptr;
  check(memory != nullptr, "out of memory: ", bytes, " bytes were asked for, of a machine with ", pages * page,
        "; use a smaller batch or model");
  return memory;
}

}  // namespace detail

/// Where the host's memory comes from: a pair of functions.
struct HostMemory {
  void* (*allocate)(std::size_t bytes);  // throws where there is none
  void (*release)(void* memory);
  bool page_locked = false;
};
/// What HostVector uses. Set it before the first loader is made: memory is released by the function that stands here
/// then, which has to fit the one that allocated it.
inline HostMemory host_memory{&detail::allocate_on_host, [](void* memory) { std::free(memory); }};

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

}}  // namespace vitral
