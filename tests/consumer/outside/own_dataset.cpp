// A data set of one's own trains an encoder through its labels, and k-NN tells how good each layer has become.
#include <vitral/data/loader.hpp>
#include <vitral/eval/classifiers/knn.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

#include <iostream>

using namespace vitral;

// data
// A bright diamond or square somewhere on a dark ground.
Image shape_of_kind(int kind, Random random) {
  Image image{16, 16, std::vector<std::uint8_t>(768, 30)};
  const int row = 5 + static_cast<int>(random.below(0, 6)), column = 5 + static_cast<int>(random.below(1, 6));
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16; ++x) {
      const int down = std::abs(y - row), right = std::abs(x - column);
      const bool inside = kind == 0 ? down + right < 5 : down < 4 && right < 4;
      for (int c = 0; c < 3 && inside; ++c) image.rgb[static_cast<std::size_t>(3 * (16 * y + x) + c)] = 220;
    }
  return image;
}
// end of data

struct Shapes {
  long images;
  std::uint64_t seed;
  long size() const { return images; }
  Image image(long i) const { return shape_of_kind(label(i), {seed, 0, static_cast<std::uint64_t>(i)}); }
  int label(long i) const { return static_cast<int>(i % 2); }
  std::vector<std::string> classes() const { return {"diamond", "square"}; }
  std::string name() const { return "shapes"; }
};

int main() {
  const Shapes train{512, 1}, test{128, 2};
  const ViT<Cpu, float, ViTSize{16, 4, 32, 2, 2}> encoder(Seed{1}, {.train_patch_embed = true});
  Trainer trainer(Supervised(Sequential(encoder, Linear<32, 2>(Seed{2}))), AdamW{.lr = 2e-3}, Schedule{.epochs = 10});
  const double loss = trainer.fit(Loader(train, {center_view(16)}, {.batch = 64})).back();
  const auto right = knn_accuracy(encoder, train, train.size(), test, test.size());
  std::cout << "own_dataset: the last epoch's loss is " << loss << '\n';
  for (const double share : right) std::cout << "own_dataset: k-NN is right on " << 100 * share << " %\n";
  return loss < 0.2 && right.back() > 0.9 ? 0 : 1;
}
