// Mixup and CutMix against timm's definition (timm/data/mixup.py: Mixup in its mode "batch", rand_bbox and
// cutmix_bbox_and_lam) with DeiT's numbers, and for given draws (tests/fixtures/make_mixup.py made the answers).
#include "temporary.hpp"

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/data/mixup.hpp>
#include <vitral/io/safetensors.hpp>

#include <doctest/doctest.h>

using namespace vitral;
using testing::Computed;

namespace {

const Random some{1, 2, 3};
using Images = Tensor<float, Shape<dyn, 3, dyn, dyn>>;

Images numbered(int count, int side) {
  Images x({count, side, side});
  for (long i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i);
  return x;
}

}  // namespace

TEST_CASE("lambda has the moments of Beta(alpha, alpha), for any alpha") {
  for (const double alpha : {0.2, 0.8, 1.0, 3.0}) {
    CAPTURE(alpha);
    constexpr int n = 20000;
    double mean = 0, second = 0, fourth = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
      const double x = symmetric_beta(alpha, some, i) - 0.5;
      REQUIRE(std::abs(x) <= 0.5);
      mean += x / n;
      second += x * x / n;
      fourth += x * x * x * x / n;
    }
    CHECK(mean == doctest::Approx(0).epsilon(0.01));
    CHECK(second == doctest::Approx(1 / (4 * (2 * alpha + 1))).epsilon(0.02));
    CHECK(fourth == doctest::Approx(3 / (16 * (2 * alpha + 1) * (2 * alpha + 3))).epsilon(0.03));
  }
}

TEST_CASE("every other batch is cut, lambda is what the rectangle leaves, and rectangles have timm's sides") {
  const Mixup how;
  CHECK(how.mixup == 0.8);  // DeiT's main.py: --mixup, --cutmix, --mixup-switch-prob, --smoothing
  CHECK(how.cutmix == 1.0);
  CHECK(how.switching == 0.5);
  CHECK(how.smoothing == 0.1);
  int cut = 0, at_border = 0;
  double left_out = 0;
  for (std::uint64_t step = 0; step < 4000; ++step) {
    const Random random{1, 2, step};
    const MixDraw drawn = how.draw(20, 30, random);
    REQUIRE(drawn.lambda >= 0);
    REQUIRE(drawn.lambda <= 1);
    if (drawn.cut.height == 0 || drawn.cut.width == 0) continue;
    ++cut;
    REQUIRE(drawn.cut.top >= 0);
    REQUIRE(drawn.cut.left >= 0);
    REQUIRE(drawn.cut.top + drawn.cut.height <= 20);
    REQUIRE(drawn.cut.left + drawn.cut.width <= 30);
    REQUIRE(drawn.lambda == doctest::Approx(1 - drawn.cut.height * drawn.cut.width / 600.0));
    at_border += drawn.cut.top == 0 || drawn.cut.left == 0;
    left_out += 1 - drawn.lambda;
  }
  CHECK(cut > 1850);  // of about 2000, but for empty rectangles
  CHECK(cut < 2050);
  CHECK(at_border > cut / 4);
  CHECK(left_out / cut < 0.45);  // 1/2, less what the borders cut off
  for (std::uint64_t step = 0; step < 200; ++step) {
    CHECK(Mixup{.mixup = 0}.draw(20, 30, {1, 2, step}).lambda ==
          doctest::Approx(1 - Mixup{.mixup = 0}.draw(20, 30, {1, 2, step}).cut.height *
                                  Mixup{.mixup = 0}.draw(20, 30, {1, 2, step}).cut.width / 600.0));
    CHECK(Mixup{.cutmix = 0}.draw(20, 30, {1, 2, step}).cut.width == 0);
  }
}

TEST_CASE("images are mixed with the batch in reverse, all by one draw") {
  for (const int count : {4, 5}) {
    const Images before = numbered(count, 6), sums = numbered(count, 6), cuts = numbered(count, 6);
    mix({0.75, {}}, sums);
    mix({0.75, {1, 2, 3, 4}}, cuts);
    for (int i = 0; i < count; ++i)
      for (int c = 0; c < 3; ++c)
        for (int y = 0; y < 6; ++y)
          for (int x = 0; x < 6; ++x) {
            const float own = before(i, c, y, x), other = before(count - 1 - i, c, y, x);
            REQUIRE(sums(i, c, y, x) == doctest::Approx(0.75 * own + 0.25 * other));
            REQUIRE(cuts(i, c, y, x) == (y >= 1 && y < 4 && x >= 2 ? other : own));
          }
  }
}

