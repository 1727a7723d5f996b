// Batches of views of shuffled images, which worker threads prepare ahead. What a batch holds depends on the seed, the
// epoch and the number of the batch alone: not on how many workers there are, their timing, or where a run was resumed.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/core/escape.hpp>
#include <vitral/data/batch.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/data/epoch.hpp>
#include <vitral/data/filling.hpp>
#include <vitral/data/order.hpp>
#include <vitral/data/views.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// How a Loader makes its batches.
struct LoaderOptions {
  int batch = 256;
  std::uint64_t seed = 0;
  int workers = 2;        ///< threads that prepare batches; 0: next() prepares each itself
  bool drop_last = true;  ///< leave out the images that do not fill a batch
  bool shuffle = true;    ///< each epoch has an order of its own; false, for evaluation: the data set's order
  int rank = 0;           ///< the number of this process among `ranks`
  int ranks = 1;          ///< processes that share each epoch: their batches k together are batch k of one process
                          ///< whose batches are `ranks` times as large
  long unreadable = 100;  ///< images that may turn out unreadable; one more is an Error
  bool replace = true;    ///< the next readable image takes their place; false, for evaluation: they are Batch::missing
  double patience = 30;   ///< seconds after which the log tells which image a late batch is waiting for
  /// Takes lines about images that were skipped or are waited for; it is called by several threads. Empty: no lines.
  std::function<void(const std::string&)> log = [](const std::string& line) {
    std::fprintf(stderr, "%s\n", escape_text(line).c_str());
  };
};

/// For evaluation: all images of a data set once, in its order, but those that cannot be read.
[[nodiscard]] inline LoaderOptions in_order(const Dataset& data, int batch, int workers, std::uint64_t seed = 0) {
  return {.batch = static_cast<int>(std::min<long>(batch, data.size())),
          .seed = seed,
          .workers = workers,
          .drop_last = false,
          .shuffle = false,
          .unreadable = data.size(),
          .replace = false};
}

namespace detail {

/// Counts the images that could not be read, against LoaderOptions::unreadable.
class Unreadable {
 public:
  Unreadable(const LoaderOptions& options) : limit_(options.unreadable), log_(options.log) {}  // NOLINT

  /// Notes that reading image `which` failed with `message`; Error where it is one too many. An image counts once.
  void note(std::uint32_t which, const std::string& message) {
    const std::lock_guard lock(mutex_);
    // After the one too many nothing more is counted, so that its number stays as the Error said it.
    const bool is_new = static_cast<long>(images_.size()) <= limit_ && images_.insert(which).second;
    const long count = static_cast<long>(images_.size());
    if (count > limit_)
      throw Error(limit_ == 0 ? message
                              : join(message, " (unreadable image number ", count, "; at most ", limit_,
                                     " are skipped: repair the data, or raise LoaderOptions::unreadable)"));
    if (is_new && log_) log_(join(message, "; skipped, number ", count, " of at most ", limit_));
  }
  [[nodiscard]] long count() const {
    const std::lock_guard lock(mutex_);
    return static_cast<long>(images_.size());
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::uint32_t> images_;
  long limit_;
  std::function<void(const std::string&)> log_;
};

/// Tells which images the batches of an epoch hold: this rank's share of the data set, in the epoch's order.
class BatchPlan {
 public:
  BatchPlan(const Dataset& data, const ImageViews& views, LoaderOptions options)
      : options_(std::move(options)), all_(data.size()), size_(share()) {
    check(options_.batch > 0, "a batch of ", options_.batch, " images; LoaderOptions::batch must be 1 or more");
    check(options_.batch <= size_ || !options_.drop_last, "a batch of ", options_.batch, " images is larger than ",
          data.name(), ", which has ", size_, options_.ranks > 1 ? " for each rank" : "",
          "; LoaderOptions::batch can be at most ", size_);
    check(options_.workers >= 0, options_.workers, " loader workers; expected 0 or more");
    check(all_ <= long{UINT32_MAX}, data.name(), ": ", all_, " images, expected at most 2^32 - 1");
    check(!views.empty() && views.size() <= most_views, views.size(), " views of an image; expected 1 to ", most_views);
  }

