// Batches whose views the device makes: within 2 of 255 of the host's loader at every pixel, and each time the same
// bits.
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/data/cuda/loader.hpp>
#include <vitral/data/cuda/stream_loader.hpp>

#include <cuda_runtime.h>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <string>
#include <vector>

namespace cuda_test {

using namespace vitral;

/// Coloured shades with noise upon them. The image `odd` is one row higher, the image `broken` cannot be read, and
/// where they are `mixed`, no three in turn have the same size.
struct Shades {
  long count;
  int height, width;
  long odd = -1, broken = -1;
  bool mixed = false;

  long size() const { return count; }
  Image image(long i) const {
    if (i == broken) fail("image ", i, " is broken");
    Image image{height + (i == odd ? 1 : 0), width, {}};
    if (mixed) image.height += static_cast<int>(i % 3) * 9, image.width += static_cast<int>(i % 2) * 25;
    const Random noise{7, 1, static_cast<std::uint64_t>(i)};
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x)
        for (int c = 0; c < 3; ++c) {
          const double shade = std::sin(0.2 * x + c * static_cast<double>(i)) * std::cos(0.15 * y + c + 1);
          image.rgb.push_back(static_cast<std::uint8_t>(110 + 100 * shade + 40 * noise.uniform(image.rgb.size())));
        }
    return image;
  }
  int label(long i) const { return static_cast<int>(i % 10); }
  std::vector<std::string> classes() const { return std::vector<std::string>(10, "class"); }
  std::string name() const { return "shades"; }
};

struct Difference {
  double largest = 0, sum = 0;
  long count = 0;
};

/// Adds how far the device's batch is from the host's, in 255ths; false if they are not of the same images.
bool compare(const ImageBatch<Cuda, Cpu>& device, const Batch& host, const ImageViews& views, Difference& out) {
  if (device.epoch != host.epoch || device.index != host.index || device.places != host.places ||
      !std::equal(host.labels.data(), host.labels.data() + host.size(), device.labels.data()) ||
      device.views.size() != host.views.size())
    return false;
  for (std::size_t k = 0; k < views.size(); ++k) {
    const int side = views[k].size();
    if (device.views[k].shape() != Shape<dyn, 3, dyn, dyn>{host.size(), side, side}) return false;
    const std::vector<float> values = device.views[k].to_vector();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t channel = i / static_cast<std::size_t>(side * side) % 3;
      const double scale = 255 * static_cast<double>(views[k].augmentation()->normalize.deviation[channel]);
      const double difference = scale * std::fabs(static_cast<double>(values[i] - host.views[k].data()[i]));
      out.largest = std::max(out.largest, difference);
      out.sum += difference;  // a NaN stays in it
    }
    out.count += static_cast<long>(values.size());
  }
  return true;
}

/// Two epochs beside the host's; the second begins at its second batch and is made twice. All batches of an epoch are
/// queued before the first is looked at. Before that an epoch is given up.
template <class DeviceLoader = CudaLoader<Cuda>>
bool agrees(const char* what, const Shades& images, const ImageViews& views, LoaderOptions options) {
  Loader host(images, views, options);
  DeviceLoader device(images, views, options);
  Difference difference;
  Batch expected;
  ImageBatch<Cuda, Cpu> batch, again;
  bool right = device.batches() == host.batches() && !device.next(batch);
  device.start(0);
  right = right && device.next(again);
  device.stop();
  for (long epoch = 0; epoch < 2; ++epoch) {
    host.start(epoch, epoch);
    device.start(epoch, epoch);
    std::deque<ImageBatch<Cuda, Cpu>> batches(1);
    while (device.next(batches.back())) batches.emplace_back();
    for (batches.pop_back(); !batches.empty(); batches.pop_front()) {
      batch = batches.front();
      right = host.next(expected) && compare(batch, expected, views, difference) && right;
    }
    right = right && !host.next(expected);
  }
  device.start(1, batch.index);
  right = right && device.next(again) && device.unreadable() == host.unreadable();
  for (std::size_t k = 0; right && k < views.size(); ++k)
    right = again.views[k].to_vector() == batch.views[k].to_vector();
  const double mean = difference.sum / static_cast<double>(difference.count);
  std::printf("%s: %ld numbers, largest difference %.3g of 255, mean %.3g\n", what, difference.count,
              difference.largest, mean);
  if (!right) std::printf("%s: the batches are not the host's\n", what);
  return right && difference.largest <= 2 && mean < 1e-3;
}

