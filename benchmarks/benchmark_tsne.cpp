// Seconds that t-SNE takes for the first images of CIFAR-10, averaged to 8 x 8 pixels: 192 numbers each.
#include <vitral/data/cifar.hpp>
#include <vitral/eval/analyses/principal.hpp>
#include <vitral/eval/analyses/tsne.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>

using namespace vitral;

namespace {

/// The numbers that tsne_time.py makes, too.
Features averaged(const Dataset& data, long count) {
  Features out{{}, 3 * 8 * 8, {}, 0};
  for (long i = 0; i < count; ++i) {
    const Image image = data.image(i);
    int sum[3 * 8 * 8] = {};
    for (int at = 0; at < 3 * 32 * 32; ++at)
      sum[at % 3 * 64 + at / 3 / 32 / 4 * 8 + at / 3 % 32 / 4] += image.rgb[static_cast<std::size_t>(at)];
    for (const int whole : sum) out.rows.push_back(static_cast<float>(whole) / (16 * 255));
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  std::string data;
  long images = 5000;
  CLI::App app("Times t-SNE of images of CIFAR-10");
  app.add_option("--data", data, "Directory of CIFAR-10's binary files")->required();
  app.add_option("--images", images, "How many images")->check(CLI::Range(100, 50000))->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const Features features = averaged(Cifar10(data), images);
  const auto begin = std::chrono::steady_clock::now();
  const Tsne result = tsne(features, project(principal_axes(features), features));
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  const Affinities p = affinities(features, 30);
  const double exact = tsne_divergence(p, result.points, tsne_forces(p, result.points, 0).sum);
  std::printf("vitral t-SNE: %.2f s, %ld images, KL divergence %.4f\n", time.count(), images, exact);
}
