// A method of one's own: SimSiam (Chen and He 2021) with self-distillation, in which every layer predicts the last one.
#include <vitral/data/batches.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

#include <iostream>

using namespace vitral;

// data
// Stripes across or down, shifted by chance.
struct Stripes {
  Tensor<float, Shape<dyn, 3, dyn, dyn>> x;
  Tensor<int, Shape<dyn>> kind;

  Stripes(int images, Random random) : x({images, 16, 16}), kind({images}) {
    for (int i = 0; i < images; ++i) {
      kind(i) = i % 2;
      const int shift = static_cast<int>(random.below(static_cast<std::uint64_t>(i), 4));
      for (int p = 0; p < 3 * 256; ++p)
        x.data()[i * 768l + p] = static_cast<float>(((kind(i) == 0 ? p / 16 % 16 : p % 16) + shift) / 2 % 2);
    }
  }
};
// end of data

template <class Encoder>
struct SelfDistilledSimSiam {
  Branch<Encoder> student;
  VITRAL_MEMBERS(student)

  SelfDistilledSimSiam(const Encoder& encoder, Initializer init)
      : student(encoder, {.hidden = 64, .out = 32}, LastNorm::yes, true, layers_below(encoder.depth()), init) {}

  auto loss(Tape& tape, const auto& batch, const Training& mode) const {
    const auto project_noisy = [&] {
      const auto images = tape.constant(batch.x + uniform(mode.draw(), batch.x.shape()));
      return student.project(student.features(images, mode), mode);
    };
    const auto z1 = project_noisy(), z2 = project_noisy();
    const auto to1 = CosineDistance{}.against(detach(z1.back())), to2 = CosineDistance{}.against(detach(z2.back()));
    const auto predicts = [&](std::size_t i) {
      return to2(student.predictor[i](z1[i], mode)) + to1(student.predictor[i](z2[i], mode));
    };
    return sum_over_layers(z1.size(), predicts) / static_cast<double>(z1.size());
  }
};

int main() {
  const Stripes images(512, {1});
  const ViT<Cpu, float, ViTSize{16, 4, 32, 3, 2}> encoder(Seed{1});
  Trainer trainer(SelfDistilledSimSiam(encoder, Initializer(Seed{2})), AdamW{.lr = 1e-3}, Schedule{.epochs = 8});
  const auto losses = trainer.fit(Batches(images.x, {.batch = 64}));
  std::cout << "own_method: the loss fell from " << losses.front() << " to " << losses.back() << '\n';
  bool good = losses.back() < 0.5 * losses.front();
  for (const auto& features : encoder.layers(images.x)) {
    const auto unit = eval(l2_normalize(features));
    const auto others = not_equal(positions(Shape<dyn, 1>{512}), positions(Shape<dyn>{512}));
    const auto nearest = argmax<1>(select(others, matmul(unit, transpose<1, 0>(unit)), -1));
    const float right = mean(cast<float>(equal(gather(images.kind, nearest), images.kind))).item();
    std::cout << "own_method: the nearest image is of the same kind for " << 100 * right << " %\n";
    good = good && right > 0.9f;
  }
  return good ? 0 : 1;
}
