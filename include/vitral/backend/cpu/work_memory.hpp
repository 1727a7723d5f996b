// Work memory of a kernel: grows as needed, is kept for the next use, and is uninitialised.
#pragma once

#include <vitral/core/host_memory.hpp>

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

/// A buffer aligned to cache lines that grows as needed and is kept for the next use.
class WorkMemory {
 public:
  /// Memory for `count` elements of a trivial type; what it held before is lost when it has to grow.
  template <class T>
  T* reserve(long count) {
    return static_cast<T*>(reserve_bytes(static_cast<std::size_t>(count) * sizeof(T)));
  }

  [[nodiscard]] const void* data() const { return data_.get(); }

  void* reserve_bytes(std::size_t bytes) {
    if (bytes > size_) {
      data_.reset();
      size_ = 0;
      data_.reset(static_cast<std::byte*>(vitral::detail::allocate_on_host(bytes)));
      size_ = bytes;
    }
    return data_.get();
  }

 private:
  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

}}}  // namespace vitral::cpu
