// The published linear protocols: the numbers of their authors' code, their features, and a run.
#include <vitral/eval/classifiers/linear_protocol.hpp>
#include <vitral/models/patch_tokens.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace vitral;

namespace {

/// Images of a gray that says their class.
struct Grays {
  long size() const { return 36; }
  Image image(long i) const { return {8, 8, std::vector<std::uint8_t>(192, static_cast<std::uint8_t>(90 * label(i)))}; }
  int label(long i) const { return static_cast<int>(i % 3); }
  std::vector<std::string> classes() const { return {"dark", "gray", "bright"}; }
  std::string name() const { return "grays"; }
};

const ViT<Cpu, float>& encoder() {
  static const ViT<Cpu, float> network(ViTSize{8, 4, 16, 3, 2}, Seed{1});
  return network;
}

Tensor<float, Shape<dyn, 3, dyn, dyn>> images() {
  return eval(normal(Random{1, 2, 3}, Shape<dyn, 3, dyn, dyn>({5, 8, 8})));
}

}  // namespace

TEST_CASE("the protocols have the numbers of their authors' code") {
  // moco-v3: CONFIG.md, "main_lincls.py -a vit_small --lr=3"; the rest are main_lincls.py's defaults.
  const LinearProtocol moco = known_linear_protocol("moco-v3", vit_small_224);
  CHECK(moco.rates == std::vector<double>{3});
  CHECK(moco.epochs == 90);
  CHECK(moco.batch == 1024);
  CHECK(moco.momentum == 0.9);
  CHECK(moco.last_blocks == 1);
  CHECK_FALSE(moco.average_pool);
  CHECK(moco.interpolation == Interpolation::bilinear);          // transforms.Resize(256)
  CHECK(moco.crop_min == 0.08);                                  // transforms.RandomResizedCrop(224)
  CHECK(scaled_learning_rate(moco.rates[0], moco.batch) == 12);  // args.lr * args.batch_size / 256

  // dino: eval_linear.py's defaults, its help for --n_last_blocks and --avgpool_patchtokens; README: eight processes.
  const LinearProtocol small = known_linear_protocol("dino", vit_small_224), base = dino_linear(vit_base_224);
  CHECK(std::find(small.rates.begin(), small.rates.end(), 0.001) != small.rates.end());
  CHECK(small.epochs == 100);
  CHECK(small.batch == 8 * 128);
  CHECK(small.momentum == 0.9);
  CHECK(small.last_blocks == 4);
  CHECK_FALSE(small.average_pool);
  CHECK(base.last_blocks == 1);
  CHECK(base.average_pool);
  CHECK(base.interpolation == Interpolation::bicubic);  // pth_transforms.Resize(256, interpolation=3)
  CHECK(base.crop_min == 0.08);                         // pth_transforms.RandomResizedCrop(224)

  CHECK_THROWS_WITH_AS(
      (void)known_linear_protocol("moco", vit_small_224),
      doctest::Contains("unknown linear protocol \"moco\" (did you mean moco-v3? known: moco-v3, dino)"), Error);
}

TEST_CASE("the rate falls between epochs alone, as main_lincls.py's adjust_learning_rate has it") {
  const Schedule schedule{.epochs = 90, .by_epoch = true};
  for (const long epoch : {0l, 1l, 44l, 89l})
    for (const long step : {0l, 17l, 99l}) {
      const double expected = 12 * 0.5 * (1 + std::cos(M_PI * static_cast<double>(epoch) / 90));
      CHECK(schedule.lr_at(100 * epoch + step, 12, 100) == doctest::Approx(expected));
    }
}

TEST_CASE("classifiers start as normal_(std=0.01) and zero_() of both codes") {
  const RateSweep<> sweep(2, 40, 500, Seed{3});
  double squares = 0;
  for (int c = 0; c < 40; ++c) {
    CHECK(sweep.weights[1].value(c, 500) == 0);  // the bias
    for (int j = 0; j < 500; ++j) squares += std::pow(static_cast<double>(sweep.weights[1].value(c, j)), 2);
  }
  CHECK(std::sqrt(squares / 20000) == doctest::Approx(0.01).epsilon(0.02));
}

