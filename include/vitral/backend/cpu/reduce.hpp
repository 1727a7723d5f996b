// Reductions of a plan on the CPU. The result space is [outer, n, inner] and n is reduced; values are computed on the
// fly. Work is cut by shape alone and partial results are joined in order, whatever the number of threads.
#pragma once

#include <vitral/backend/cpu/evaluate.hpp>
#include <vitral/backend/cpu/work_memory.hpp>

#include <limits>
#include <vector>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

template <class Reader>
auto sum_of(const Reader& reader, long count) {
  typename Reader::value_type sum{};
#pragma omp simd reduction(+ : sum)
  for (long i = 0; i < count; ++i) sum += reader.value(i);
  return sum;
}

/// out[outer, inner] = scale * sum over n.
template <int R, class Plan, class T>
void reduce_sum(const Space<R>& space, const Plan& plan, Reduction r, double scale, T* out) {
  using C = typename reader_of<Plan>::value_type;
  const long columns = std::clamp(r.inner, 1L, chunk);  // columns summed side by side
  const long column_blocks = (r.inner + columns - 1) / columns;
  const long whole = r.outer * column_blocks;
  const long length = std::max(1L, task_size / columns);  // summands of one partial sum
  const long parts = whole >= 64 ? 1 : std::max(1L, std::min(64L, r.n / length));
  static thread_local WorkMemory memory;
  C* const partial = memory.reserve<C>(parts * r.outer * r.inner);
  std::fill_n(partial, parts * r.outer * r.inner, C{});
  parallel_for(parts * whole, [&](long task) {
    const long part = task / whole, o = task % whole / column_blocks, column = task % column_blocks * columns;
    const long width = std::min(columns, r.inner - column);
    C* sums = partial + (part * r.outer + o) * r.inner + column;
    Lane<Plan> lane;
    const auto add = [&](long row_begin, long begin, long end) {
      for_each_piece(space, begin, end, [&](const long* index, long position, long count) {
        const auto reader = lane.load(plan, index, space.axes, count);
        if (r.inner == 1) {
          *sums += sum_of(reader, count);
        } else {
          C* to = sums + (position - row_begin);
#pragma omp simd
          for (long i = 0; i < count; ++i) to[i] += reader.value(i);
        }
      });
    };
    const long first = r.n * part / parts, last = r.n * (part + 1) / parts;
    if (r.inner == 1) {
      add(0, o * r.n + first, o * r.n + last);
    } else {
      for (long k = first; k < last; ++k) {
        const long begin = (o * r.n + k) * r.inner + column;
        add(begin, begin, begin + width);
      }
    }
  });
  for (long i = 0; i < r.outer * r.inner; ++i) {
    C sum = partial[i];
    for (long part = 1; part < parts; ++part) sum += partial[part * r.outer * r.inner + i];
    out[i] = static_cast<compute_t<T>>(sum * static_cast<C>(scale));
  }
}

/// out = the largest value over n, index = where it stands first; a NaN counts as largest. n must not be 0.
template <int R, class Plan, class T>
void reduce_max(const Space<R>& space, const Plan& plan, Reduction r, T* out, int* index_out) {
  using C = typename reader_of<Plan>::value_type;
  parallel_for(r.outer, [&](long o) {
    Lane<Plan> lane;
    std::vector<C> best(static_cast<std::size_t>(r.inner));
    std::vector<int> where(static_cast<std::size_t>(r.inner), -1);
    for_each_piece(
        space, o * r.n * r.inner, (o + 1) * r.n * r.inner, [&](const long* index, long position, long count) {
          const auto reader = lane.load(plan, index, space.axes, count);
          for (long i = 0; i < count; ++i) {
            const long flat = position + i - o * r.n * r.inner;
            const auto column = static_cast<std::size_t>(flat % r.inner);
            const C value = reader.value(i);
            if (where[column] < 0 || value > best[column] || (value != value && best[column] == best[column])) {
              best[column] = value;
              where[column] = static_cast<int>(flat / r.inner);
            }
          }
        });
    for (long i = 0; i < r.inner; ++i) {
      out[o * r.inner + i] = static_cast<compute_t<T>>(best[static_cast<std::size_t>(i)]);
      index_out[o * r.inner + i] = where[static_cast<std::size_t>(i)];
    }
  });
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
