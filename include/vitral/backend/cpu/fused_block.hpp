// A whole transformer block in one pass: a thread takes a few images through all of it while they are in its cache, so
// that memory is read and written once for each block, not for each operation. nn/transformer_block.hpp says what is
// computed.
#pragma once

#include <vitral/backend/block_parameters.hpp>
#include <vitral/backend/cpu/attention.hpp>
#include <vitral/backend/cpu/norm.hpp>
#include <vitral/backend/cpu/packed.hpp>

#include <array>

VITRAL_KERNELS_BEGIN
namespace vitral { inline namespace VITRAL_ABI { namespace cpu {

namespace detail {

/// How many images a thread takes at once: as many as have about 1.5 MB of activations (about 12 D numbers a token at
/// the widest place), but at most an eighth of all, so that several threads have work.
template <class T>
int images_at_once(const BlockSize& s) {
  const long bytes = static_cast<long>(s.tokens) * (4l * s.width + 2l * s.hidden) * static_cast<long>(sizeof(T));
  return static_cast<int>(std::clamp((3l << 19) / bytes, 1l, (s.images + 7l) / 8));
}

/// A block's weights as right operands: of the forward pass, and of the gradients that flow back.
template <class T>
struct PackedBlock {
  using P = compute_t<T>;
  PackedMatrix<T> qkv, proj, fc1, fc2;

