// A tour in four stops: tensors, the tape, a layer of your own, and self-distilled pretraining.
//
//   tour [DIRECTORY OF FASHION-MNIST]
#include <vitral/data.hpp>
#include <vitral/eval.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

#include <cstdio>

using namespace vitral;

// A layer is a plain struct that names its members once, for optimisers and checkpoints. One call operator serves
// inference and training.
struct TwoLayers {
  Linear<192, 768> fc1;
  Linear<768, 192> fc2;
  VITRAL_MEMBERS(fc1, fc2)
  auto operator()(const auto& x) const { return fc2(gelu(fc1(x))); }
};

int main(int argc, char** argv) {
  // 1. Tensors: each extent is known at compile time or at run time; arithmetic is lazy and fuses into one loop.
  Tensor<float, Shape<dyn, 192>> x({64});
  Tensor<float, Shape<192>> bias;
  auto y = eval(gelu(x + bias));
  std::printf("1. y has shape %s\n", to_string(y.shape()).c_str());

  // 2. The tape: an element-wise expression of any size is one node whose derivative is formed at compile time.
  const auto weight = Linear<192, 192>(Seed{1}).weight.value;
  const auto target = clone(y);
  Tape tape;
  auto w = tape.watch(weight);
  auto h = gelu(matmul(x + 1, w) + bias);
  tape.backward(mean(square(h - target)));
  std::printf("2. the gradient of w has norm %.4f\n", std::sqrt(sum(square(w.grad())).item()));

  // 3. Without a tape nothing is recorded; the same layer trains when its input is on one.
  const TwoLayers layers;
  const auto ones = eval(x + 1);
  const auto error = [&](const auto& input) { return mean(square(layers(input) - target)); };
  std::printf("3. the layer's error is %.4f", error(ones).item());
  auto optimizer = make_optimizer(AdamW{.lr = 1e-3}, layers);
  for (int step = 0; step < 10; ++step) {
    Tape recorded;
    recorded.backward(error(recorded.constant(ones)));
    optimizer.step(recorded);
  }
  std::printf(", after ten steps %.4f\n", error(ones).item());

  // 4. Self-distilled MoCo v3 on real images, with the accuracy of every layer at the end.
  const std::string data = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
  const Dataset train = FashionMnist(data, Split::train), test = FashionMnist(data, Split::test);
  ViT<Cpu, float, ViTSize{28, 7, 48, 3, 3}> encoder(Seed{0});
  auto method = self_distilled(MoCoV3(encoder, {.hidden = 64, .out = 32}), {.ratio = 1.0});
  auto trainer = Trainer(method, AdamW{.lr = 1e-3, .weight_decay = 0.1}, Schedule{.epochs = 1, .warmup_epochs = 0});
  trainer.fit(Loader(subset(train, 2048), two_views(moco_v3_augmentation(28)), {.batch = 128}));
  const auto found = evaluate(encoder, subset(train, 2000), subset(test, 500));
  for (std::size_t i = 0; i < found.layers.size(); ++i)
    std::printf("4. layer %zu: k-NN %.1f %%, logistic regression %.1f %%\n", i + 1,
                100 * found.layers[i].knn.at(20).top1, 100 * found.layers[i].logistic->top1);
}
