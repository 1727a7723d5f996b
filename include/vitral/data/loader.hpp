// Shuffled batches of two views, prepared ahead by worker threads. What a batch holds is a pure function of the seed,
// the epoch and its number: never of the number of workers, their timing, or where an interrupted run resumed.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/core/philox.hpp>
#include <vitral/data/augment.hpp>
#include <vitral/data/dataset.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace vitral::inline VITRAL_ABI {

/// Streams of `Random` that loading draws from; the epoch is added to them, so that each owns 2^24 of them.
inline constexpr std::uint64_t stream_shuffle = 0x11000000;
inline constexpr std::uint64_t stream_first_view = 0x12000000;
inline constexpr std::uint64_t stream_second_view = 0x13000000;

struct LoaderOptions {
  int batch = 256;
  std::uint64_t seed = 0;
  int workers = 2;        ///< 0 prepares each batch inside next()
  bool drop_last = true;  ///< leave out the pictures that do not fill a batch
};

/// `view1` and `view2` are [size, 3, extent, extent]; the buffers go back and forth between loader and caller.
struct Batch {
  long epoch = 0;
  long index = 0;  ///< 0 ... batches() - 1
  std::vector<float> view1;
  std::vector<float> view2;
  std::vector<int> labels;
  int size = 0;  ///< pictures; less than asked for only in the last batch without drop_last
};

/// The order in which an epoch visits `count` pictures (the shuffle of Fisher and Yates).
[[nodiscard]] inline std::vector<std::uint32_t> shuffled(long count, std::uint64_t seed, long epoch) {
  const Random random{seed, stream_shuffle + static_cast<std::uint64_t>(epoch), 0};
  std::vector<std::uint32_t> order(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[random.below(i, static_cast<std::uint32_t>(i))]);
  return order;
}

namespace detail {

/// What the workers share with the caller. Batch k of the epoch is prepared in slot k modulo the number of slots, so
/// at most workers + 2 batches exist at a time.
class LoaderState {
 public:
  LoaderState(Dataset data, TwoViews views, LoaderOptions options)
      : data_(std::move(data)), views_(views), options_(options), size_(data_.size()) {
    check(options.batch > 0, "a batch of ", options.batch, " images; use --batch with at least 1");
    check(options.batch <= size_, "a batch of ", options.batch, " images is larger than ", data_.name(), ", which has ",
          size_, "; use --batch with at most ", size_);
    check(options.workers >= 0, options.workers, " loader workers; expected 0 or more");
    check(size_ <= long{UINT32_MAX}, data_.name(), ": ", size_, " images, expected at most 2^32 - 1");
    views_ = two_views(views_.first, views_.second);  // checks them
    slots_.resize(static_cast<std::size_t>(options.workers) + 2);
    taken_ = claimed_ = batches();  // nothing to take before start()
  }
  LoaderState(const LoaderState&) = delete;
  LoaderState& operator=(const LoaderState&) = delete;
  ~LoaderState() { stop(); }

  long batches() const { return options_.drop_last ? size_ / options_.batch : (size_ - 1) / options_.batch + 1; }

  void start(long epoch, long first) {
    stop();
    check(epoch >= 0 && epoch < 1l << 24, "epoch ", epoch, "; expected 0 to ", (1l << 24) - 1);
    check(first >= 0 && first <= batches(), "batch ", first, " of an epoch that has ", batches());
    order_ = shuffled(size_, options_.seed, epoch);
    epoch_ = epoch;
    claimed_ = taken_ = first;
    stopping_ = false;
    for (Slot& slot : slots_) slot.done = false;
    for (int i = 0; i < options_.workers; ++i) threads_.emplace_back([this] { work(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    claimed_ = taken_ = batches();  // next() says "end" until the next start
  }

  bool next(Batch& batch) {
    if (taken_ == batches()) return false;
    const auto begin = std::chrono::steady_clock::now();
    Slot& slot = slot_of(taken_);
    if (options_.workers == 0) {
      prepare(taken_, slot);
    } else {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [&] { return slot.done; });
    }
    waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (slot.error) std::rethrow_exception(slot.error);  // and again, should next() be called again
    std::swap(batch, slot.batch);
    {
      const std::lock_guard lock(mutex_);
      slot.done = false;
      ++taken_;
    }
    room_.notify_all();
    return true;
  }

  double wait_seconds() const { return waited_; }
  const Dataset& dataset() const { return data_; }
  const TwoViews& views() const { return views_; }
  const LoaderOptions& options() const { return options_; }

 private:
  struct Slot {
    Batch batch;
    bool done = false;
    std::exception_ptr error;
  };

  Slot& slot_of(long batch) { return slots_[static_cast<std::size_t>(batch) % slots_.size()]; }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      room_.wait(lock, [&] {
        return stopping_ || claimed_ == batches() || claimed_ < taken_ + static_cast<long>(slots_.size());
      });
      if (stopping_ || claimed_ == batches()) return;
      const long index = claimed_++;
      Slot& slot = slot_of(index);
      lock.unlock();
      prepare(index, slot);
      lock.lock();
      slot.done = true;
      ready_.notify_one();
    }
  }

