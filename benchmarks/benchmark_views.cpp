// Makes MoCo v3's two views of images on one thread, from the file to the normalised numbers, for some seconds.
#include <vitral/data/datasets.hpp>
#include <vitral/data/loader.hpp>
#include <vitral/data/views.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace vitral;

int main(int argc, char** argv) {
  std::string dataset = "images", data;
  int image = 224;
  double seconds = 5;
  CLI::App app("Times the two views of MoCo v3 on one thread");
  app.add_option("--dataset", dataset, "Layout of the images in --data")->capture_default_str();
  app.add_option("--data", data, "Directory of the data set")->required();
  app.add_option("--image", image, "Side of a view in pixels")->capture_default_str();
  app.add_option("--seconds", seconds, "How long")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const Dataset images = open_dataset(dataset, data, Split::train);
  const ImageViews views = two_views(moco_v3_augmentation(image));
  std::vector<float> out(3 * static_cast<std::size_t>(image) * static_cast<std::size_t>(image));
  long count = 0;
  double decoding = 0, elapsed = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto since = [](auto start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  for (; elapsed < seconds; elapsed = since(begin), ++count) {
    const auto read = std::chrono::steady_clock::now();
    const Image image = images.image(count % images.size());
    decoding += since(read);
    for (std::size_t k = 0; k < views.size(); ++k)
      views[k](image, {0, stream_view(k), static_cast<std::uint64_t>(count)}, out.data());
  }
  std::printf("vitral %s %d px: %.1f images/s, %.0f %% of the time reading and decoding\n", dataset.c_str(), image,
              static_cast<double>(count) / elapsed, 100 * decoding / elapsed);
}