  [[nodiscard]] const LoaderOptions& options() const { return options_; }
  [[nodiscard]] long batches() const {
    return options_.drop_last ? size_ / options_.batch : (size_ + options_.batch - 1) / options_.batch;
  }
  /// How many images batch `index` has; its first one is number index * options().batch of the order.
  [[nodiscard]] int size_of(long index) const {
    return static_cast<int>(std::min<long>(options_.batch, size_ - index * options_.batch));
  }

  /// Writes the order of `epoch`. Error unless there is such an epoch and it has a batch `first`.
  void start(long epoch, long first, std::vector<std::uint32_t>& order) const {
    check_start(epoch, first, batches());
    if (!options_.shuffle && !order.empty()) return;
    std::vector<std::uint32_t> all;
    if (options_.shuffle) all = shuffled(all_, options_.seed, epoch);
    order.resize(static_cast<std::size_t>(size_));
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t at = i * static_cast<std::size_t>(options_.ranks) + static_cast<std::size_t>(options_.rank);
      order[i] = options_.shuffle ? all[at] : static_cast<std::uint32_t>(at);
    }
  }

 private:
  /// How many images of an epoch are this rank's.
  long share() const {
    check(options_.ranks >= 1 && options_.rank >= 0 && options_.rank < options_.ranks, "rank ", options_.rank, " of ",
          options_.ranks, "; expected ranks from 0 to one less than their number");
    const long whole = all_ / options_.ranks, rest = all_ % options_.ranks;
    return options_.drop_last || options_.rank >= rest ? whole : whole + 1;
  }

  LoaderOptions options_;
  long all_, size_;
};

/// Image `which`; nothing, noted in `unreadable`, where it cannot be read.
inline std::optional<Image> image_or_note(const Dataset& data, long which, Unreadable& unreadable) {
  try {
    return data.image(which);
  } catch (const Error& error) {
    unreadable.note(static_cast<std::uint32_t>(which), error.what());
    return {};
  }
}

[[noreturn]] inline void fail_unreadable(const Dataset& data) {
  fail("none of the ", data.size(), " images of ", data.name(), " can be read");
}

/// Image `which`, or the next one of the data set that can be read, with its number. Calls reading(number) before it
/// tries an image.
template <class Reading>
std::pair<Image, long> readable(const Dataset& data, long which, Unreadable& unreadable, const Reading& reading) {
  for (long tried = 0; tried < data.size(); ++tried) {
    const long used = (which + tried) % data.size();
    reading(used);
    if (auto image = image_or_note(data, used, unreadable)) return {std::move(*image), used};
  }
  fail_unreadable(data);
}

/// What the workers share with the caller. They take up the epoch's images one by one, so that its first batch is there
/// as early as can be, and work on few batches at a time: batch k is prepared in slot k modulo their number.
template <class Batch>
class LoaderState {
 public:
  LoaderState(Dataset data, ImageViews views, LoaderOptions options)
      : data_(std::move(data)),
        views_(std::move(views)),
        plan_(data_, views_, std::move(options)),
        options_(plan_.options()),
        unreadable_(options_),
        slots_(static_cast<std::size_t>(3 + (2l * options_.workers + options_.batch - 1) / options_.batch)) {
    taken_ = opened_ = batches();  // before start() the epoch is at its end
  }
  LoaderState(const LoaderState&) = delete;
  LoaderState& operator=(const LoaderState&) = delete;
  ~LoaderState() { stop(); }

  long batches() const { return plan_.batches(); }

  void start(long epoch, long first) {
    stop();
    plan_.start(epoch, first, order_);
    epoch_ = epoch;
    opened_ = taken_ = first;
    stopping_ = false;
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
    taken_ = opened_ = batches();  // until the next start() the epoch is at its end
  }

