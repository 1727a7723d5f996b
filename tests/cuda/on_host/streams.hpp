// Streams, events and captures of the device of fibres. Nothing runs before the host waits for it, and then in an order
// that keeps to what streams and events demand and differs from the host's in all else: a program that lacks a wait, or
// uses memory again too early, gives wrong numbers rather than lucky ones.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace on_host {

using Work = std::function<void()>;

/// What a stream does in turn: some work, reach a mark, or wait until another stream has reached one.
enum class Kind { kernel, copy, clearing, reaches, waits };
struct Operation {
  Kind kind;
  Work work;
  long mark = 0;
};
using Queue = std::deque<Operation>;
using Queues = std::vector<Queue>;

inline bool all_empty(const std::vector<Queue*>& queues) {
  for (const Queue* queue : queues)
    if (!queue->empty()) return false;
  return true;
}

/// Runs queues until `done`. From call to call the choice among those that may go on is another: the first queue
/// whenever it can, so that the others run as late as possible; the last one; or any.
template <class F>
void run(const std::vector<Queue*>& queues, std::set<long>& reached, F&& done) {
  static unsigned calls = 0, random = 1;
  const unsigned choice = calls++ % 3;
  while (!done()) {
    std::vector<Queue*> ready;
    for (Queue* queue : queues)
      if (!queue->empty() && (queue->front().kind != Kind::waits || reached.contains(queue->front().mark)))
        ready.push_back(queue);
    if (ready.empty()) std::fputs("streams: what is waited for was never queued\n", stderr), std::abort();
    random = random * 1664525u + 1013904223u;
    Queue& queue = *(choice == 0 ? ready.front() : choice == 1 ? ready.back() : ready[(random >> 16) % ready.size()]);
    const Operation operation = std::move(queue.front());
    queue.pop_front();
    if (operation.kind == Kind::reaches) reached.insert(operation.mark);
    if (operation.work) operation.work();
  }
}

struct Capture;
struct Stream {
  Queue queue;
  std::shared_ptr<Capture> capture;
  std::size_t place = 0;  // among the capture's streams
};
struct Event {
  long mark = 0;  // 0: never recorded
  std::shared_ptr<Capture> capture;
  std::shared_ptr<float> ms;  // what the clock showed when it was reached
};
/// What the device's clock shows; it stands still but for what says that it takes time.
inline float& clock_ms() {
  static float ms = 0;
  return ms;
}
struct Graph {
  std::shared_ptr<const Queues> queues;
};

/// What streams are given while one of them is captured: the first, and those that wait for its events.
struct Capture : std::enable_shared_from_this<Capture> {
  std::vector<Stream*> streams;
  Queues queues;
  bool active = true;

  void add(Stream* stream) {
    stream->capture = shared_from_this();
    stream->place = streams.size();
    streams.push_back(stream);
    queues.emplace_back();
  }
  void end() {
    active = false;
    for (Stream* stream : streams) stream->capture = nullptr;
  }
  /// Whether the end of the first stream comes after all work of the others.
  [[nodiscard]] bool is_joined() const {
    std::set<long> awaited;
    std::vector<std::size_t> before(queues.size(), 0);  // operations that are known to come before the end
    before[0] = queues[0].size();
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t q = 0; q < queues.size(); ++q) {
        for (std::size_t i = 0; i < queues[q].size(); ++i) {
          const Operation& operation = queues[q][i];
          if (i < before[q] && operation.kind == Kind::waits) changed |= awaited.insert(operation.mark).second;
          if (i >= before[q] && operation.kind == Kind::reaches && awaited.contains(operation.mark))
            before[q] = i + 1, changed = true;
        }
      }
    }
    for (std::size_t q = 0; q < queues.size(); ++q)
      if (before[q] < queues[q].size()) return false;
    return true;
  }
};

class Device {
 public:
  static Device& instance() {
    static Device& device = *new Device;
    return device;
  }
  Stream* new_stream() {
    streams_.emplace_back();
    queues_.push_back(&streams_.back().queue);
    return &streams_.back();
  }
  template <class F>
  void run(F&& done) {
    on_host::run(queues_, reached_, done);
  }
  void run_all() {
    run([this] { return all_empty(queues_); });
  }
  [[nodiscard]] bool captures() const {
    for (const Stream& stream : streams_)
      if (stream.capture) return true;
    return false;
  }
  [[nodiscard]] bool has_reached(long mark) const { return reached_.contains(mark); }
  /// Whether this is the thread that asked for the device first.
  [[nodiscard]] bool is_of_this_thread() const { return std::this_thread::get_id() == thread_; }
  long new_mark() { return ++marks_; }

 private:
  std::deque<Stream> streams_;
  std::vector<Queue*> queues_;
  std::set<long> reached_;
  long marks_ = 0;
  std::thread::id thread_ = std::this_thread::get_id();
};

inline void queue(Stream* stream, Operation operation) {
  (stream->capture ? stream->capture->queues[stream->place] : stream->queue).push_back(std::move(operation));
}
inline void queue(Stream* stream, Kind kind, Work work) { queue(stream, Operation{kind, std::move(work), 0}); }

/// The event that says when a stream has come as far as it is queued now.
inline Event mark(Stream* stream) {
  Event event{Device::instance().new_mark(), stream->capture, std::make_shared<float>(0.0f)};
  queue(stream, Operation{Kind::reaches, [ms = event.ms] { *ms = clock_ms(); }, event.mark});
  return event;
}

}  // namespace on_host