  void prepare(long index, Slot& slot) noexcept {
    slot.error = nullptr;
    try {
      fill(index, slot.batch);
    } catch (...) {
      slot.error = std::current_exception();
    }
  }

  void fill(long index, Batch& batch) {
    const long first = index * options_.batch;
    const auto count = static_cast<std::size_t>(std::min<long>(options_.batch, size_ - first));
    const auto extent = static_cast<std::size_t>(views_.first.size);
    const std::size_t pixels = 3 * extent * extent;
    batch.epoch = epoch_;
    batch.index = index;
    batch.size = static_cast<int>(count);
    batch.view1.resize(count * pixels);
    batch.view2.resize(count * pixels);
    batch.labels.resize(count);
    const auto epoch = static_cast<std::uint64_t>(epoch_);
    for (std::size_t i = 0; i < count; ++i) {
      if (abandoned()) return;
      const std::uint32_t which = order_[static_cast<std::size_t>(first) + i];
      const Image image = data_.image(which);
      views_.first(image, {options_.seed, stream_first_view + epoch, which}, batch.view1.data() + i * pixels);
      views_.second(image, {options_.seed, stream_second_view + epoch, which}, batch.view2.data() + i * pixels);
      batch.labels[i] = data_.label(which);
    }
  }

  bool abandoned() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  const Dataset data_;
  TwoViews views_;
  const LoaderOptions options_;
  const long size_;
  std::vector<std::uint32_t> order_;
  std::vector<Slot> slots_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;                      // guards stopping_, claimed_, taken_ and every slot's `done`
  std::condition_variable room_, ready_;  // "a slot is free or we stop", "a batch is done"
  bool stopping_ = false;
  long epoch_ = 0;
  long claimed_ = 0;  // the next batch that a worker takes up
  long taken_ = 0;    // the next batch that next() returns
  double waited_ = 0;
};

}  // namespace detail

/// `start(epoch)`, then `next(batch)` until it is false. Throws Error if the batch is larger than the data set.
class Loader {
 public:
  Loader(Dataset data, TwoViews views, LoaderOptions options = {})
      : state_(std::make_unique<detail::LoaderState>(std::move(data), views, options)) {}

  /// Batches in an epoch.
  [[nodiscard]] long batches() const { return state_->batches(); }

  /// Begins an epoch (0 ... 2^24 - 1) at its batch `first_batch`; what was going on is abandoned.
  void start(long epoch, long first_batch = 0) { state_->start(epoch, first_batch); }

  /// Takes the next batch, waiting for it if need be; false after the epoch's last, after stop() and before start().
  /// Throws what the data set or an augmentation threw for one of the batch's pictures.
  bool next(Batch& batch) { return state_->next(batch); }

  /// Ends the workers; the destructor does it too.
  void stop() { state_->stop(); }

  /// Seconds that next() has spent waiting, from the construction on.
  [[nodiscard]] double wait_seconds() const { return state_->wait_seconds(); }

  [[nodiscard]] const Dataset& dataset() const { return state_->dataset(); }
  [[nodiscard]] const TwoViews& views() const { return state_->views(); }
  [[nodiscard]] const LoaderOptions& options() const { return state_->options(); }

 private:
  std::unique_ptr<detail::LoaderState> state_;  // at a fixed address for the workers, so that a Loader can move
};

/// Fills `out` [count, 3, size, size] with the views of the pictures first ... first + count - 1. `view` is a
/// CenterView, or anything else that has a `size` and is called as view(image, out).
template <class View>
void load_batch(const Dataset& data, long first, int count, const View& view, float* out) {
  const auto pixels = std::ptrdiff_t{3} * view.size * view.size;
  for (int i = 0; i < count; ++i) view(data.image(first + i), out + i * pixels);
}

}  // namespace vitral::inline VITRAL_ABI
