// Buffer: reference-counted memory. A backend's pool keeps what is released, by size class, so that from the second
// training step on nothing is allocated: each step asks for the sizes of the step before.
#pragma once

#include <vitral/core/config.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace vitral::inline VITRAL_ABI {

namespace detail {

struct Block {
  std::atomic<long> references{0};
  void* data = nullptr;
  std::size_t size_class = 0;
  void (*release)(Block*) = nullptr;
};

/// Four size classes per power of two, from 256 bytes on: at most a quarter of a block is unused.
constexpr std::size_t size_class_of(std::size_t bytes) {
  if (bytes <= 256) return 0;
  const auto log = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
  return (log - 8) * 4 + ((bytes - 1) >> (log - 2)) - 3;
}
constexpr std::size_t size_of_class(std::size_t size_class) {
  return size_class == 0 ? 256 : (4 + (size_class - 1) % 4 + 1) << ((size_class - 1) / 4 + 6);
}

/// Never destroyed: tensors of static storage duration may outlive any other static object.
template <class B>
class Pool {
 public:
  static Pool& instance() {
    static Pool& pool = *new Pool;
    return pool;
  }

  Block* acquire(std::size_t bytes) {
    const std::size_t size_class = size_class_of(bytes);
    {
      const std::lock_guard lock(mutex_);
      auto& idle = idle_[size_class];
      if (!idle.empty()) {
        Block* block = idle.back();
        idle.pop_back();
        return block;
      }
    }
    void* const data = B::allocate(size_of_class(size_class));
    auto* block = new Block;
    block->data = data;
    block->size_class = size_class;
    block->release = [](Block* b) { instance().put_back(b); };
    const std::lock_guard lock(mutex_);
    held_ += size_of_class(size_class);
    return block;
  }

  /// Bytes taken from the backend, in use or idle.
  std::size_t held() {
    const std::lock_guard lock(mutex_);
    return held_;
  }

  /// Gives all idle memory back to the backend.
  void trim() {
    const std::lock_guard lock(mutex_);
    for (auto& idle : idle_) {
      for (Block* block : idle) {
        held_ -= size_of_class(block->size_class);
        B::deallocate(block->data);
        delete block;
      }
      idle.clear();
    }
  }

 private:
  void put_back(Block* block) {
    const std::lock_guard lock(mutex_);
    idle_[block->size_class].push_back(block);
  }

  std::mutex mutex_;
  std::array<std::vector<Block*>, 160> idle_;
  std::size_t held_ = 0;
};

}  // namespace detail

/// A handle to memory of a backend: copying it shares the memory, the last handle gives it back to the pool.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer& other) : block_(other.block_) {
    if (block_) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Buffer(Buffer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Buffer() {
    if (block_ && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) block_->release(block_);
  }

  template <class B>
  [[nodiscard]] static Buffer of(std::size_t bytes) {
    Buffer buffer;
    buffer.block_ = detail::Pool<B>::instance().acquire(bytes);
    buffer.block_->references.store(1, std::memory_order_relaxed);
    return buffer;
  }

  [[nodiscard]] void* data() const { return block_ ? block_->data : nullptr; }
  explicit operator bool() const { return block_ != nullptr; }
  /// Whether there are other handles to this memory.
  [[nodiscard]] bool shared() const { return block_ && block_->references.load(std::memory_order_acquire) > 1; }

 private:
  detail::Block* block_ = nullptr;
};

}  // namespace vitral::inline VITRAL_ABI
