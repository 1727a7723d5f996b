// Loader for devices: the data set lies in the device's memory as bytes, and the device makes the views. For small
// images, of which a host cannot make enough views a second. Included by .cu files.
#pragma once

#include <vitral/backend/backend.hpp>
#include <vitral/backend/views.hpp>
#include <vitral/data/loader.hpp>
#include <vitral/tensor/tensor.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Has Loader's interface and makes the same batches: the same images, crops and colours, drawn by the same random
/// numbers. Pixels differ by rounding alone: in the blur, and, where the host's compiler fuses products with sums
/// (g++ -O2 -march=native), before it, which may move a hue to the next of PIL's steps, 6 of 255 away.
/// The constructor loads the whole data set. It throws Error if the images differ in size or are too large for the
/// device together (CudaStreamLoader takes those), or if a view is no Augmentation. The options `workers` and
/// `patience` have no effect here; images that cannot be read are found in the constructor.
template <class B>
class CudaLoader {
  static_assert(OffersViews<B>, "vitral: CudaLoader needs a backend that makes views; use Loader");

 public:
  using batch_type = ImageBatch<B, Cpu>;  // labels are in host memory

  CudaLoader(Dataset data, ImageViews views, LoaderOptions options = {})
      : data_(std::move(data)),
        views_(std::move(views)),
        shapes_(shapes_of(views_)),
        plan_(data_, views_, std::move(options)) {
    upload();
    stop();
  }

  [[nodiscard]] long batches() const { return plan_.batches(); }

  /// Begins an epoch (0 ... 2^24 - 1) at its batch `first_batch`.
  void start(long epoch, long first_batch = 0) {
    plan_.start(epoch, first_batch, order_);
    epoch_ = epoch;
    next_ = first_batch;
  }

  /// Queues the next batch, without waiting for the device; false after the epoch's last, after stop() and before
  /// start(). The views are new tensors: those of the batch before stay as they are for whoever holds them.
  bool next(batch_type& batch) {
    if (next_ == batches()) return false;
    const int count = plan_.size_of(next_);
    const std::uint32_t* const images = order_.data() + next_ * options().batch;
    batch.epoch = epoch_;
    batch.index = next_++;
    batch.places.clear();
    detail::make_room(batch.labels, {count});
    for (int i = 0; i < count; ++i) {
      batch.labels.data()[i] = labels_[images[i]];
      batch.places.push_back(places_[images[i]]);
    }
    batch.views.clear();  // their memory may serve the new ones
    for (std::size_t k = 0; k < views_.size(); ++k) {
      jobs_.clear();
      const std::uint64_t stream = stream_view(k) + static_cast<std::uint64_t>(epoch_);
      for (int i = 0; i < count; ++i) {
        const Random random{options().seed, stream, images[i]};
        jobs_.push_back({views_[k].augmentation()->draw(height_, width_, random), images[i] * image_bytes_, width_});
      }
      batch.views.push_back(make_views<B>(shapes_[k], jobs_, static_cast<const std::uint8_t*>(pixels_.data())));
    }
    return true;
  }

  /// An epoch as a range.
  [[nodiscard]] Epoch<CudaLoader> epoch(long number, long first_batch = 0) { return {*this, number, first_batch}; }

  /// Ends the epoch.
  void stop() { next_ = batches(); }

  /// next() never waits.
  [[nodiscard]] double wait_seconds() const { return 0; }

  [[nodiscard]] const Dataset& dataset() const { return data_; }
  [[nodiscard]] const ImageViews& views() const { return views_; }
  [[nodiscard]] const LoaderOptions& options() const { return plan_.options(); }
  /// Images that could not be read.
  [[nodiscard]] long unreadable() const { return unreadable_; }

 private:
  static constexpr std::size_t upload_bytes = 16 << 20;  // at a time

  /// Looks at the first image: all are to be as large.
  void prepare(const Image& image) {
    height_ = image.height;
    width_ = image.width;
    image_bytes_ = image.rgb.size();
    pixels_ = Buffer::of<B>(static_cast<std::size_t>(data_.size()) * image_bytes_);
  }

  void upload() {
    detail::Unreadable unreadable(options());
    HostVector<std::uint8_t> some;
    std::size_t done = 0;
    for (long i = 0; i < data_.size(); ++i) {
      const auto [image, used] = detail::readable(data_, i, unreadable, [](long) {});
      check_image(image);
      if (i == 0) prepare(image);
      check(image.height == height_ && image.width == width_, data_.name(), ": image ", used, " has ", image.height,
            " x ", image.width, " pixels, the first ", height_, " x ", width_,
            "; CudaLoader takes images of one size alone: use CudaStreamLoader");
      some.insert(some.end(), image.rgb.begin(), image.rgb.end());
      labels_.push_back(data_.label(used));
      places_.push_back(used);
      if (some.size() < upload_bytes && i + 1 < data_.size()) continue;
      B::copy_from_host(some.data(), static_cast<std::uint8_t*>(pixels_.data()) + done, static_cast<long>(some.size()));
      done += some.size();
      some.clear();
    }
    unreadable_ = unreadable.count();
  }

  Dataset data_;
  ImageViews views_;
  std::vector<ViewShape> shapes_;  // of the views
  detail::BatchPlan plan_;
  int height_ = 0, width_ = 0;  // of every image
  std::size_t image_bytes_ = 0;
  Buffer pixels_;             // [n, height, width, 3] bytes on the device
  std::vector<int> labels_;   // of every image
  std::vector<long> places_;  // its number, or that of the image in its place
  std::vector<ViewJob> jobs_;
  std::vector<std::uint32_t> order_;
  long epoch_ = 0;
  long next_ = 0;  // the batch that next() returns
  long unreadable_ = 0;
};

}}  // namespace vitral