  bool next(Batch& batch) {
    if (taken_ == batches()) return false;
    const auto begin = std::chrono::steady_clock::now();
    Slot& slot = slot_of(taken_);
    std::unique_lock lock(mutex_);
    if (options_.workers == 0) {
      while (taken_ == opened_ || slot.left > 0) take_up_next(lock);
    } else {
      const std::chrono::duration<double> patience(options_.patience);
      while (!ready_.wait_for(lock, patience, [&] { return taken_ < opened_ && slot.left == 0; }))
        if (options_.log) options_.log(slow(slot, patience.count()));
    }
    waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (slot.error) std::rethrow_exception(slot.error);  // each time that next() is called
    std::swap(batch, slot.filling.batch);
    ++taken_;
    lock.unlock();
    room_.notify_all();
    return true;
  }

  double wait_seconds() const { return waited_; }
  const Dataset& dataset() const { return data_; }
  const ImageViews& views() const { return views_; }
  const LoaderOptions& options() const { return options_; }
  long unreadable() const { return unreadable_.count(); }

 private:
  struct Slot {
    Filling<Batch> filling;
    int claimed = 0, left = 0;    // images that workers have taken up, and those that are not in the batch yet
    std::exception_ptr error;     // the first of the batch
    std::map<int, long> reading;  // of images that are being read: the number in the data set, by that in the batch
  };

  std::string slow(const Slot& slot, double seconds) const {
    const std::string where =
        slot.reading.empty() ? "" : join("; image ", slot.reading.begin()->second, " is being read");
    return join("waiting for a batch of ", data_.name(), " for another ", seconds, " s", where);
  }

  Slot& slot_of(long batch) { return slots_[static_cast<std::size_t>(batch) % slots_.size()]; }

  /// Whether an image of the newest batch is still to be taken up.
  bool has_images() { return opened_ > taken_ && slot_of(opened_ - 1).claimed < plan_.size_of(opened_ - 1); }
  /// Whether a batch can be begun.
  bool has_room() const { return opened_ < batches() && opened_ < taken_ + static_cast<long>(slots_.size()); }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      room_.wait(lock, [&] { return stopping_ || opened_ == batches() || has_images() || has_room(); });
      if (stopping_ || (!has_images() && !has_room())) return;
      take_up_next(lock);
    }
  }

  /// Puts the next image into its batch. The lock is held, but not meanwhile.
  void take_up_next(std::unique_lock<std::mutex>& lock) {
    if (!has_images()) open();
    const long index = opened_ - 1;
    Slot& slot = slot_of(index);
    const int i = slot.claimed++;
    const std::uint32_t which = order_[static_cast<std::size_t>(index * options_.batch + i)];
    slot.reading[i] = which;
    if (!slot.error) unlocked(lock, slot, [&] { fill(slot, i, which); });
    slot.reading.erase(i);
    if (slot.left == 1 && !slot.error) unlocked(lock, slot, [&] { slot.filling.close(); });
    if (--slot.left == 0) ready_.notify_one();
  }

  /// work() without the lock; its error becomes the slot's.
  template <class Work>
  void unlocked(std::unique_lock<std::mutex>& lock, Slot& slot, const Work& work) {
    std::exception_ptr error;
    lock.unlock();
    try {
      work();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (!slot.error) slot.error = error;
  }

  /// Begins the next batch.
  void open() {
    Slot& slot = slot_of(opened_);
    const int count = plan_.size_of(opened_);
    slot.claimed = 0;
    slot.left = count;
    slot.error = nullptr;
    slot.filling.batch.epoch = epoch_;
    slot.filling.batch.index = opened_++;
    try {
      slot.filling.make_room(count, views_);
      make_room(slot.filling.batch.labels, {count});
      slot.filling.batch.places.resize(static_cast<std::size_t>(count));
    } catch (...) {
      slot.error = std::current_exception();
    }
  }

  /// Puts image `which`, or another in its place, into the batch as its i-th.
  void fill(Slot& slot, int i, std::uint32_t which) {
    std::optional<Image> image;
    long used = which;
    if (options_.replace) {
      std::tie(image, used) = readable(data_, used, unreadable_, [&](long number) {
        if (number == which) return;
        const std::lock_guard lock(mutex_);
        slot.reading[i] = number;
      });
    } else {
      image = image_or_note(data_, used, unreadable_);
    }
    const auto random_of = [&](std::size_t k) {
      return Random{options_.seed, stream_view(k) + static_cast<std::uint64_t>(epoch_), which};
    };
    slot.filling.put(image, i, views_, random_of);
    slot.filling.batch.labels.data()[i] = image ? data_.label(used) : -1;
    slot.filling.batch.places[static_cast<std::size_t>(i)] = used;
  }

  const Dataset data_;
  const ImageViews views_;
  const BatchPlan plan_;
  const LoaderOptions& options_;  // the plan's
  Unreadable unreadable_;
  std::vector<std::uint32_t> order_;
  std::vector<Slot> slots_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;                      // guards stopping_, opened_, taken_ and the slots but for their batches
  std::condition_variable room_, ready_;  // "an image can be taken up, or we stop", "a batch is done"
  bool stopping_ = false;
  long epoch_ = 0;
  long opened_ = 0;  // the next batch to begin
  long taken_ = 0;   // the next batch that next() returns
  double waited_ = 0;
};

}  // namespace detail

