// Random views of images (backend/views.hpp): a block of threads makes a view. A small one stays in shared memory from
// the crop to the end, a large one in memory of the device, most of which the caches hold. The numbers are those of
// data/augment.hpp on the host, up to rounding. Included by .cu files.
#pragma once

#include <vitral/backend/cuda/block_reduce.hpp>
#include <vitral/backend/cuda/instructions.hpp>
#include <vitral/backend/cuda/memory.hpp>
#include <vitral/backend/views.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace vitral { inline namespace VITRAL_ABI { namespace cuda {

namespace detail {

/// How a block's memory is divided: the view's planes, `mixed`, the weights of rows and columns and where they begin,
/// and the blur's weights.
struct ViewLayout {
  ViewShape shape;
  int width, row_taps, column_taps, blur_taps;  // the widest crop's, and at most so many

  ViewLayout(const ViewShape& s, const ViewJob* jobs, std::size_t count) : shape(s) {
    PixelBox largest{0, 0, 1, 1};
    double sigma = 0;
    for (std::size_t i = 0; i < count; ++i) {
      largest.height = std::max(largest.height, jobs[i].drawn.crop.height);
      largest.width = std::max(largest.width, jobs[i].drawn.crop.width);
      sigma = std::max(sigma, jobs[i].drawn.sigma);
    }
    width = largest.width;
    row_taps = vitral::detail::AxisFilter({largest.height, s.side, 0, s.side}, s.interpolation).taps;
    column_taps = vitral::detail::AxisFilter({largest.width, s.side, 0, s.side}, s.interpolation).taps;
    blur_taps = 2 * vitral::detail::blur_radius(sigma) + 1;
  }

  VITRAL_HD int count() const { return shape.side * shape.side; }  // pixels of a view
  /// Rows of the view as wide as the crop, three channels a pixel; later the blur's rows, plane by plane.
  VITRAL_HD int mixed() const { return 3 * shape.side * (width > shape.side ? width : shape.side); }
  VITRAL_HD int weights() const { return shape.side * (row_taps + column_taps); }
  /// Floats of all parts but the planes.
  VITRAL_HD long rest() const { return long{mixed()} + weights() + 2 * shape.side + blur_taps; }
  [[nodiscard]] std::size_t shared_bytes() const {
    return sizeof(float) * (static_cast<std::size_t>(3 * count()) + static_cast<std::size_t>(rest()));
  }
};

/// As many views as the arguments of a kernel have room for.
struct ViewJobs {
  ViewJob job[(32764 - sizeof(ViewLayout) - 4 * sizeof(void*)) / sizeof(ViewJob)];
};

constexpr std::size_t reduction_bytes = 32 * sizeof(double);  // of shared memory, which block_reduce takes for itself

/// A float whose products the compiler does not contract with sums, so that the device rounds as the host does: a
/// colour that differed in its last bit could be cut to the next of the hue's steps, which is 6 of 255.
struct Unfused {
  float value;
  VITRAL_HD Unfused(float x) : value(x) {}  // NOLINT: numbers mix with it
  VITRAL_HD explicit operator int() const { return static_cast<int>(value); }
  VITRAL_HD friend Unfused operator+(Unfused a, Unfused b) { return a.value + b.value; }
  VITRAL_HD friend Unfused operator-(Unfused a, Unfused b) { return a.value - b.value; }
  VITRAL_HD friend Unfused operator*(Unfused a, Unfused b) {
#if defined(__CUDA_ARCH__)
    return __fmul_rn(a.value, b.value);
#else
    return a.value * b.value;
#endif
  }
  VITRAL_HD friend Unfused operator/(Unfused a, Unfused b) { return a.value / b.value; }
  VITRAL_HD friend bool operator<(Unfused a, Unfused b) { return a.value < b.value; }
  VITRAL_HD friend bool operator>=(Unfused a, Unfused b) { return a.value >= b.value; }
  VITRAL_HD friend bool operator==(Unfused a, Unfused b) { return a.value == b.value; }
};

/// body(i) for i in [0, count), shared out among the block's threads: i is always the same thread's.
template <class F>
__device__ void share_out(int count, F body) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) body(i);
}

/// Three planes, whose pixels belong to the threads as share_out deals them.
struct Planes {
  float* data;
  int count;

