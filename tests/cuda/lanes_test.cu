// Lanes: work in them comes after the fork, in order within each and before the join; memory that several of them use
// is used again only after it; gradients arrive from all of them. Each check runs often, since the device of fibres
// takes another order each time, and the same in a graph as kernel by kernel.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/vitral.hpp>

#include <cstdio>

using namespace vitral;

namespace {

using Numbers = Tensor<float, Shape<dyn>, Cuda>;
constexpr int size = 1000;
bool all_right = true;

Numbers numbers(float value) {
  auto out = Numbers::uninitialized({size});
  Cuda::fill(out.data(), size, value);
  return out;
}
void expect(const char* what, const Numbers& got, float expected) {
  for (const float x : got.to_vector())
    if (x != expected) {
      std::printf("%s: %g instead of %g\n", what, static_cast<double>(x), static_cast<double>(expected));
      all_right = false;
      return;
    }
}
void expect(const char* what, bool holds) {
  if (!holds) std::printf("%s: no\n", what);
  all_right = all_right && holds;
}

/// `work` as it is and from a captured graph.
template <class F>
void often(F&& work) {
  for (int i = 0; i < 6; ++i) work();
  Cuda::Steps steps;
  for (int i = 0; i < 9; ++i) steps.wait(steps.run(0, work));
}

void forks_and_joins() {
  auto out = numbers(0);
  often([&] {
    auto x = numbers(1);
    for (int i = 0; i < 3; ++i) x = eval(x + 1);
    std::vector<Numbers> y;
    in_lanes<Cuda>(11, [&](std::size_t i) {
      y.push_back(eval(x * static_cast<double>(i)));
      for (int k = 0; k < 3; ++k) y.back() = eval(y.back() + 1);
    });
    auto total = numbers(0);
    for (const Numbers& part : y) assign(total, total + part);
    assign(out, total);
  });
  expect("fork and join", out, 4 * 55 + 3 * 11);
}

void keeps_shared_memory() {
  auto out = numbers(0);
  often([&] {
    std::vector<Numbers> shared{numbers(3)}, results;
    in_lanes<Cuda>(3, [&](std::size_t i) {
      if (i < 2) return results.push_back(eval(shared[0] + 1));
      shared.clear();  // the other lanes may not have read it yet
      results.push_back(eval(numbers(100) * 1));
    });
    assign(out, results[0] + results[1] + results[2]);
  });
  expect("memory that two lanes read", out, 108);

  const void *before = nullptr, *after = nullptr;
  in_lanes<Cuda>(1, [&](std::size_t) {
    before = numbers(1).data();
    after = numbers(2).data();
  });
  expect("memory is used again in its own lane", before == after);
}

void gradients_arrive() {
  const auto x = numbers(2);
  const auto from_all = numbers(0);
  often([&] {
    Tape tape;
    const auto leaf = tape.watch(x);
    const auto inner = eval(leaf * 2);
    std::vector<decltype(eval(sum(inner)))> losses;
    in_lanes<Cuda>(7, [&](std::size_t i) {
      const auto y = eval(leaf * static_cast<double>(i) + inner);
      losses.push_back(eval(sum(eval(y * y))));
    });
    auto lower = eval(losses[0] + losses[1]);
    for (std::size_t i = 2; i < losses.size(); ++i) lower = eval(lower + losses[i]);
    // A second region reads what lanes of the first have made.
    std::vector<decltype(lower)> scaled;
    in_lanes<Cuda>(3, [&](std::size_t i) { scaled.push_back(eval(losses[2 - i] * 1)); });
    tape.backward(eval(lower + scaled[0] + scaled[1] + scaled[2]));
    assign(from_all, tape.grad(x));
  });
  // The gradient of sum (i x + 2 x)^2 is 2 (i + 2)^2 x.
  expect("gradients of all lanes", from_all, 2 * 2 * (4 + 9 + 16 + 25 + 36 + 49 + 64 + 4 + 9 + 16));
}

void errors_join() {
  const auto x = numbers(1);
  const auto fails = [&] {
    std::vector<Numbers> y;
    in_lanes<Cuda>(3, [&](std::size_t i) {
      y.push_back(eval(x + 1));
      check(i < 1, "in the second lane");
    });
  };
  const auto fails_and_joins = [](const auto& f) {
    try {
      f();
    } catch (const Error&) {
      return cuda::Lanes::current() == 0;
    }
    return false;
  };
  Cuda::Steps steps;
  expect("an error leaves the lanes", fails_and_joins(fails));
  for (int i = 0; i < 4; ++i) expect("an error leaves the lanes", fails_and_joins([&] { steps.run(0, fails); }));
  for (int i = 0; i < 4; ++i) steps.wait(steps.run(1, [&] { assign(x, numbers(7)); }));
  expect("after an error", x, 7);

  Tape tape;
  const auto loss = eval(sum(tape.watch(x) * 2));
  in_lanes<Cuda>(1, [&](std::size_t) {
    bool refused = false;
    try {
      tape.backward(loss);
    } catch (const Error&) {
      refused = true;
    }
    expect("backward in a lane is refused", refused);
  });
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  forks_and_joins();
  keeps_shared_memory();
  gradients_arrive();
  errors_join();
  std::puts(all_right ? "lanes: right" : "lanes: WRONG");
  return all_right ? 0 : 1;
}
