// What a training step takes from the system once two steps have shown what is needed: no memory for tensors or work
// buffers. What remains are short lists of handles; oneDNN itself makes small allocations whenever it runs.
#include "../random_tensor.hpp"

#include <vitral/models/vit.hpp>
#include <vitral/optim/optimizers.hpp>
#include <vitral/ssl/method.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

using namespace vitral_tests;

namespace {

constexpr std::size_t large = 2048;  // bytes; every buffer of the networks below is larger
std::atomic<long> large_allocations{0};

void* counted(std::size_t bytes, std::size_t align) {
  if (bytes >= large) ++large_allocations;
  void* const memory = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (!memory && bytes) throw std::bad_alloc();
  return memory;
}

}  // namespace

// These replace the whole program's; inlined, g++ would take them for a mismatched pair.
[[gnu::noinline]] void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t align) {
  return counted(bytes, static_cast<std::size_t>(align));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

/// On one thread: with several, a thread's work buffer appears when that thread first happens to get such work.
template <class T>
void check_memory(Recompute recompute) {
  const int threads = cpu::threads();
  cpu::set_threads(1);
  using Encoder = ViT<Cpu, T>;
  const auto method = self_distilled(
      MoCoV3(Encoder(ViTSize{16, 4, 64, 3, 2}, Seed{1}, {.recompute = recompute}), {.hidden = 64, .out = 32}));
  auto optimizer = make_optimizer(AdamW{}, method);
  const auto view1 = normal<float>(Shape<dyn, 3, dyn, dyn>{6, 16, 16}, 1), view2 = normal<float>(view1.shape(), 2);
  Tape tape;
  const auto step = [&] {
    tape.zero_grad();
    tape.backward(method.loss(tape, view1, view2, Training{}));
    optimizer.step(tape, method);
  };
  step();
  step();
  auto& pool = detail::Pool<Cpu>::instance();
  const std::size_t held = pool.held();
  large_allocations = 0;
  for (int i = 0; i < 3; ++i) step();
  CHECK(pool.held() == held);
  CHECK(large_allocations == 0);
  cpu::set_threads(threads);
}

}  // namespace

TEST_CASE("the count sees allocations") {
  large_allocations = 0;
  const std::vector<char> bytes(large);
  CHECK(large_allocations == 1);
}

TEST_CASE("after the second step no step allocates memory for tensors or work") {
  check_memory<float>(Recompute::nothing);
  check_memory<bf16>(Recompute::nothing);
  check_memory<float>(Recompute::block);
}