TEST_CASE("features are the final norm's raw outputs: class tokens side by side, and the mean of the patches") {
  const auto layers = encoder().layers(images());
  std::vector<float> x = detail::frozen_inputs(encoder(), moco_v3_linear(encoder().size), images()).to_vector();
  REQUIRE(x.size() == 5 * 17);
  double squares = 0;
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 16; ++j) {
      CHECK(x[17 * i + j] == layers[2].data()[16 * i + j]);
      squares += std::pow(static_cast<double>(x[17 * i + j]), 2) / 80;
    }
  CHECK(squares == doctest::Approx(1).epsilon(0.01));  // as LayerNorm leaves them, not of unit length
  CHECK(x[16] == 1);

  LinearProtocol protocol = dino_linear(encoder().size);
  CHECK(protocol.last_blocks == 3);  // all that it has
  protocol.last_blocks = 2;
  x = detail::frozen_inputs(encoder(), protocol, images()).to_vector();
  REQUIRE(x.size() == 5 * 33);
  for (std::size_t j = 0; j < 16; ++j) {
    CHECK(x[4 * 33 + j] == layers[1].data()[4 * 16 + j]);
    CHECK(x[4 * 33 + 16 + j] == layers[2].data()[4 * 16 + j]);
  }

  protocol.last_blocks = 1;
  protocol.average_pool = true;
  x = detail::frozen_inputs(encoder(), protocol, images()).to_vector();
  const auto patches = mean<1>(patch_tokens(encoder(), images(), 3));
  REQUIRE(x.size() == 5 * 33);
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 16; ++j) {
      CHECK(x[33 * i + j] == doctest::Approx(layers[2].data()[16 * i + j]).epsilon(1e-4));
      CHECK(x[33 * i + 16 + j] == doctest::Approx(patches.data()[16 * i + j]).epsilon(1e-4));
    }
}

TEST_CASE("a run trains a classifier for each rate") {
  LinearProtocol protocol = dino_linear(encoder().size);
  protocol.rates = {1e-9, 1};
  protocol.epochs = 12;
  protocol.batch = 16;  // the last of an epoch has four images
  const auto before = encoder().blocks[0].norm1.weight.value.to_vector();
  std::vector<LinearEpoch> epochs;
  std::vector<double> rates;
  LinearOptions options{.seed = Seed{2}, .workers = 0};
  options.epoch_done = [&](const LinearEpoch& epoch) { epochs.push_back(epoch); };
  options.step_done = [&](const StepReport& report) { rates.push_back(report.lr); };
  const RateSweep<> sweep = linear_classification(encoder(), protocol, Grays{}, Grays{}, options);
  REQUIRE(epochs.size() == 12);
  CHECK(epochs.back().epoch == 12);
  REQUIRE(epochs.back().test.size() == 2);
  CHECK(epochs.back().test[1].images == 36);
  CHECK(epochs.back().test[1].top1() == 1);
  CHECK(epochs.back().test[0].top1() < 1);
  REQUIRE(rates.size() == 36);
  CHECK(rates[0] == 16.0 / 256);  // of a base rate of 1
  CHECK(rates[2] == rates[0]);
  CHECK(rates[35] == doctest::Approx(16.0 / 256 * 0.5 * (1 + std::cos(M_PI * 11 / 12))));
  CHECK(encoder().blocks[0].norm1.weight.value.to_vector() == before);

  options.workers = 2;  // nothing depends on them
  const RateSweep<> again = linear_classification(encoder(), protocol, Grays{}, Grays{}, options);
  CHECK(again.weights[1].value.to_vector() == sweep.weights[1].value.to_vector());
}

TEST_CASE("protocols that do not fit the network or the images are refused") {
  LinearProtocol protocol = moco_v3_linear(encoder().size);
  protocol.last_blocks = 4;
  CHECK_THROWS_WITH_AS((void)linear_classification(encoder(), protocol, Grays{}, Grays{}),
                       doctest::Contains("class tokens of 4 blocks of a network of 3"), Error);
  struct Two : Grays {
    std::vector<std::string> classes() const { return {"dark", "bright"}; }
  };
  protocol.last_blocks = 1;
  CHECK_THROWS_WITH_AS((void)linear_classification(encoder(), protocol, Grays{}, Two{}),
                       doctest::Contains("grays has 3 classes to learn and grays 2 to test"), Error);
}
