// Batches of images: what a loader hands out and what a task is given. Their tensors lie in memory of the host that a
// device can copy from while the host goes on (core/host_memory.hpp), or on the device already.
#pragma once

#include <vitral/backend/views.hpp>
#include <vitral/core/host_memory.hpp>
#include <vitral/tensor/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// A tensor on backend B: x itself where it is there, or a copy that is queued. The queue reads x, which has to stay as
/// it is until that is done (Steps in backend/backend.hpp).
template <class B, class T, class S, class From>
[[nodiscard]] Tensor<T, S, B> to_backend(const Tensor<T, S, From>& x) {
  if constexpr (std::is_same_v<B, From>) {
    return x;
  } else {
    auto out = Tensor<T, S, B>::uninitialized(x.shape());
    B::queue_copy_from_host(x.data(), out.data(), x.size());
    return out;
  }
}

/// Images of a data set. `views` are on backend B, `labels` on backend L.
template <class B, class L = B>
struct ImageBatch {
  long epoch = 0;
  long index = 0;                                                ///< number in the epoch: 0 ... batches() - 1
  std::vector<Tensor<float, Shape<dyn, 3, dyn, dyn>, B>> views;  ///< of view k: [size, 3, side, side]
  Tensor<int, Shape<dyn>, L> labels;                             ///< [size]; -1 where an image has none
  std::vector<long> places;                                      ///< the images' numbers in the data set
  std::vector<int> missing;  ///< rows, ascending, that could not be read nor were replaced: zeros, with the label -1

  /// Images; less than asked for only in an epoch's last batch without drop_last.
  [[nodiscard]] int size() const { return static_cast<int>(places.size()); }
};

/// A loader's batch, in host memory.
using Batch = ImageBatch<Cpu>;

/// Images as they were read, and what chance has decided about their views, for a device that makes them.
struct DrawnBatch {
  long epoch = 0;
  long index = 0;
  HostVector<std::uint8_t> pixels;  ///< of all images, [height, width, 3] each, in the first `used` bytes
  std::size_t used = 0;
  std::vector<std::vector<ViewJob>> jobs;  ///< of view k, one for each image
  Tensor<int, Shape<dyn>, Cpu> labels;     ///< [size]
  std::vector<long> places;                ///< the images' numbers in the data set

  [[nodiscard]] int size() const { return static_cast<int>(places.size()); }
};

/// The views of a batch that these jobs describe, queued on a device that makes them from the bytes of images.
template <class B>
[[nodiscard]] Tensor<float, Shape<dyn, 3, dyn, dyn>, B> make_views(const ViewShape& shape,
                                                                   const std::vector<ViewJob>& jobs,
                                                                   const std::uint8_t* images) {
  auto out =
      Tensor<float, Shape<dyn, 3, dyn, dyn>, B>::uninitialized({static_cast<int>(jobs.size()), shape.side, shape.side});
  B::make_views(shape, jobs.data(), jobs.size(), images, out.data());
  return out;
}

/// The batch with all tensors on backend To; what is copied is queued, as for a tensor.
template <class To, class B, class L>
[[nodiscard]] ImageBatch<To> to_backend(const ImageBatch<B, L>& batch) {
  ImageBatch<To> out{batch.epoch, batch.index, {}, to_backend<To>(batch.labels), batch.places, batch.missing};
  for (const auto& view : batch.views) out.views.push_back(to_backend<To>(view));
  return out;
}

namespace detail {

/// Gives x this shape and memory of the host: its own where that is as large and nobody else holds it.
template <class T, class S>
void make_room(Tensor<T, S, Cpu>& x, const S& shape) {
  if (x && x.shape() == shape && !x.buffer().shared()) return;
  x = {};
  x = {Buffer::of_host(static_cast<std::size_t>(shape.size()) * sizeof(T)), shape};
}

}  // namespace detail

}}  // namespace vitral
