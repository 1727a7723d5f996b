// A network from its file: what it makes of images, and how alike they are to it.
//
//   inference CHECKPOINT IMAGE...
#include <vitral/data.hpp>
#include <vitral/io.hpp>
#include <vitral/models/load_vit.hpp>
#include <vitral/vitral.hpp>

#include <algorithm>
#include <cstdio>

using namespace vitral;

int main(int argc, char** argv) try {
  check(argc >= 3, "usage: inference CHECKPOINT IMAGE...");
  const auto network = load_vit<Cpu, float>(argv[1]);  // the file says what network it is
  const int images = argc - 2, side = network.size.image;

  // JPEG, PNG or WebP; the middle of each image, as evaluation takes it.
  Tensor<float, Shape<dyn, 3, dyn, dyn>> pixels({images, side, side});
  const CenterView view = center_view(side);
  for (int i = 0; i < images; ++i) view(read_image(argv[2 + i]), pixels.data() + pixels.size() / images * i);

  // Without a tape nothing is recorded, and a network may be used by several threads at once.
  const auto features = eval(l2_normalize(network(pixels)));  // [images, width]
  const auto alike = eval(matmul(features, transpose<1, 0>(features)));
  for (int i = 0; i < images; ++i) {
    std::printf("%s:", argv[2 + i]);
    for (int j = 0; j < images; ++j) std::printf(" %5.2f", static_cast<double>(alike(i, j)));
    std::printf("\n");
  }
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
