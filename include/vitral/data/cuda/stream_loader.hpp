// Loader for devices of data sets that do not fit them: the host's workers read and decode the images, which travel as
// bytes while the device computes, and the device makes the views. Included by .cu files.
#pragma once

#include <vitral/backend/backend.hpp>
#include <vitral/backend/cuda/launch.hpp>
#include <vitral/data/loader.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The bytes of a batch on their way to the device, on a stream of their own: the host leaves `batch` alone until they
/// have arrived, and they come when the views of the batch before have been made of this memory.
class Upload {
 public:
  Upload() {
    for (cudaEvent_t* const event : {&arrived_, &used_})
      cuda::require(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  }
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  ~Upload() {
    cudaEventDestroy(arrived_);
    cudaEventDestroy(used_);
  }

  DrawnBatch batch;

  /// Until the host may fill `batch` anew.
  void wait() const { cuda::require(cudaEventSynchronize(arrived_), "cudaEventSynchronize"); }

  /// Queues the way of the bytes; work that is queued from now on finds them here.
  template <class B>
  const std::uint8_t* queue(cudaStream_t copies) {
    const std::size_t bytes = batch.used;
    if (bytes > capacity_) {
      capacity_ = bytes + bytes / 4;  // batches differ
      pixels_ = Buffer::of<B>(capacity_);
      done();  // what had this memory before
    }
    cuda::require(cudaStreamWaitEvent(copies, used_, 0), "cudaStreamWaitEvent");
    cuda::require(cudaMemcpyAsync(pixels_.data(), batch.pixels.data(), bytes, cudaMemcpyHostToDevice, copies),
                  "cudaMemcpyAsync");
    cuda::require(cudaEventRecord(arrived_, copies), "cudaEventRecord");
    cuda::require(cudaStreamWaitEvent(cuda::stream(), arrived_, 0), "cudaStreamWaitEvent");
    return static_cast<const std::uint8_t*>(pixels_.data());
  }
  /// What is queued so far is all that reads the bytes.
  void done() { cuda::require(cudaEventRecord(used_, cuda::stream()), "cudaEventRecord"); }

 private:
  Buffer pixels_;
  std::size_t capacity_ = 0;
  cudaEvent_t arrived_ = nullptr, used_ = nullptr;
};

}  // namespace detail

/// Has Loader's interface and makes the same batches, as CudaLoader does, of images of any sizes. It takes page-locked
/// memory for the images of six batches or more, and on the device for those of two. Throws Error where a view is no
/// Augmentation, or where LoaderOptions::replace is false.
template <class B>
class CudaStreamLoader {
  static_assert(OffersViews<B>, "vitral: CudaStreamLoader needs a backend that makes views; use Loader");

 public:
  using batch_type = ImageBatch<B, Cpu>;  // labels are in host memory

  CudaStreamLoader(Dataset data, ImageViews views, LoaderOptions options = {})
      : shapes_(shapes_of(views)),
        state_(std::make_unique<State>(std::move(data), std::move(views), std::move(options))) {
    check(state_->images.options().replace, state_->images.dataset().name(),
          ": CudaStreamLoader replaces images that cannot be read; for LoaderOptions::replace = false use Loader");
  }

  [[nodiscard]] long batches() const { return state_->images.batches(); }
  void start(long epoch, long first_batch = 0) { state_->images.start(epoch, first_batch); }

  /// Queues the next batch, waiting for its images alone; see Loader::next. The views are new tensors: those of the
  /// batch before stay as they are for whoever holds them.
  bool next(batch_type& batch) {
    detail::Upload& upload = state_->uploads[turn_];
    upload.wait();
    if (!state_->images.next(upload.batch)) return false;
    turn_ = 1 - turn_;
    DrawnBatch& drawn = upload.batch;
    batch.epoch = drawn.epoch;
    batch.index = drawn.index;
    std::swap(batch.labels, drawn.labels);
    std::swap(batch.places, drawn.places);
    batch.views.clear();  // their memory may serve the new ones
    const std::uint8_t* const pixels = upload.template queue<B>(state_->copies);
    for (std::size_t k = 0; k < shapes_.size(); ++k)
      batch.views.push_back(make_views<B>(shapes_[k], drawn.jobs[k], pixels));
    upload.done();
    return true;
  }

  /// An epoch as a range.
  [[nodiscard]] Epoch<CudaStreamLoader> epoch(long number, long first_batch = 0) {
    return {*this, number, first_batch};
  }

  void stop() { state_->images.stop(); }
  [[nodiscard]] double wait_seconds() const { return state_->images.wait_seconds(); }
  [[nodiscard]] const Dataset& dataset() const { return state_->images.dataset(); }
  [[nodiscard]] const ImageViews& views() const { return state_->images.views(); }
  [[nodiscard]] const LoaderOptions& options() const { return state_->images.options(); }
  [[nodiscard]] long unreadable() const { return state_->images.unreadable(); }

 private:
  struct State {
    State(Dataset data, ImageViews views, LoaderOptions options)
        : images(std::move(data), std::move(views), std::move(options)) {
      cuda::Device::instance();  // says where there is none
      cuda::require(cudaStreamCreateWithFlags(&copies, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
      cudaStreamSynchronize(copies);
      cudaStreamDestroy(copies);
    }

    detail::LoaderState<DrawnBatch> images;
    cudaStream_t copies = nullptr;
    std::array<detail::Upload, 2> uploads;
  };

  std::vector<ViewShape> shapes_;
  std::unique_ptr<State> state_;  // the workers need a fixed address
  std::size_t turn_ = 0;
};

}}  // namespace vitral
