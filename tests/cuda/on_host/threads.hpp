// A CUDA device for machines without one: the threads of a block are fibres of one host thread, which change places at
// barriers and warp exchanges alone, so that kernels run as they are, statement by statement. Between barriers the
// order of the threads changes from turn to turn: a kernel that lacks a barrier gives wrong numbers rather than lucky
// ones. Blocks run one after another.
#pragma once

#include <math.h>  // float functions in the global namespace, as CUDA has them
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include <ucontext.h>

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

namespace on_host {

[[noreturn]] inline void broken(const char* what) {
  std::fprintf(stderr, "kernel: %s (block %u %u %u, thread %u %u)\n", what, blockIdx.x, blockIdx.y, blockIdx.z,
               threadIdx.x, threadIdx.y);
  std::abort();
}

class Block {
 public:
  static Block& current() {
    static Block& block = *new Block;
    return block;
  }

  /// Runs `body` once for each thread of a block of the size `shape`.
  template <class F>
  void run(dim3 shape, F& body) {
    body_ = &body;
    call_ = [](void* f) { (*static_cast<F*>(f))(); };
    count_ = static_cast<int>(shape.x * shape.y * shape.z);
    shape_ = shape;
    if (count_ > 1024) broken("a block has more than 1024 threads");
    threads_.assign(static_cast<std::size_t>(count_), Thread{});
    warps_.assign(static_cast<std::size_t>((count_ + 31) / 32), Warp{});
    while (turn()) {
    }
  }

  void block_barrier() { wait(State::at_block); }

  /// Every lane gives `value` and gets that of the lane `from`.
  template <class T>
  T exchange(T value, int from) {
    T result;
    std::memcpy(static_cast<void*>(&result), give(value)[from % 32], sizeof result);
    return result;
  }
  /// Every lane gives `value` and gets those of all.
  template <class T>
  void exchange_all(const T& value, T (&all)[32]) {
    const auto& slots = give(value);
    for (int lane = 0; lane < 32; ++lane) std::memcpy(static_cast<void*>(all + lane), slots[lane], sizeof value);
  }
  void warp_barrier() { wait(State::at_warp); }

  /// 16 bytes that the running thread will have copied when it has waited; zeros where there is no source.
  void start_copy(void* to, const void* from) { threads_[at(running_)].copies.push_back({to, from}); }
  void finish_copies() {
    for (const Copy& copy : threads_[at(running_)].copies)
      copy.from ? std::memcpy(copy.to, copy.from, 16) : std::memset(copy.to, 0, 16);
    threads_[at(running_)].copies.clear();
  }
  [[nodiscard]] int lane() const { return running_ % 32; }

 private:
  enum class State { fresh, ready, at_block, at_warp, done };
  struct Fibre {
    ucontext_t context;
    std::jmp_buf place;
    std::unique_ptr<char[]> stack;
    bool started = false;
  };
  struct Copy {
    void* to;
    const void* from;
  };
  struct Thread {
    State state = State::fresh;
    Fibre* fibre = nullptr;
    unsigned exchanges = 0;
    std::vector<Copy> copies;
  };
  struct Warp {
    char slot[2][32][64];  // of this exchange and the one before, which may still be read
  };
  static constexpr std::size_t stack_size = 64 << 10;

  template <class T>
  auto& give(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 64);
    Thread& self = threads_[at(running_)];
    auto& slots = warps_[at(running_ / 32)].slot[self.exchanges++ % 2];
    std::memcpy(slots[running_ % 32], &value, sizeof value);
    wait(State::at_warp);
    return slots;
  }

  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  /// Lets every warp run until all of its threads are done or at the block's barrier, and opens that when all are
  /// there. False when all threads are done.
  bool turn() {
    int done = 0;
    const bool backwards = backwards_;  // each warp's turns change it
    const int warps = static_cast<int>(warps_.size());
    for (int i = 0; i < warps; ++i) done += run_warp(backwards ? warps - 1 - i : i);
    for (Thread& thread : threads_)
      if (thread.state == State::at_block) thread.state = State::ready;
    return done < count_;
  }