  void pack(const BlockParameters<const P>& w, const BlockSize& s, bool backward) {
    const long d = s.width, h = s.hidden;
    const auto prepare = [&](PackedMatrix<T>& to, const P* weight, long out, long in) {
      const Matrix<const P> m = row_major(weight, out, in);
      to.pack(backward ? m : transposed(m));
    };
    parallel_for(4, [&](long i) {
      if (i == 0) prepare(fc1, w.fc1_weight, h, d);
      if (i == 1) prepare(fc2, w.fc2_weight, d, h);
      if (i == 2) prepare(qkv, w.qkv_weight, 3 * d, d);
      if (i == 3) prepare(proj, w.proj_weight, d, d);
    });
  }
};

/// The calling thread's room for packed weights: every block packs its own when it runs, once a step.
template <class T>
PackedBlock<T>& packed_block(bool backward) {
  static thread_local PackedBlock<T> blocks[2];
  return blocks[backward];
}

/// Consecutive arrays of `extents` elements in one buffer, each aligned to a cache line.
template <class T, std::size_t N>
std::array<T*, N> carve(WorkMemory& buffer, const std::array<long, N>& extents) {
  constexpr long line = 64 / static_cast<long>(sizeof(T));
  long total = 0;
  for (const long e : extents) total += (e + line - 1) / line * line;
  T* next = buffer.template reserve<T>(total);
  std::array<T*, N> out;
  for (std::size_t i = 0; i < N; ++i) {
    out[i] = next;
    next += (extents[i] + line - 1) / line * line;
  }
  return out;
}

/// The trace of the images from `image` on.
template <class T>
BlockTrace<T> trace_from(const BlockTrace<T>& t, long image, const BlockSize& s) {
  const long row = image * s.tokens;
  return {t.qkv + row * 3 * s.width,
          t.attended + row * s.width,
          t.middle + row * s.width,
          t.hidden + row * s.hidden,
          t.mean1 + row,
          t.rstd1 + row,
          t.mean2 + row,
          t.rstd2 + row,
          t.logsumexp + row * s.heads};
}

/// A trace in the thread's own memory, for passes whose caller keeps none.
template <class T>
BlockTrace<T> scratch_trace(const BlockSize& s, int images) {
  static thread_local WorkMemory activations, statistics;
  const long rows = static_cast<long>(images) * s.tokens, d = s.width;
  const auto a = carve<T, 4>(activations, {rows * 3 * d, rows * d, rows * d, rows * s.hidden});
  const auto p = carve<compute_t<T>, 5>(statistics, {rows, rows, rows, rows, rows * s.heads});
  return {a[0], a[1], a[2], a[3], p[0], p[1], p[2], p[3], p[4]};
}

template <class T>
AttentionSize attention_size(const BlockSize& s, int images) {
  const int width = s.width / s.heads;
  return {images, s.heads, s.tokens, s.tokens, width, 1 / std::sqrt(static_cast<double>(width))};
}
template <class T>
Heads<T> packed_heads(T* qkv, const BlockSize& s, int part) {
  return {qkv + static_cast<long>(part) * s.width, 3l * s.tokens * s.width, 3l * s.width, s.width / s.heads};
}
template <class T>
Heads<T> joined_heads(T* x, const BlockSize& s) {
  return {x, static_cast<long>(s.tokens) * s.width, s.width, s.width / s.heads};
}

/// to = residual + keep[image] * (a B + bias).
template <class T>
void project_beside(Matrix<const T> a, const PackedMatrix<T>& b, const compute_t<T>* bias, const T* residual,
                    const compute_t<T>* keep, T* to, long tokens) {
  using P = compute_t<T>;
  const long cols = b.cols();
  const Matrix<T> out = row_major(to, a.rows, cols);
  if (!keep) {
    std::copy_n(residual, a.rows * cols, to);
    return b.multiply(a, out, true, bias);
  }
  b.multiply(a, out, false, bias);
  for (long i = 0; i < a.rows; ++i) {
    const P factor = keep[i / tokens];
    const T* const from = residual + i * cols;
    T* const row = to + i * cols;
#pragma omp simd
    for (long j = 0; j < cols; ++j) row[j] = static_cast<P>(from[j]) + static_cast<P>(row[j]) * factor;
  }
}

/// The forward pass of some images, x -> y, both [images, tokens, D]; `t` receives the trace.
template <class T>
void block_forward_images(const T* x, T* y, const BlockParameters<const compute_t<T>>& w, const PackedBlock<T>& packed,
                          const compute_t<T>* keep1, const compute_t<T>* keep2, const BlockTrace<T>& t,
                          const BlockSize& s, int images) {
  using P = compute_t<T>;
  static thread_local WorkMemory buffer;
  const long rows = static_cast<long>(images) * s.tokens, d = s.width, h = s.hidden;
  const auto memory = carve<T, 2>(buffer, {rows * d, rows * h});
  T *const normal = memory[0], *const active = memory[1];

  for (long i = 0; i < rows; ++i) {
    row_statistics(x + i * d, d, s.eps1, t.mean1[i], t.rstd1[i]);
    normalize_row(x + i * d, w.norm1_weight, w.norm1_bias, t.mean1[i], t.rstd1[i], normal + i * d, d);
  }
  packed.qkv.multiply(row_major<const T>(normal, rows, d), row_major(t.qkv, rows, 3 * d), false, w.qkv_bias);
  const T* const qkv = t.qkv;
  attention_forward(packed_heads(qkv, s, 0), packed_heads(qkv, s, 1), packed_heads(qkv, s, 2),
                    joined_heads(t.attended, s), t.logsumexp, attention_size<T>(s, images));
  project_beside(row_major<const T>(t.attended, rows, d), packed.proj, w.proj_bias, x, keep1, t.middle, s.tokens);

  for (long i = 0; i < rows; ++i) {
    row_statistics(t.middle + i * d, d, s.eps2, t.mean2[i], t.rstd2[i]);
    normalize_row(t.middle + i * d, w.norm2_weight, w.norm2_bias, t.mean2[i], t.rstd2[i], normal + i * d, d);
  }
  packed.fc1.multiply(row_major<const T>(normal, rows, d), row_major(t.hidden, rows, h), false, w.fc1_bias);
  const T* const hidden = t.hidden;
  write_row(active, false, rows * h, [=](long j) { return math::gelu(static_cast<P>(hidden[j])); });
  project_beside(row_major<const T>(active, rows, h), packed.fc2, w.fc2_bias, static_cast<const T*>(t.middle), keep2, y,
                 s.tokens);
}

/// sums += the columns' sums of x.
template <class T>
void add_column_sums(Matrix<const T> x, compute_t<T>* sums) {
  for (long i = 0; i < x.rows; ++i) {
    const T* const row = x.data + i * x.row_stride;
#pragma omp simd
    for (long j = 0; j < x.cols; ++j) sums[j] += static_cast<compute_t<T>>(row[j]);
  }
}

/// dy times each image's factor; dy itself where nothing is dropped.
template <class T>
const T* kept(const T* dy, const compute_t<T>* keep, T* memory, long rows, long cols, long tokens) {
  using P = compute_t<T>;
  if (!keep) return dy;
  for (long i = 0; i < rows; ++i) {
    const P factor = keep[i / tokens];
#pragma omp simd
    for (long j = 0; j < cols; ++j) memory[i * cols + j] = static_cast<P>(dy[i * cols + j]) * factor;
  }
  return memory;
}

/// The backward pass of some images. g's arrays are added to; dx (null: not wanted) is set, or added to.
template <class T>
void block_backward_images(const T* x, const T* dy, T* dx, bool add_dx, const BlockParameters<const compute_t<T>>& w,
                           const PackedBlock<T>& packed, const BlockParameters<compute_t<T>>& g,
                           const compute_t<T>* keep1, const compute_t<T>* keep2, const BlockTrace<T>& t,
                           const BlockSize& s, int images) {
  using P = compute_t<T>;
  static thread_local WorkMemory buffer;
  const long rows = static_cast<long>(images) * s.tokens, d = s.width, h = s.hidden;
  const long widest = rows * std::max(h, 3 * d);
  const auto memory = carve<T, 6>(buffer, {rows * d, rows * d, rows * d, rows * d, widest, widest});
  T *const normal = memory[0], *const dnormal = memory[1], *const dmiddle = memory[2], *const dbranch = memory[3];
  T *const wide = memory[4], *const dwide = memory[5];
  const auto weight_gradient = [rows](const T* dout, long out, const T* in, long width, P* weight, P* bias) {
    const Matrix<const T> up = row_major(dout, rows, out);
    multiply_once<T>(transposed(up), row_major(in, rows, width), row_major(weight, out, width), true);
    add_column_sums(up, bias);
  };

  // y = middle + keep2 * fc2(gelu(fc1(norm2(middle))))
  const T* const dy2 = kept(dy, keep2, dbranch, rows, d, s.tokens);
  packed.fc2.multiply(row_major(dy2, rows, d), row_major(dwide, rows, h));
#pragma omp simd
  for (long j = 0; j < rows * h; ++j) {
    const auto active = math::gelu_parts(static_cast<P>(t.hidden[j]));
    wide[j] = active.value;
    dwide[j] = static_cast<P>(dwide[j]) * active.slope;
  }
  weight_gradient(dy2, d, wide, h, g.fc2_weight, g.fc2_bias);
  packed.fc1.multiply(row_major<const T>(dwide, rows, h), row_major(dnormal, rows, d));
  for (long i = 0; i < rows; ++i)
    normalize_row(t.middle + i * d, w.norm2_weight, w.norm2_bias, t.mean2[i], t.rstd2[i], normal + i * d, d);
  weight_gradient(dwide, h, normal, d, g.fc1_weight, g.fc1_bias);
  for (long i = 0; i < rows; ++i)
    layer_norm_row_backward<T>(t.middle + i * d, w.norm2_weight, t.mean2[i], t.rstd2[i], dnormal + i * d, dy + i * d,
                               dmiddle + i * d, g.norm2_weight, g.norm2_bias, d);

  // middle = x + keep1 * proj(attention(qkv(norm1(x))))
  const T* const dmiddle1 = kept<T>(dmiddle, keep1, dbranch, rows, d, s.tokens);
  packed.proj.multiply(row_major(dmiddle1, rows, d), row_major(dnormal, rows, d));
  weight_gradient(dmiddle1, d, t.attended, d, g.proj_weight, g.proj_bias);
  const T *const qkv = t.qkv, *const attended = t.attended, *const dattended = dnormal;
  attention_backward(packed_heads(qkv, s, 0), packed_heads(qkv, s, 1), packed_heads(qkv, s, 2),
                     joined_heads(attended, s), static_cast<const P*>(t.logsumexp), joined_heads(dattended, s),
                     packed_heads(wide, s, 0), packed_heads(wide, s, 1), packed_heads(wide, s, 2), false,
                     attention_size<T>(s, images));
  packed.qkv.multiply(row_major<const T>(wide, rows, 3 * d), row_major(dnormal, rows, d));
  for (long i = 0; i < rows; ++i)
    normalize_row(x + i * d, w.norm1_weight, w.norm1_bias, t.mean1[i], t.rstd1[i], normal + i * d, d);
  weight_gradient(wide, 3 * d, normal, d, g.qkv_weight, g.qkv_bias);
  if (dx && add_dx)
    for (long j = 0; j < rows * d; ++j) dmiddle[j] = static_cast<P>(dmiddle[j]) + static_cast<P>(dx[j]);
  for (long i = 0; i < rows; ++i)
    layer_norm_row_backward<T>(x + i * d, w.norm1_weight, t.mean1[i], t.rstd1[i], dnormal + i * d, dmiddle + i * d,
                               dx ? dx + i * d : nullptr, g.norm1_weight, g.norm1_bias, d);
}

template <class P>
BlockParameters<P> parameters_at(P* memory, const BlockSize& s) {
  std::array<P*, 12> at;
  for (int i = 0; i < 12; ++i) {
    at[static_cast<std::size_t>(i)] = memory;
    memory += s.extent(i);
  }
  return {at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9], at[10], at[11]};
}

/// How many partial sums of the weights' gradients there are. Images are dealt to them by shape alone, and the sums are
/// joined in order.
inline int gradient_lanes(const BlockSize& s) {
  const long rows = static_cast<long>(s.images) * s.tokens, weights = 12l * s.width * s.width;
  return static_cast<int>(std::clamp(std::min(rows / 512, (1l << 25) / weights), 1l, std::min(8l, long{s.images})));
}

}  // namespace detail

/// y = block(x) for x, y [images, tokens, D] and parameters as in nn/transformer_block.hpp. keep1 and keep2 [images]
/// scale the two branches (null: 1). `trace` receives what block_backward needs (null: not kept).
template <class T>
void block_forward(const T* x, T* y, const BlockParameters<const compute_t<T>>& w, const compute_t<T>* keep1,
                   const compute_t<T>* keep2, const BlockTrace<T>* trace, const BlockSize& s) {
  auto& packed = detail::packed_block<T>(false);
  packed.pack(w, s, false);
  const int step = detail::images_at_once<T>(s);
  parallel_for((s.images + step - 1) / step, [&](long task) {
    const long first = task * step, at = first * s.tokens * s.width;
    const int images = static_cast<int>(std::min<long>(step, s.images - first));
    detail::block_forward_images(
        x + at, y + at, w, packed, keep1 ? keep1 + first : nullptr, keep2 ? keep2 + first : nullptr,
        trace ? detail::trace_from(*trace, first, s) : detail::scratch_trace<T>(s, images), s, images);
  });
}

/// Gradients of block_forward from its input, its trace (null: computed again from x) and dy. dx and each of dw's
/// arrays may be null; dx is overwritten, or added to when `add_dx`; dw's arrays likewise, as add_dw says for each.
template <class T>
void block_backward(const T* x, const T* dy, T* dx, bool add_dx, const BlockParameters<const compute_t<T>>& w,
                    const BlockParameters<compute_t<T>>& dw, const std::array<bool, 12>& add_dw,
                    const compute_t<T>* keep1, const compute_t<T>* keep2, const BlockTrace<T>* trace,
                    const BlockSize& s) {
  using P = compute_t<T>;
  static thread_local WorkMemory memory;
  auto &forward = detail::packed_block<T>(false), &backward = detail::packed_block<T>(true);
  if (!trace) forward.pack(w, s, false);
  backward.pack(w, s, true);
  const int lanes = detail::gradient_lanes(s), step = detail::images_at_once<T>(s);
  long elements = 0;
  for (int i = 0; i < 12; ++i) elements += s.extent(i);
  P* const sums = memory.reserve<P>(lanes * elements);
  parallel_for(lanes, [&](long lane) {
    P* const mine = sums + lane * elements;
    std::fill_n(mine, elements, P(0));
    const auto g = detail::parameters_at(mine, s);
    const long begin = s.images * lane / lanes, end = s.images * (lane + 1) / lanes;
    for (long first = begin; first < end; first += step) {
      const int images = static_cast<int>(std::min<long>(step, end - first));
      const long at = first * s.tokens * s.width;
      const P* const k1 = keep1 ? keep1 + first : nullptr;
      const P* const k2 = keep2 ? keep2 + first : nullptr;
      BlockTrace<T> t;
      if (trace) {
        t = detail::trace_from(*trace, first, s);
      } else {
        static thread_local WorkMemory again;
        t = detail::scratch_trace<T>(s, images);
        detail::block_forward_images(x + at, again.reserve<T>(static_cast<long>(images) * s.tokens * s.width), w,
                                     forward, k1, k2, t, s, images);
      }
      detail::block_backward_images(x + at, dy + at, dx ? dx + at : nullptr, add_dx, w, backward, g, k1, k2, t, s,
                                    images);
    }
  });

  const auto to = {dw.norm1_weight, dw.norm1_bias, dw.qkv_weight, dw.qkv_bias, dw.proj_weight, dw.proj_bias,
                   dw.norm2_weight, dw.norm2_bias, dw.fc1_weight, dw.fc1_bias, dw.fc2_weight,  dw.fc2_bias};
  const P* from = sums;
  int number = 0;
  for (P* const gradient : to) {
    const long extent = s.extent(number);
    const bool add = add_dw[static_cast<std::size_t>(number++)];
    constexpr long piece = 16384;
    if (gradient)
      parallel_for((extent + piece - 1) / piece, [&](long task) {
        const long first = task * piece, last = std::min(extent, first + piece);
        if (!add) std::fill(gradient + first, gradient + last, P(0));
        for (long lane = 0; lane < lanes; ++lane) {
          const P* const part = from + lane * elements;
#pragma omp simd
          for (long j = first; j < last; ++j) gradient[j] += part[j];
        }
      });
    from += extent;
  }
}

}}}  // namespace vitral::cpu
VITRAL_KERNELS_END
