// The one place that decides how many threads run: OpenMP's count, which oneDNN follows.
#pragma once

#include <vitral/core/error.hpp>

#include <algorithm>
#include <exception>

#include <omp.h>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

/// The number of threads that parallel work uses.
[[nodiscard]] inline int threads() { return omp_get_max_threads(); }

/// Sets the number of threads for all work that this thread starts. Throws Error unless n >= 1.
inline void set_threads(int n) {
  check(n >= 1, "the number of threads must be 1 or more, not ", n);
  omp_set_num_threads(n);
}

/// Sets the number of threads to 1 for its lifetime: a library's product that is set up and run meanwhile uses one
/// thread, so that its result cannot depend on how many there are.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) {
    if (before_ != 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// An element-wise pass over fewer elements runs on one thread: two would be no faster, and some ten microseconds
/// slower where the second has to be woken or has no processor.
inline constexpr long small_work = 32768;

/// Runs task(0) ... task(tasks - 1), in parallel unless this is already inside a parallel region or the tasks have
/// fewer than `small_work` elements in all. A free thread takes the next few tasks, so that a thread that is held up by
/// other work on the machine holds up none of the others. When tasks throw, one exception is rethrown after all have
/// ended.
template <class F>
void parallel_for(long tasks, F&& task, long elements = small_work) {
  if (tasks <= 1 || elements < small_work || omp_in_parallel() || omp_get_max_threads() == 1) {
    for (long i = 0; i < tasks; ++i) task(i);
    return;
  }
  std::exception_ptr failure;
  [[maybe_unused]] const long share = std::max(1l, tasks / (8l * omp_get_max_threads()));
#pragma omp parallel for schedule(dynamic, share)
  for (long i = 0; i < tasks; ++i) {
    try {
      task(i);
    } catch (...) {
#pragma omp critical(vitral_parallel_for)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