  template <class F>
  __device__ void each(F body) const {
    share_out(count, [&](int p) {
      Unfused red = data[p], green = data[p + count], blue = data[p + 2 * count];
      body(red, green, blue);
      data[p] = red.value;
      data[p + count] = green.value;
      data[p + 2 * count] = blue.value;
    });
  }
  __device__ float mean_luma() const {
    double sum = 0;
    share_out(count, [&](int p) {
      sum += static_cast<double>(luma<Unfused>(data[p], data[p + count], data[p + 2 * count]).value);
    });
    return static_cast<float>(block_reduce(sum, Add{}) / count);
  }
};

/// See resize() in data/resize.hpp. `weights` and `first` are of the rows, then of the columns.
__device__ inline void resize_crop(const ViewJob& job, const ViewLayout& layout, const std::uint8_t* images,
                                   const Planes& planes, float* mixed, float* weights, int* first) {
  const ViewShape& shape = layout.shape;
  const ViewDraw& drawn = job.drawn;
  const PixelBox crop = drawn.crop;
  const long pitch = 3l * job.width;
  const std::uint8_t* const corner = images + job.first + crop.top * pitch + 3l * crop.left;
  const int side = shape.side, line = 3 * crop.width;
  const vitral::detail::AxisFilter down({crop.height, side, 0, side}, shape.interpolation);
  const vitral::detail::AxisFilter across({crop.width, side, 0, side}, shape.interpolation);
  float* const column_weights = weights + side * layout.row_taps;
  share_out(2 * side, [&](int i) {
    first[i] = i < side ? down.weights(i, weights + i * down.taps)
                        : across.weights(i - side, column_weights + (i - side) * across.taps);
  });
  __syncthreads();
  share_out(side * line, [&](int i) {
    const int y = i / line;
    const std::uint8_t* from = corner + first[y] * pitch + i % line;
    Unfused sum = 0.0f;
    for (int t = 0; t < down.taps; ++t, from += pitch)
      sum = sum + Unfused(weights[y * down.taps + t]) * static_cast<float>(*from);
    mixed[i] = sum.value;
  });
  __syncthreads();
  share_out(planes.count, [&](int p) {
    const int column = p % side, x = drawn.flip ? side - 1 - column : column;
    const float* const from = mixed + p / side * line + 3 * first[side + x];
    for (int c = 0; c < 3; ++c) {
      Unfused sum = 0.0f;
      for (int t = 0; t < across.taps; ++t) sum = sum + Unfused(column_weights[x * across.taps + t]) * from[3 * t + c];
      planes.data[c * planes.count + p] = vitral::detail::unit_clamp(sum / 255.0f).value;
    }
  });
}

/// See data/color.hpp.
__device__ inline void change_colors(ColorChange change, Unfused factor, const Planes& planes) {
  using namespace vitral::detail;
  if (change == ColorChange::brightness) {
    planes.each([=](Unfused& red, Unfused& green, Unfused& blue) {
      red = unit_clamp(red * factor);
      green = unit_clamp(green * factor);
      blue = unit_clamp(blue * factor);
    });
  } else if (change == ColorChange::contrast) {
    const Unfused rest = planes.mean_luma() * (1 - factor);
    planes.each([=](Unfused& red, Unfused& green, Unfused& blue) {
      red = unit_clamp(red * factor + rest);
      green = unit_clamp(green * factor + rest);
      blue = unit_clamp(blue * factor + rest);
    });
  } else if (change == ColorChange::saturation) {
    planes.each([=](Unfused& red, Unfused& green, Unfused& blue) { saturate(red, green, blue, factor); });
  } else if (change == ColorChange::hue) {
    const Unfused steps = hue_steps(factor.value);
    planes.each([=](Unfused& red, Unfused& green, Unfused& blue) { turn_hue(red, green, blue, steps); });
  }
}

/// The nearest of 0 ... side - 1.
__device__ inline int inside(int x, int side) { return x < 0 ? 0 : x < side ? x : side - 1; }

/// The blur's weights, and its pass across from the planes to `mixed`; see data/blur.hpp.
__device__ inline void blur_across(double sigma, int radius, int side, const Planes& planes, float* mixed,
                                   float* weights) {
  share_out(2 * radius + 1, [&](int i) {
    double sum = 0;
    for (int t = -radius; t <= radius; ++t) sum += vitral::detail::blur_weight(t, sigma);
    weights[i] = static_cast<float>(vitral::detail::blur_weight(i - radius, sigma) / sum);
  });
  __syncthreads();
  share_out(3 * planes.count, [&](int i) {
    const int x = i % side;
    float sum = 0;
    for (int t = -radius; t <= radius; ++t) sum += weights[t + radius] * planes.data[i - x + inside(x + t, side)];
    mixed[i] = sum;
  });
  __syncthreads();
}