  /// The threads of the warp that are done.
  int run_warp(int warp) {
    const int first = 32 * warp, lanes = count_ - first < 32 ? count_ - first : 32;
    for (;;) {
      int done = 0, here = 0;
      backwards_ = !backwards_;
      for (int i = 0; i < lanes; ++i) {
        const int t = first + (backwards_ ? lanes - 1 - i : i);
        Thread& thread = threads_[at(t)];
        if (thread.state == State::fresh || thread.state == State::ready) resume(t);
        here += thread.state == State::at_warp;
        done += thread.state == State::done;
      }
      if (here == 0) return done;
      if (here + done < lanes) broken("some lanes of a warp wait for others that are at the block's barrier");
      for (int i = 0; i < lanes; ++i)
        if (threads_[at(first + i)].state == State::at_warp) threads_[at(first + i)].state = State::ready;
    }
  }

  void resume(int t) {
    running_ = t;
    const auto n = static_cast<unsigned>(t);
    threadIdx = {n % shape_.x, n / shape_.x % shape_.y, n / shape_.x / shape_.y};
    Thread& thread = threads_[at(t)];
    thread.state = State::ready;
    if (!thread.fibre) {
      if (idle_.empty()) idle_.push_back(make_fibre());
      thread.fibre = idle_.back();
      idle_.pop_back();
    }
    change(main_, *thread.fibre);
    if (thread.state != State::done) return;
    if (!thread.copies.empty()) broken("a thread ended before the copies that it had started");
    idle_.push_back(thread.fibre);
  }
  void wait(State state) {
    Thread& self = threads_[at(running_)];
    self.state = state;
    leave(*self.fibre);
  }

  // longjmp between stacks: unlike swapcontext it makes no system call.
  [[gnu::noinline]] void change(std::jmp_buf& from, Fibre& to) {
    if (_setjmp(from)) return;
    if (to.started) _longjmp(to.place, 1);
    to.started = true;
    setcontext(&to.context);
  }
  [[gnu::noinline]] void leave(Fibre& from) {
    if (!_setjmp(from.place)) _longjmp(main_, 1);
  }
  static void forever() {
    for (;;) {
      Block& block = current();
      block.call_(block.body_);
      Thread& self = block.threads_[at(block.running_)];
      self.state = State::done;
      block.leave(*self.fibre);
    }
  }
  static Fibre* make_fibre() {
    auto* fibre = new Fibre;
    fibre->stack = std::make_unique<char[]>(stack_size);
    getcontext(&fibre->context);
    fibre->context.uc_stack.ss_sp = fibre->stack.get();
    fibre->context.uc_stack.ss_size = stack_size;
    fibre->context.uc_link = nullptr;
    makecontext(&fibre->context, &Block::forever, 0);
    return fibre;
  }

  std::jmp_buf main_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<Fibre*> idle_;
  dim3 shape_;
  int count_ = 0, running_ = 0;
  bool backwards_ = false;
  void* body_ = nullptr;
  void (*call_)(void*) = nullptr;
};

}  // namespace on_host

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ thread_local

inline void __syncthreads() { on_host::Block::current().block_barrier(); }
inline void __syncwarp(unsigned = ~0u) { on_host::Block::current().warp_barrier(); }
template <class T>
T __shfl_xor_sync(unsigned, T value, int distance) {
  on_host::Block& block = on_host::Block::current();
  return block.exchange(value, block.lane() ^ distance);
}
template <class T>
T __shfl_sync(unsigned, T value, int lane) {
  return on_host::Block::current().exchange(value, lane);
}
inline int __any_sync(unsigned, int predicate) {
  int all[32], any = 0;
  on_host::Block::current().exchange_all(predicate, all);
  for (const int one : all) any |= one;
  return any != 0;
}
inline int atomicCAS(int* place, int expected, int value) {
  const int old = *place;
  if (old == expected) *place = value;
  return old;
}
inline void __threadfence_system() {}
inline float __fdividef(float a, float b) { return a / b; }
