// Cases of memory, steps and lanes.
#pragma once

#include "reference.hpp"

#include <vitral/core/host_memory.hpp>
#include <vitral/core/lanes.hpp>
#include <vitral/tensor/evaluate.hpp>

#include <cstdint>

namespace conformance {

TEST_CASE_TEMPLATE_DEFINE("a backend fills and copies aligned memory, part of a tensor too", X, copies_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  void* const memory = B::allocate(100);
  CHECK(reinterpret_cast<std::uintptr_t>(memory) % 64 == 0);
  B::deallocate(memory);
  const auto a = put<B, T>(Numbers(9, 1)), b = put<B, T>({1, 2, 3, 4, 5});
  B::fill(a.data() + 6, 2, static_cast<T>(compute_t<T>(7)));
  B::copy(b.data() + 1, a.data() + 1, 3);
  CHECK(take(a) == Numbers{1, 2, 3, 4, 1, 1, 7, 7, 1});
}

TEST_CASE_TEMPLATE_DEFINE("a backend's steps are done once they were waited for, with the copies queued in them", X,
                          steps_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  HostVector<T> from(40), to(40);
  const auto x = put<B, T>(Numbers(40)), sum = put<B, T>(Numbers(40));
  typename B::Steps steps;
  for (int step = 1; step <= 4; ++step) {  // from the third on a device repeats what it has seen
    for (T& value : from) value = static_cast<T>(compute_t<T>(step));
    const long run = steps.run(0, [&] {
      B::queue_copy_from_host(from.data(), x.data(), 40);
      assign(sum, sum + x * 2);
      B::queue_copy_to_host(sum.data(), to.data(), 40);
    });
    steps.wait(run);
    CAPTURE(step);
    for (const T& value : to) CHECK(static_cast<double>(value) == step * (step + 1));
  }
}

TEST_CASE_TEMPLATE_DEFINE("work in a backend's lanes, where it has them, is done when they have joined", X, lanes_) {
  using B = typename X::Backend_;
  using T = typename X::Scalar;
  const auto x = put<B, T>(Numbers(700, 1));
  std::vector<Memory<B, T>> parts(7);
  in_lanes<B>(parts.size(), [&](std::size_t i) { parts[i] = eval(x * static_cast<double>(i)); });
  for (std::size_t i = 0; i < parts.size(); ++i) assign(x, x + parts[i]);
  CHECK(take(x) == Numbers(700, 22));
}

}  // namespace conformance
