// A method of your own, as a task for the trainer: SimSiam (Chen and He 2021), without negatives and without a teacher.
//
//   own_method [DIRECTORY OF FASHION-MNIST]
#include <vitral/data.hpp>
#include <vitral/eval.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

#include <cstdio>

using namespace vitral;

// Whatever names its members and offers a loss of a batch is a task. The encoder shares its parameters with the caller.
template <class Encoder>
struct SimSiam {
  Encoder encoder;
  Head<> projector, predictor;
  VITRAL_MEMBERS(encoder, projector, predictor)

  SimSiam(const Encoder& trained, Initializer init)
      : encoder(trained),
        projector(3, trained.size.width, 256, 64, LastNorm::yes, init),
        predictor(2, 64, 32, 64, LastNorm::no, init) {}

  // Two views of each image, [batch, 3, side, side]: each one's prediction is to be near the other one's projection,
  // which is taken as given (detach).
  auto loss(Tape& tape, const auto& batch, const Training& mode) const {
    const auto z1 = projector(encoder(tape.constant(batch.views[0]), mode), mode);
    const auto z2 = projector(encoder(tape.constant(batch.views[1]), mode), mode);
    const CosineDistance distance;
    const auto one = distance.against(detach(z2))(predictor(z1, mode));
    const auto two = distance.against(detach(z1))(predictor(z2, mode));
    return (one + two) / 2;
  }
};

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
  const Dataset train = FashionMnist(folder, Split::train), test = FashionMnist(folder, Split::test);

  const ViT<Cpu, float, ViTSize{28, 7, 48, 3, 3}> encoder(Seed{0});
  const SimSiam task(encoder, Initializer(Seed{1}));
  auto trainer = Trainer(task, AdamW{.lr = 1e-3, .weight_decay = 0.05}, Schedule{.epochs = 2, .warmup_epochs = 0});
  trainer.fit(Loader(subset(train, 4096), two_views(simclr_augmentation(28)), {.batch = 128}));

  const auto accuracy = knn_accuracy(encoder, train, 2000, test, 500);
  for (std::size_t layer = 0; layer < accuracy.size(); ++layer)
    std::printf("k-NN by layer %zu: %.1f %%\n", layer + 1, 100 * accuracy[layer]);
}
