// Buffer: reference-counted memory. A backend's pool keeps what is released, by size class, so that from the second
// training step on nothing is allocated: each step asks for the sizes of the step before.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/core/host_memory.hpp>
#include <vitral/core/lanes.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#if defined(VITRAL_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

struct Block {
  std::atomic<long> references{0};
  void* data = nullptr;
  std::size_t size_class = 0;
  LanePlace place;        // where it was taken from the pool
  Block* next = nullptr;  // in the list of idle blocks: releasing one allocates nothing
  std::atomic<unsigned> version{0};
  std::atomic<bool> trained{false};
  void (*release)(Block*) = nullptr;
};

/// Size classes: four for each power of two from 256 bytes to a mebibyte (at most a fifth of a block stays unused), and
/// 32 beyond (at most 3 %), as large activations make up most of a step's memory.
inline constexpr std::size_t small_classes = 48;
constexpr std::size_t size_class_of(std::size_t bytes) {
  if (bytes <= 256) return 0;
  const auto log = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
  if (log < 20) return (log - 8) * 4 + ((bytes - 1) >> (log - 2)) - 3;
  return small_classes + (log - 20) * 32 + ((bytes - 1) >> (log - 5)) - 31;
}
constexpr std::size_t size_of_class(std::size_t size_class) {
  if (size_class == 0) return 256;
  if (size_class <= small_classes) return (4 + (size_class - 1) % 4 + 1) << ((size_class - 1) / 4 + 6);
  const std::size_t beyond = size_class - small_classes - 1;
  return (32 + beyond % 32 + 1) << (beyond / 32 + 15);
}

/// A list of idle blocks: the last that was released is handed out first.
class IdleBlocks {
 public:
  void push(Block* block) { block->next = std::exchange(first_, block); }
  /// The first block of this size class, or null.
  Block* pop(std::size_t size_class) {
    for (Block** at = &first_; *at; at = &(*at)->next)
      if ((*at)->size_class == size_class) return std::exchange(*at, (*at)->next);
    return nullptr;
  }
  Block* pop() { return first_ ? std::exchange(first_, first_->next) : nullptr; }

 private:
  Block* first_ = nullptr;
};

/// Tells AddressSanitizer that only the first `used` bytes of a block on the host may be touched.
template <class B>
void watch_bytes([[maybe_unused]] const Block& block, [[maybe_unused]] std::size_t used) {
#if defined(VITRAL_ASAN)
  if constexpr (requires { requires B::on_host; }) {
    __asan_unpoison_memory_region(block.data, used);
    __asan_poison_memory_region(static_cast<char*>(block.data) + used, size_of_class(block.size_class) - used);
  }
#endif
}

/// A backend's pool of memory. It is never destroyed, as tensors of static storage duration may outlive other statics.
/// A block that was taken and released in the same lane (core/lanes.hpp) serves that lane again at once. Any other
/// block that is released in a lane may still be read by work queued in another one: it waits until the lanes have
/// joined.
template <class B>
class Pool {
 public:
  static Pool& instance() {
    static Pool& pool = *new Pool;
    return pool;
  }

  /// Throws Error where the backend has no such memory.
  Block* acquire(std::size_t bytes) {
    const std::size_t size_class = size_class_of(bytes);
    check(size_class < classes, "out of memory: ", bytes,
          " bytes were asked for, more than any machine has; use a "
          "smaller batch or model");
    Block* block = idle_block(size_class);
    if (!block) {
      auto made = std::make_unique<Block>();
      made->data = B::allocate(size_of_class(size_class));
      made->size_class = size_class;
      made->release = [](Block* b) { instance().put_back(b); };
      block = made.release();
      const std::lock_guard lock(mutex_);
      held_ += size_of_class(size_class);
    }
    block->place = lane_place<B>();
    watch_bytes<B>(*block, bytes);
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
    collect();
    for (auto& idle : idle_)
      while (Block* const block = idle.pop()) {
        held_ -= size_of_class(block->size_class);
        watch_bytes<B>(*block, size_of_class(block->size_class));
        B::deallocate(block->data);
        delete block;
      }
  }

 private:
  static constexpr std::size_t classes = small_classes + 1 + 28 * 32;

  void put_back(Block* block) {
    watch_bytes<B>(*block, 0);
    const std::lock_guard lock(mutex_);
    collect();
    const LanePlace here = lane_place<B>();
    if (here.lane == 0)
      idle_[block->size_class].push(block);
    else
      apart_[block->place == here ? static_cast<std::size_t>(here.lane) : 0].push(block);
  }

  Block* idle_block(std::size_t size_class) {
    const std::lock_guard lock(mutex_);
    collect();
    if (const LanePlace here = lane_place<B>(); here.lane != 0)
      if (Block* const own = apart_[static_cast<std::size_t>(here.lane)].pop(size_class)) return own;
    return idle_[size_class].pop();
  }

  /// What was released in lanes is free for all once they have joined.
  void collect() {
    const LanePlace here = lane_place<B>();
    if (here.region == region_) return;
    region_ = here.region;
    for (auto& list : apart_)
      while (Block* const block = list.pop()) idle_[block->size_class].push(block);
  }

  std::mutex mutex_;
  std::array<IdleBlocks, classes> idle_;             // by size class
  std::array<IdleBlocks, lane_count<B> + 1> apart_;  // released in lanes; those of [0] wait for the join
  long region_ = 0;
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
    buffer.block_->trained.store(false, std::memory_order_relaxed);
    return buffer;
  }

  /// Memory of the host, in no pool, that a device can copy from while the host goes on (core/host_memory.hpp).
  [[nodiscard]] static Buffer of_host(std::size_t bytes) {
    struct HostBlock : detail::Block {
      void (*give_back)(void*) = host_memory.release;  // of the pair that allocates it
    };
    auto made = std::make_unique<HostBlock>();
    made->data = host_memory.allocate(bytes > 0 ? bytes : 1);
    made->release = [](detail::Block* block) {
      const std::unique_ptr<HostBlock> last(static_cast<HostBlock*>(block));
      last->give_back(last->data);
    };
    made->references.store(1, std::memory_order_relaxed);
    Buffer buffer;
    buffer.block_ = made.release();
    return buffer;
  }

  [[nodiscard]] void* data() const { return block_ ? block_->data : nullptr; }
  explicit operator bool() const { return block_ != nullptr; }
  /// Whether there are other handles to this memory.
  [[nodiscard]] bool shared() const { return block_ && block_->references.load(std::memory_order_acquire) > 1; }

  /// How often the elements were changed in place (by assign and its like): this tells a tape that a tensor that it has
  /// saved is no longer what it was.
  [[nodiscard]] unsigned version() const { return block_ ? block_->version.load(std::memory_order_relaxed) : 0; }
  void count_change() const {
    if (block_) block_->version.store(version() + 1, std::memory_order_relaxed);
  }
  /// Whether an optimiser trains these elements, or did.
  [[nodiscard]] bool trained() const { return block_ && block_->trained.load(std::memory_order_relaxed); }
  void mark_trained() const {
    if (block_) block_->trained.store(true, std::memory_order_relaxed);
  }

 private:
  detail::Block* block_ = nullptr;
};

}}  // namespace vitral
