// Batches that several threads fill with images, in any order.
#pragma once

#include <vitral/data/batch.hpp>
#include <vitral/data/views.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace detail {

/// A batch that workers fill: one makes room for `count` images, then each puts in some, with the random numbers of
/// their views, and the last closes it. `shared` guards what the images have in common.
template <class Batch>
struct Filling;

template <>
struct Filling<Batch> {
  Batch batch;
  std::mutex shared;

  void make_room(int count, const ImageViews& views) {
    batch.views.resize(views.size());
    for (std::size_t k = 0; k < views.size(); ++k)
      detail::make_room(batch.views[k], {count, views[k].size(), views[k].size()});
    batch.missing.clear();
  }
  /// Without an image: zeros.
  template <class RandomOf>
  void put(const std::optional<Image>& image, int i, const ImageViews& views, const RandomOf& random_of) {
    for (std::size_t k = 0; k < views.size(); ++k) {
      const long pixels = batch.views[k].size() / batch.views[k].extent(0);
      float* const out = batch.views[k].data() + i * pixels;
      if (image)
        views[k](*image, random_of(k), out);
      else
        std::fill_n(out, pixels, 0.0f);
    }
    if (image) return;
    const std::lock_guard lock(shared);
    batch.missing.insert(std::upper_bound(batch.missing.begin(), batch.missing.end(), i), i);
  }
  void close() {}
};

template <>
struct Filling<DrawnBatch> {
  DrawnBatch batch;
  std::mutex shared;
  std::vector<std::pair<std::size_t, std::vector<std::uint8_t>>> late;  // images without room yet, and their places

  void make_room(int count, const ImageViews& views) {
    batch.used = 0;
    late.clear();  // of a batch that was given up
    batch.jobs.resize(views.size());
    for (auto& jobs : batch.jobs) jobs.resize(static_cast<std::size_t>(count));
  }
  template <class RandomOf>
  void put(std::optional<Image>& image, int i, const ImageViews& views, const RandomOf& random_of) {
    check_image(*image);
    std::unique_lock lock(shared);
    const std::size_t first = batch.used;
    batch.used += image->rgb.size();
    if (batch.used > batch.pixels.size()) {
      late.emplace_back(first, std::move(image->rgb));
    } else {
      lock.unlock();  // the others are not to wait for the copy
      std::copy(image->rgb.begin(), image->rgb.end(), batch.pixels.begin() + static_cast<std::ptrdiff_t>(first));
    }
    for (std::size_t k = 0; k < views.size(); ++k)
      batch.jobs[k][static_cast<std::size_t>(i)] = {
          views[k].augmentation()->draw(image->height, image->width, random_of(k)), first, image->width};
  }
  /// Gives late images their room; other batches of the run will hardly need more.
  void close() {
    if (late.empty()) return;
    HostVector<std::uint8_t> larger(batch.used + batch.used / 4);
    std::copy(batch.pixels.begin(), batch.pixels.end(), larger.begin());
    for (const auto& [first, rgb] : late)
      std::copy(rgb.begin(), rgb.end(), larger.begin() + static_cast<std::ptrdiff_t>(first));
    batch.pixels.swap(larger);
    late.clear();
  }
};

}}}  // namespace vitral::detail
