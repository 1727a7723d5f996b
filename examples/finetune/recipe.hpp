// How a whole network is fine-tuned: settings that are options of their own, and the published recipes that set them
// all at once.
#pragma once

#include <vitral/core/error.hpp>
#include <vitral/io/nearest.hpp>

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The settings, each an option of its own.
struct FineTuning {
  double layer_decay = 0.75, weight_decay = 0.05, drop_path = 0.1, smoothing = 0.1, min_lr = 0;
  int warmup_epochs = -1;
  double mixup = 0, cutmix = 0, erasing = 0, rand_augment = 0;
  std::string interpolation = "bilinear";
};

/// Calls visit(name, member, help, check) for each of them.
template <class Visit>
void for_each_setting(Visit visit) {
  const CLI::Validator share = CLI::Range(0.0, 0.999), count = CLI::NonNegativeNumber;
  visit("layer-decay", &FineTuning::layer_decay, "The learning rate of a block is this times that of the next one",
        CLI::Range(1e-3, 1.0));
  visit("weight-decay", &FineTuning::weight_decay, "AdamW's weight decay, of weights but not of tokens and positions",
        count);
  visit("drop-path", &FineTuning::drop_path, "Highest rate of dropped residual branches", share);
  visit("label-smoothing", &FineTuning::smoothing, "Probability that a target shares out among all classes", share);
  visit("warmup-epochs", &FineTuning::warmup_epochs,
        "Epochs in which the learning rate rises; -1 = a tenth of --epochs", CLI::Range(-1, 1 << 20));
  visit("min-lr", &FineTuning::min_lr, "Learning rate at which the cosine ends", count);
  visit("mixup", &FineTuning::mixup, "Images are mixed by shares from Beta(a, a); 0 = not", count);
  visit("cutmix", &FineTuning::cutmix, "A rectangle is cut from another image, its area from Beta(a, a); 0 = not",
        count);
  visit("erase", &FineTuning::erasing, "Probability that noise takes the place of a rectangle", CLI::Range(0.0, 1.0));
  visit("rand-augment", &FineTuning::rand_augment, "Magnitude of timm's rand-mM-mstd0.5-inc1; 0 = none",
        CLI::Range(0.0, 10.0));
  visit("interpolation", &FineTuning::interpolation, "How crops are resized", CLI::IsMember({"bilinear", "bicubic"}));
}

/// A published recipe. `lr` is for a batch of 256.
struct Recipe {
  std::string_view name;
  int epochs, batch;
  double lr, crop_min;
  FineTuning settings;
};

// clang-format off
/// The table: Vitral's own plain recipe; DeiT's defaults, for as long as MoCo v3's README fine-tunes ViT-B on ImageNet;
/// MoCo v3's for CIFAR-10 and its like (transfer/README.md); MAE's for ViT-B (FINETUNE.md). DeiT and MoCo v3 scale
/// rates for a batch of 512.
inline const Recipe known_recipes[] = {
    {"plain", 50, 256, 1e-3, 0.08, {}},
    {"deit", 150, 1024, 5e-4 / 2, 0.08,
     {.layer_decay = 1, .weight_decay = 0.05, .drop_path = 0.1, .smoothing = 0.1, .min_lr = 1e-5, .warmup_epochs = 5,
      .mixup = 0.8, .cutmix = 1, .erasing = 0.25, .rand_augment = 9, .interpolation = "bicubic"}},
    {"moco-v3", 100, 1024, 3e-4 / 2, 0.05,
     {.layer_decay = 1, .weight_decay = 0.1, .drop_path = 0.1, .smoothing = 0.1, .min_lr = 1e-5, .warmup_epochs = 3,
      .mixup = 0.8, .cutmix = 1}},
    {"mae", 100, 1024, 5e-4, 0.08,
     {.layer_decay = 0.65, .weight_decay = 0.05, .drop_path = 0.1, .smoothing = 0.1, .min_lr = 1e-6,
      .warmup_epochs = 5, .mixup = 0.8, .cutmix = 1, .erasing = 0.25, .rand_augment = 9, .interpolation = "bicubic"}},
};
// clang-format on

/// The names in the table, in its order.
inline std::vector<std::string> recipe_names() { return names_in(known_recipes); }

/// The recipe of that name; Error, which lists the names, where there is none.
inline const Recipe& known_recipe(std::string_view name) { return line_of(known_recipes, "recipe", name); }

}}}  // namespace vitral::programs