TEST_CASE("targets are mixed as images are, and smoothed") {
  const auto labels = Tensor<int, Shape<dyn>>::from({0, 2, 2, 1}, {4});
  const auto targets = mixed_targets({0.75, {}}, labels, 4, 0.1);  // mixup_target: on 0.925, off 0.025
  const std::vector<double> expected{
      0.75 * 0.925 + 0.25 * 0.025, 0.75 * 0.025 + 0.25 * 0.925, 0.025, 0.025, 0.025, 0.025, 0.925, 0.025};
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(static_cast<double>(targets.data()[i]) == doctest::Approx(expected[i]));
  CHECK(testing::contains(testing::error_of([&] { (void)mixed_targets({}, labels, 2, 0); }), "label 2 is not one of"));
}

TEST_CASE("images and targets are mixed as timm does it for the same lambda and the same centre") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/mixup.safetensors");
  const auto reals = [&](const std::string& name) { return file.values<double>(name); };
  const auto integers = [&](const std::string& name) { return file.values<int>(name); };
  const std::vector<double> before = reals("images");
  const auto labels = Tensor<int, Shape<dyn>>::from(integers("labels"), {4});
  const int classes = integers("classes")[0];
  REQUIRE(integers("permutation") == std::vector<int>{3, 2, 1, 0});
  const auto near = [](const auto& tensor, const std::vector<double>& expected) {
    REQUIRE(static_cast<std::size_t>(tensor.size()) == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(i);
      REQUIRE(static_cast<double>(tensor.data()[i]) == doctest::Approx(expected[i]).epsilon(1e-6));
    }
  };
  const auto as_timm = [&](const std::string& kind, const MixDraw& drawn) {
    CAPTURE(kind);
    const auto images = Images::from(std::vector<float>(before.begin(), before.end()), {4, 4, 5});
    mix(drawn, images);
    near(images, reals(kind + "/images"));
    near(mixed_targets(drawn, labels, classes, reals("smoothing")[0]), reals(kind + "/targets"));
  };
  const MixDraw drawn{reals("mixup/lambda")[0], {}};
  as_timm("mixup", drawn);
  near(mixed_targets(drawn, labels, classes, 0), reals("mixup/plain_targets"));
  const std::vector<int> center = integers("cutmix/center");
  as_timm("cutmix", cutmix_around(center[0], center[1], reals("cutmix/lambda")[0], 4, 5));

  const auto lambdas = reals("boxes/lambda"), corrected = reals("boxes/corrected");
  const auto places = integers("boxes/places"), boxes = integers("boxes/box");
  for (std::size_t i = 0; i < lambdas.size(); ++i) {
    CAPTURE(i);
    const int *const place = &places[4 * i], *const box = &boxes[4 * i];
    const MixDraw made = cutmix_around(place[2], place[3], lambdas[i], place[0], place[1]);
    CHECK(made.cut.top == box[0]);
    CHECK(made.cut.left == box[1]);
    CHECK(made.cut.height == box[2]);
    CHECK(made.cut.width == box[3]);
    CHECK(made.lambda == doctest::Approx(corrected[i]).epsilon(1e-12));
  }
}

TEST_CASE("a mixing loader gives the same batches with any number of workers, other ones in each epoch") {
  Augmentation view = crop_and_flip(8);
  const auto batches_of = [&](int workers, long epoch) {
    MixingLoader mixed(Loader(Computed{24}, {view}, {.batch = 8, .seed = 3, .workers = workers}), Mixup{});
    std::vector<float> all;
    for (const MixedBatch<Cpu>& batch : mixed.epoch(epoch)) {
      all.insert(all.end(), batch.views[0].data(), batch.views[0].data() + batch.views[0].size());
      all.insert(all.end(), batch.targets.data(), batch.targets.data() + batch.targets.size());
      REQUIRE(batch.targets.extent(1) == 1000);
    }
    return all;
  };
  CHECK(batches_of(0, 0) == batches_of(3, 0));
  CHECK(batches_of(0, 0) != batches_of(0, 1));
  const Loader plain(Computed{24}, {view}, {.batch = 8});
  CHECK(testing::contains(
      testing::error_of([&] { MixingLoader(Loader(Computed{24}, {view}, {.batch = 8}), {.mixup = 0, .cutmix = 0}); }),
      "one of them above 0"));
}