/// A block makes a view, with `memory` for all but its planes. Between the barriers a thread touches none but its own
/// pixels.
__device__ inline void make_view(const ViewJob& job, const ViewLayout& layout, const std::uint8_t* images,
                                 const Planes& planes, float* memory, float* view) {
  const ViewDraw& drawn = job.drawn;
  const ViewShape& shape = layout.shape;
  float* const mixed = memory;
  float* const weights = mixed + layout.mixed();
  float* const blur_weights = weights + layout.weights();
  int* const first = reinterpret_cast<int*>(blur_weights + layout.blur_taps);

  resize_crop(job, layout, images, planes, mixed, weights, first);
  for (int i = 0; i < 4; ++i) change_colors(drawn.change[i], drawn.factor[i], planes);
  if (drawn.gray)
    planes.each([](Unfused& red, Unfused& green, Unfused& blue) { red = green = blue = luma(red, green, blue); });
  const int side = shape.side, radius = vitral::detail::blur_radius(drawn.sigma);
  if (drawn.sigma > 0) blur_across(drawn.sigma, radius, side, planes, mixed, blur_weights);

  share_out(planes.count, [&](int p) {
    const int y = p / side, x = p % side;
    for (int c = 0; c < 3; ++c) {
      const int plane = c * planes.count;
      float value = planes.data[plane + p];
      if (drawn.sigma > 0) {
        value = 0;
        for (int t = -radius; t <= radius; ++t)
          value += blur_weights[t + radius] * mixed[plane + inside(y + t, side) * side + x];
      }
      if (drawn.solarize) value = vitral::detail::solarized(value, solarize_threshold);
      view[plane + p] = (value - shape.mean[c]) / shape.deviation[c];
    }
  });
}

/// Block i makes view i, in shared memory.
template <int threads>
__global__ void __launch_bounds__(threads) small_views(const __grid_constant__ ViewJobs jobs, const ViewLayout layout,
                                                       const std::uint8_t* images, float* views) {
  const Planes planes{dynamic_shared<float>(), layout.count()};
  make_view(jobs.job[blockIdx.x], layout, images, planes, planes.data + 3 * planes.count,
            views + static_cast<long>(blockIdx.x) * 3 * planes.count);
}

/// Each block makes views in turn, with a part of `memory` for itself; the planes are where the view will be.
template <int threads>
__global__ void __launch_bounds__(threads)
    large_views(const __grid_constant__ ViewJobs jobs, const unsigned count, const ViewLayout layout,
                const std::uint8_t* images, float* memory, float* views) {
  memory += blockIdx.x * layout.rest();
  for (unsigned i = blockIdx.x; i < count; i += gridDim.x) {
    float* const view = views + static_cast<long>(i) * 3 * layout.count();
    make_view(jobs.job[i], layout, images, {view, layout.count()}, memory, view);
    __syncthreads();
  }
}

}  // namespace detail

/// Queues views [count, 3, side, side] of images that lie among the bytes `images`. The jobs travel as arguments of the
/// kernels: the caller may change them at once.
template <int threads = 512>
void make_views(const ViewShape& shape, const ViewJob* jobs, std::size_t count, const std::uint8_t* images,
                float* views) {
  constexpr long most_bytes = 512l << 20;  // of device memory for large views that are being made
  const detail::ViewLayout layout(shape, jobs, count);
  const std::size_t shared = layout.shared_bytes();
  const bool small = shared + 2 * detail::reduction_bytes <= Device::instance().shared_bytes;
  if (small) allow_shared("views", &detail::small_views<threads>, shared + detail::reduction_bytes);
  const long at_once =
      std::clamp(most_bytes / (long{sizeof(float)} * layout.rest()), 1l, 2l * Device::instance().multiprocessors);
  const Scratch<float> memory(small ? 0 : std::min(at_once, static_cast<long>(count)) * layout.rest());
  detail::ViewJobs some{};
  for (std::size_t done = 0; done < count;) {
    const auto now = static_cast<unsigned>(std::min(std::size(some.job), count - done));
    std::copy_n(jobs + done, now, some.job);
    if (small)
      launch("views", &detail::small_views<threads>, now, threads, shared, some, layout, images, views);
    else
      launch("views", &detail::large_views<threads>, std::min(now, static_cast<unsigned>(at_once)), threads, 0, some,
             now, layout, images, memory.data(), views);
    views += static_cast<std::ptrdiff_t>(now) * 3 * layout.count();
    done += now;
  }
}

}}}  // namespace vitral::cuda
