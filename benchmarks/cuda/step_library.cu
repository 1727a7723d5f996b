// The step of step.cu as a library for trace.py: prepare(model, batch), then steps(n), which waits for the device. Both
// return 0, or print what is wrong.
#include "step.hpp"

#include <cstdio>
#include <optional>

namespace {

std::optional<vitral::Step> step;

template <class F>
int told(F&& run) try {
  run();
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

}  // namespace

extern "C" int prepare(const char* model, int batch) {
  return told([&] { step.emplace(vitral::model_of(model), batch); });
}
extern "C" int steps(int count) {
  return told([&] {
    for (int i = 0; i < count; ++i) (*step)();
    vitral::cuda::Faults::instance().wait();
  });
}
