// What `finetune` is asked for, and how that passes to the part of the program that is for GPUs.
#pragma once

#include "common/images.hpp"
#include "finetune/recipe.hpp"

#include <vitral/io/json.hpp>

#include <string>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

struct FineTuneOptions {
  std::string checkpoint, branch, dataset, data, tar_image, device = "cpu", out = "finetuned";
  std::string protocol;      // of --frozen
  int last_blocks = 0;       // its features, 0: the protocol's
  std::string average_pool;  // "yes", "no"; "": the protocol's
  Preparation preparation;   // of the test images
  double labels = 1, holdout = 0, lr = 0, crop_min = 0.08;
  bool frozen = false;
  int heads = 0, epochs = 0, batch = 0, image = 0, threads = 0, workers = 2;
  long seed = 0, test = 0;
  std::string recipe = "plain";
  FineTuning tuning;
};

/// Calls visit(name, member, help, check) for the options that finetune.json and the checkpoint remember beside the
/// settings of fine-tuning.
template <class Visit>
void for_each_option(FineTuneOptions& o, Visit visit) {
  const CLI::Validator share = CLI::Range(0.0, 0.999), count = CLI::NonNegativeNumber;
  visit("labels", o.labels, "Share of the training images of each class that is learnt from", CLI::Range(0.0, 1.0));
  visit("epochs", o.epochs, "Passes over those images; 0 = the recipe's, with --frozen 90", count);
  visit("batch", o.batch, "Images in one step; 0 = the recipe's, with --frozen 1024, or all where they are fewer",
        count);
  visit("lr", o.lr, "Base learning rate: the highest is lr * batch / 256; 0 = the recipe's, with --frozen 0.1", count);
  visit("crop-min", o.crop_min, "Smallest crop as a part of the image's area", CLI::Range(1e-3, 1.0));
  visit("image", o.image, "Sides of the images in pixels, to which positions are fitted; 0 = the network's", count);
  visit("seed", o.seed, "Seed of all random numbers", count);
  visit("test", o.test, "Images that are classified after each epoch, spread over the classes; 0 = all", count);
  visit("holdout", o.holdout, holdout_help, share);
}

/// Calls visit(name, member) for every option but --device and --threads.
template <class Visit>
void for_each_member(FineTuneOptions& o, Visit visit) {
  visit("checkpoint", o.checkpoint);
  visit("branch", o.branch);
  visit("heads", o.heads);
  visit("dataset", o.dataset);
  visit("data", o.data);
  visit("tar-image", o.tar_image);
  visit("out", o.out);
  visit("protocol", o.protocol);
  visit("last-blocks", o.last_blocks);
  visit("average-pool", o.average_pool);
  visit("test-resize", o.preparation.resize);
  visit("test-interpolation", o.preparation.interpolation);
  visit("frozen", o.frozen);
  visit("recipe", o.recipe);
  visit("workers", o.workers);
  for_each_option(o, [&](const char* name, auto& member, auto&&...) { visit(name, member); });
  for_each_setting([&](const char* name, auto member, auto&&...) { visit(name, o.tuning.*member); });
}

/// These options as JSON text, for another compiler's part of the program.
inline std::string text_of(FineTuneOptions options) {
  nlohmann::ordered_json out;
  for_each_member(options, [&](const char* name, const auto& member) { out[name] = member; });
  return json_text(out);
}

/// The options that text_of wrote.
inline FineTuneOptions options_of(const std::string& text) {
  const auto all = parse_json(text, "the options of finetune");
  FineTuneOptions out;
  for_each_member(out, [&](const char* name, auto& member) { all.at(name).get_to(member); });
  return out;
}

}}}  // namespace vitral::programs
