// Teaches a pretrained network the classes of labelled images: all of it, with --recipe as it is published, or with
// --frozen a classifier on its last layer alone, which --protocol trains as MoCo v3 or DINO do. --labels 0.01 learns
// from one label in a hundred. Writes metrics.jsonl, finetune.json and a checkpoint that `evaluate` reads.
//
//   finetune out/checkpoint.safetensors --recipe deit --labels 0.1 --out finetuned
//   finetune out/checkpoint.safetensors --frozen --protocol moco-v3 --out linear
#include "common/command_line.hpp"
#include "common/network.hpp"
#include "finetune/run.hpp"

#include <cstdio>

using namespace vitral;
using namespace vitral::programs;

namespace {

FineTuneOptions parse(int argc, char** argv) {
  FineTuneOptions o;
  CLI::App app{"Fine-tunes a network, or trains a classifier on it."};
  add_network_options(app, o.checkpoint, o.branch, o.heads);
  add_data_options(app, o.dataset, o.data, o.tar_image);
  add_preparation_options(app, o.preparation, "test-");
  app.add_option("--out", o.out, "Directory for the checkpoint, metrics.jsonl and finetune.json")
      ->capture_default_str();
  CLI::Option* const frozen = app.add_flag("--frozen", o.frozen, "Train a classifier alone, by SGD; the network stays");
  CLI::Option* const protocol =
      app.add_option("--protocol", o.protocol,
                     "With --frozen: a published protocol, whose numbers hold unless options change them")
          ->check(CLI::IsMember(linear_protocol_names()))
          ->needs(frozen);
  app.add_option("--last-blocks", o.last_blocks, "Blocks whose class tokens are its features [the protocol's]")
      ->check(CLI::PositiveNumber)
      ->needs(protocol);
  app.add_option("--average-pool", o.average_pool,
                 "Whether the mean of the last block's patch tokens is one, too [the protocol's]")
      ->check(CLI::IsMember({"yes", "no"}))
      ->needs(protocol);
  const auto add = [&](const char* name, auto& member, const char* help, const CLI::Validator& valid) {
    return app.add_option(std::string("--") + name, member, help)->check(valid)->capture_default_str();
  };
  for_each_option(o, add);
  frozen->excludes(add("recipe", o.recipe, "Settings that are published together; options beside it change them",
                       CLI::IsMember(recipe_names())));
  for_each_setting([&](const char* name, auto member, const char* help, const CLI::Validator& valid) {
    frozen->excludes(add(name, o.tuning.*member, help, valid));
  });
  add_device_option(app, o.device, "Where the network is trained and tested; the CPU prepares the images");
  app.add_option("--threads", o.threads, "Threads; 0 = all cores")->check(CLI::NonNegativeNumber);
  app.add_option("--workers", o.workers, "Threads that read and augment images")->check(CLI::PositiveNumber);
  parse_command_line(app, argc, argv, "finetune");
  check(o.labels > 0, "--labels 0 leaves no image to learn from; name a share above 0, or 1 for all");
  if (!o.protocol.empty()) {
    if (app.count("--test-interpolation") == 0) o.preparation.interpolation.clear();  // the protocol's
    return o;
  }
  const Recipe& recipe = known_recipe(o.recipe);
  if (o.epochs == 0) o.epochs = o.frozen ? 90 : recipe.epochs;
  if (o.batch == 0) o.batch = o.frozen ? 1024 : recipe.batch;
  if (o.lr == 0) o.lr = o.frozen ? 0.1 : recipe.lr;
  if (app.count("--crop-min") == 0) o.crop_min = recipe.crop_min;
  if (app.count("--test-interpolation") == 0) o.preparation.interpolation = recipe.settings.interpolation;
  for_each_setting([&](const char* name, auto member, auto&&...) {
    if (app.count(std::string("--") + name) == 0) o.tuning.*member = recipe.settings.*member;
  });
  int& warmup = o.tuning.warmup_epochs;
  if (warmup < 0) warmup = o.frozen ? 0 : o.epochs / 10;
  check(warmup < o.epochs, "--warmup-epochs ", warmup, " leaves nothing of --epochs ", o.epochs,
        "; shorten the warm-up or train longer");
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program(argc, argv, parse, [](const FineTuneOptions& options) {
    const auto results = options.device == "cuda" ? nlohmann::ordered_json::parse(finetune_on_cuda(text_of(options)))
                                                  : finetune<Cpu>(options);
    std::printf(
        "test top-1 %.2f %%, top-5 %.2f %%%s after the last epoch; wrote checkpoint.safetensors, metrics.jsonl and "
        "finetune.json in %s\n",
        100 * results["top1"].get<double>(), 100 * results["top5"].get<double>(), mean_per_class_text(results).c_str(),
        escape_text(options.out).c_str());
  });
}