/// Image `which` of a data set or, as a Loader has it, where that cannot be read the next one that can.
[[nodiscard]] inline Image readable_image(const Dataset& data, long which) {
  LoaderOptions quiet;
  quiet.log = nullptr;
  detail::Unreadable unreadable(quiet);
  return detail::readable(data, which, unreadable, [](long) {}).first;
}

/// A source of batches of views. Error where a batch is larger than the data set. An image that its data set cannot
/// read (it throws Error) is logged, and replaced or left out as LoaderOptions::replace says; more than
/// LoaderOptions::unreadable of them are an Error.
///
///   Loader loader(Cifar10("data"), two_views(moco_v3_augmentation(32)), {.batch = 128});
///   for (const Batch& batch : loader.epoch(0)) learn(batch.views[0], batch.labels);
class Loader {
 public:
  using batch_type = Batch;

  Loader(Dataset data, ImageViews views, LoaderOptions options = {})
      : state_(std::make_unique<detail::LoaderState<Batch>>(std::move(data), std::move(views), std::move(options))) {}

  /// Batches in an epoch.
  [[nodiscard]] long batches() const { return state_->batches(); }

  /// Begins an epoch (0 ... 2^24 - 1) at its batch `first_batch`; an epoch that is under way is given up.
  void start(long epoch, long first_batch = 0) { state_->start(epoch, first_batch); }

  /// Takes the next batch, waiting for it if need be; false after the epoch's last, after stop() and before start().
  /// Error where an image too many is unreadable; whatever else a data set threw for an image of the batch, next
  /// throws.
  bool next(Batch& batch) { return state_->next(batch); }

  /// An epoch as a range: for (const auto& batch : loader.epoch(3)) ...
  [[nodiscard]] Epoch<Loader> epoch(long number, long first_batch = 0) { return {*this, number, first_batch}; }

  /// Ends the epoch and its workers. The destructor does so, too.
  void stop() { state_->stop(); }

  /// Seconds that next() has spent waiting, from the construction on.
  [[nodiscard]] double wait_seconds() const { return state_->wait_seconds(); }

  [[nodiscard]] const Dataset& dataset() const { return state_->dataset(); }
  [[nodiscard]] const ImageViews& views() const { return state_->views(); }
  [[nodiscard]] const LoaderOptions& options() const { return state_->options(); }
  /// How many images could not be read so far.
  [[nodiscard]] long unreadable() const { return state_->unreadable(); }

 private:
  std::unique_ptr<detail::LoaderState<Batch>> state_;  // the workers need a fixed address, and a Loader can be moved
};

}}  // namespace vitral
