// A vision transformer with a linear head learns to name textures.
#include <vitral/data/batches.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

#include <iostream>

using namespace vitral;

// data
// Stripes across, stripes down, and boards of squares, shifted by chance, with noise.
struct Textures {
  Tensor<float, Shape<dyn, 3, dyn, dyn>> x;
  Tensor<int, Shape<dyn>> kind;

  Textures(int images, Random random) : x({images, 16, 16}), kind({images}) {
    for (int i = 0; i < images; ++i) {
      kind(i) = i % 3;
      const int shift = static_cast<int>(random.below(static_cast<std::uint64_t>(x.size() + i), 4));
      for (int p = 0; p < 3 * 256; ++p) {
        const int across = p / 16 % 16 / 2 % 2, down = (p % 16 + shift) / 2 % 2;
        const int on = kind(i) == 0 ? across : kind(i) == 1 ? down : across ^ down;
        const long at = i * 768l + p;
        x.data()[at] = static_cast<float>(on) + random.uniform_float(static_cast<std::uint64_t>(at)) - 1;
      }
    }
  }
};
// end of data

int main() {
  const Textures train(768, {1}), test(192, {2});
  const Sequential net(ViT<Cpu, float, ViTSize{16, 4, 32, 2, 2}>(Seed{1}, {.train_patch_embed = true}),
                       Linear<32, 3>(Seed{2}));
  Trainer(Supervised(net), AdamW{.lr = 2e-3}, Schedule{.epochs = 8}).fit(Batches(train.x, train.kind, {.batch = 64}));
  const float right = accuracy(net(test.x), test.kind).item();
  std::cout << "vit_classifier: right on " << 100 * right << " % of the images\n";
  return right > 0.95f ? 0 : 1;
}