template <class Call>
bool refuses(const char* expected, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    if (std::string(error.what()).find(expected) != std::string::npos) return true;
    std::printf("the error does not name \"%s\": %s\n", expected, error.what());
    return false;
  }
  std::printf("no error names \"%s\"\n", expected);
  return false;
}

bool refuses_what_it_cannot() {
  const ImageViews views = two_views(moco_v3_augmentation(32));
  const LoaderOptions options{.batch = 2};
  const Shades images{4, 32, 32};
  bool right =
      refuses("shades: image 3 has 33 x 32 pixels, the first 32 x 32; CudaLoader takes images of one size", [&] {
        CudaLoader<Cuda>(Shades{4, 32, 32, 3}, views, options);
      });
  right = refuses("the views of an Augmentation alone, and one of 32 pixels is another",
                  [&] { CudaLoader<Cuda>(images, {center_view(32)}, options); }) &&
          right;
  right = refuses("the views of an Augmentation alone, and one of 32 pixels is another",
                  [&] { CudaStreamLoader<Cuda>(images, {center_view(32)}, options); }) &&
          right;
  LoaderOptions leaves_out = options;
  leaves_out.replace = false;
  return refuses("shades: CudaStreamLoader replaces", [&] { CudaStreamLoader<Cuda>(images, views, leaves_out); }) &&
         right;
}

}  // namespace cuda_test

int main() {
  using namespace cuda_test;
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  Augmentation wild = byol_augmentation(24).first;  // every operation always, and not square
  wild.jitter = wild.gray = wild.solarize = wild.flip = 1;
  wild.sigma_max = 4;
  const LoaderOptions options{.batch = 16, .seed = 5, .drop_last = false, .log = {}};
  LoaderOptions large = options, second = options;
  large.batch = 700;  // more than one kernel takes
  second.batch = 3;   // of many, so that what loaders use in turn is used again
  second.workers = 1;
  second.rank = 1;
  second.ranks = 2;
  Augmentation wide = wild;
  wide.size = 150;
  const ImageViews crops = multi_crop(dino_multi_crop(32, 16, 2));
  const bool right[] = {
      agrees("MoCo v3, 32 to 32", {72, 32, 32}, two_views(moco_v3_augmentation(32)), options),
      agrees("BYOL, 32 to 32", {72, 32, 32}, two_views(byol_augmentation(32)), options),
      agrees("SimCLR, 32 to 32", {72, 32, 32}, two_views(simclr_augmentation(32)), options),
      agrees("MoCo v3, 48 to 32", {72, 48, 48}, two_views(moco_v3_augmentation(32)), options),
      agrees("SimCLR, 48 to 32", {72, 48, 48}, two_views(simclr_augmentation(32)), second),
      agrees("BYOL, 96 to 64", {18, 96, 96}, two_views(byol_augmentation(64)), options),
      agrees("BYOL, 96 to 128, not in shared memory", {17, 96, 96}, two_views(byol_augmentation(128)), options),
      agrees("everything, 40 x 28 to 24", {40, 40, 28}, {wild, wild, wild}, options),
      agrees("an image is broken", {40, 16, 16, -1, 9}, two_views(moco_v3_augmentation(16)), options),
      agrees<CudaStreamLoader<Cuda>>("streamed, 40 x 28 and larger", {40, 40, 28, -1, 9, true}, crops, second),
      agrees<CudaStreamLoader<Cuda>>("streamed, to 150", {17, 120, 160, -1, -1, true}, {wide, wide}, options),
      agrees("large batches", {1500, 8, 8}, two_views(simclr_augmentation(8)), large),
      refuses_what_it_cannot(),
  };
  return std::all_of(std::begin(right), std::end(right), [](bool r) { return r; }) ? 0 : 1;
}
