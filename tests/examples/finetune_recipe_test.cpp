// The recipes of `finetune` against the commands and defaults of their authors.
#include "finetune/recipe.hpp"

#include <doctest/doctest.h>

using namespace vitral;
using namespace vitral::programs;

namespace {

void check_rates(const Recipe& r, double lr, double min_lr, double layer_decay, double weight_decay) {
  CHECK(r.lr == doctest::Approx(lr));
  CHECK(r.settings.min_lr == min_lr);
  CHECK(r.settings.layer_decay == layer_decay);
  CHECK(r.settings.weight_decay == weight_decay);
}

/// How the network and its images are disturbed; what all three recipes have alike is in here.
void check_disturbance(const FineTuning& s, double erasing, double rand_augment, const std::string& interpolation) {
  CHECK(s.drop_path == 0.1);
  CHECK(s.smoothing == 0.1);
  CHECK(s.mixup == 0.8);
  CHECK(s.cutmix == 1);
  CHECK(s.erasing == erasing);
  CHECK(s.rand_augment == rand_augment);
  CHECK(s.interpolation == interpolation);
}

}  // namespace

// DeiT's main.py: --lr 5e-4 (for 512 images), --min-lr 1e-5, --warmup-epochs 5, --weight-decay 0.05, --drop-path 0.1,
// --smoothing 0.1, --mixup 0.8, --cutmix 1.0, --reprob 0.25, --aa rand-m9-mstd0.5-inc1, --train-interpolation bicubic;
// MoCo v3's README: "--epochs 150".
TEST_CASE("deit is DeiT's defaults for MoCo v3's 150 epochs") {
  const Recipe& r = known_recipe("deit");
  check_rates(r, 5e-4 * 256 / 512, 1e-5, 1, 0.05);
  CHECK(r.epochs == 150);
  CHECK(r.crop_min == 0.08);
  const FineTuning& s = r.settings;
  CHECK(s.warmup_epochs == 5);
  check_disturbance(s, 0.25, 9, "bicubic");
}

// MoCo v3's transfer/README.md for CIFAR-10: --batch-size 128 on 8 GPUs, --epochs 100 --lr 3e-4 --weight-decay 0.1
// --warmup-epochs 3 --reprob 0.0 --drop-path 0.1 --mixup 0.8 --cutmix 1, the rest DeiT's; its datasets.py crops from
// 0.05 on, bilinear, and flips, nothing else.
TEST_CASE("moco-v3 is MoCo v3's command for CIFAR-10") {
  const Recipe& r = known_recipe("moco-v3");
  check_rates(r, 3e-4 * 256 / 512, 1e-5, 1, 0.1);
  CHECK(r.epochs == 100);
  CHECK(r.batch == 8 * 128);
  CHECK(r.crop_min == 0.05);
  const FineTuning& s = r.settings;
  CHECK(s.warmup_epochs == 3);
  check_disturbance(s, 0, 0, "bilinear");
}

// MAE's FINETUNE.md for ViT-B: 1024 images, --epochs 100 --blr 5e-4 --layer_decay 0.65 --weight_decay 0.05 --drop_path
// 0.1 --reprob 0.25 --mixup 0.8 --cutmix 1.0; main_finetune.py: --min_lr 1e-6, --warmup_epochs 5, --smoothing 0.1, --aa
// rand-m9-mstd0.5-inc1; util/datasets.py: bicubic.
TEST_CASE("mae is MAE's command for ViT-B") {
  const Recipe& r = known_recipe("mae");
  check_rates(r, 5e-4, 1e-6, 0.65, 0.05);
  CHECK(r.epochs == 100);
  CHECK(r.batch == 1024);
  CHECK(r.crop_min == 0.08);
  const FineTuning& s = r.settings;
  CHECK(s.warmup_epochs == 5);
  check_disturbance(s, 0.25, 9, "bicubic");
  CHECK_THROWS_WITH_AS((void)known_recipe("dei"), doctest::Contains("deit"), Error);
}
