// Teaches a pretrained network the classes of labelled images: all of it, with --recipe as it is published, or with
// --frozen a classifier on its last layer alone, which --protocol trains as MoCo v3 or DINO do. --labels 0.01 learns
// from one label in a hundred. Writes metrics.jsonl, finetune.json and a checkpoint that `evaluate` reads.
//
//   finetune out/checkpoint.safetensors --recipe deit --labels 0.1 --out finetuned
//   finetune out/checkpoint.safetensors --frozen --protocol moco-v3 --out linear
#include "common/command_line.hpp"
#include "common/output.hpp"
#include "common/trained_network.hpp"
#include "finetune/by_protocol.hpp"
#include "finetune/recipe.hpp"

#include <vitral/data/mixup.hpp>
#include <vitral/data/subset.hpp>
#include <vitral/eval/classifiers/accuracy.hpp>
#include <vitral/io/checkpoint.hpp>
#include <vitral/io/directory_lock.hpp>
#include <vitral/io/json.hpp>
#include <vitral/io/metrics.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/models/load_vit.hpp>
#include <vitral/models/resolution.hpp>
#include <vitral/optim/layer_decay.hpp>
#include <vitral/train/trainer.hpp>
#include <vitral/vitral.hpp>

#include <cstdio>

using namespace vitral;
using namespace vitral::programs;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::string checkpoint, branch, dataset, data, tar_image, out = "finetuned";
  std::string protocol;      // of --frozen
  int last_blocks = 0;       // its features, 0: the protocol's
  std::string average_pool;  // "yes", "no"; "": the protocol's
  Preparation preparation;   // of the test images
  double labels = 1, holdout = 0, lr = 0, crop_min = 0.08;
  bool frozen = false;
  int epochs = 0, batch = 0, image = 0, threads = 0, workers = 2;
  long seed = 0, test = 0;
  std::string recipe = "plain";
  FineTuning tuning;
};

/// Calls visit(name, member, help, check) for the options that finetune.json and the checkpoint remember beside the
/// settings of fine-tuning.
template <class Visit>
void for_each_option(Options& o, Visit visit) {
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

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Fine-tunes a network, or trains a classifier on it."};
  app.add_option("CHECKPOINT", o.checkpoint, "The network: a checkpoint, such as `pretrain` writes")->required();
  add_branch_option(app, o.branch);
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

/// An encoder and a linear classifier on its last class token, as a task. load_vit knows the encoder by this name.
struct Classifier {
  using scalar = float;
  using backend = Cpu;
  ViT<Cpu, float> encoder;
  Linear<dyn, dyn> head;
  bool frozen;       // the encoder, which is then in evaluation mode and leaves nothing on the tape
  double smoothing;  // of labels; targets are smoothed already

  auto loss(Tape& tape, const auto& batch, const Training& mode) const {
    const auto& images = batch.views[0];
    const auto features = frozen ? tape.constant(encoder(images)) : encoder(tape.constant(images), mode);
    if constexpr (requires { batch.targets; })
      return mean(cross_entropy(head(features), batch.targets));
    else
      return mean(cross_entropy(head(features), batch.labels, smoothing));
  }
  static void visit(auto& self, auto&& f) {
    f("student.encoder", self.encoder);
    f("head", self.head);
  }
};

/// The checkpoint's encoder, for images of --image, with a head of N(0, 0.01). With `frozen` the head alone is trained;
/// else everything, the patch embedding and positions too, which pretraining left as they were.
Classifier load(const SafetensorsFile& file, NetworkBranch branch, int classes, const Options& o) {
  Initializer init(Seed{static_cast<std::uint64_t>(o.seed)});
  const auto encoder =
      at_resolution(load_vit<Cpu, float>(file, {.drop_path = o.frozen ? 0 : o.tuning.drop_path}, branch), o.image);
  Classifier model{encoder, Linear<dyn, dyn>(encoder.width(), classes, init), o.frozen,
                   o.frozen ? 0 : o.tuning.smoothing};
  init.fill_normal(model.head.weight, 0.01);
  set_trainable(model.encoder, !o.frozen);
  return model;
}

TopCount classify(const Classifier& model, Loader& loader) {
  TopCount count;
  for (const Batch& batch : loader.epoch(0)) {
    const auto logits = model.head(model.encoder(batch.views[0]));
    const int classes = logits.extent(1);
    for (int i = 0; i < batch.size(); ++i)
      if (const int label = batch.labels(i); label >= 0)  // -1: it could not be read
        count.add(rank_of_label(logits.data() + long{i} * classes, classes, label), label);
  }
  check(count.images > 0, "none of the images of ", loader.dataset().name(), " that are to be classified can be read");
  return count;
}

Json finetune(Options o) {
  const SafetensorsFile file(o.checkpoint);
  const NetworkBranch branch = chosen_branch(file, o.branch);
  const ViTSize size = vit_size(file, branch);
  if (o.image == 0) o.image = size.image;
  const FineTuning& tuning = o.tuning;
  ClassifierView view{crop_and_flip(o.image)};
  view.crop.crop_min = o.crop_min;
  if (tuning.interpolation == "bicubic") view.crop.interpolation = Interpolation::bicubic;
  if (tuning.rand_augment > 0) view.rand_augment = {.operations = 2, .magnitude = tuning.rand_augment};
  view.erasing.probability = tuning.erasing;
  const DataPlace place = data_of(file, o.dataset, o.data, o.tar_image);
  const Seed seed{static_cast<std::uint64_t>(o.seed)};
  const ChosenImages images = labelled_images(place, {.test = o.test, .holdout = o.holdout, .seed = seed.value},
                                              o.image, view.crop.least_side());
  o.holdout = images.holdout;
  const Dataset train = class_subset(images.train, o.labels, seed), test = images.test;
  o.batch = static_cast<int>(std::min<long>(o.batch, train.size()));
  const auto classes = static_cast<int>(train.classes().size());
  check(classes == static_cast<int>(test.classes().size()), train.name(), " has ", classes, " classes to learn and ",
        test.classes().size(), " to test; expected the same ones");

  const std::filesystem::path out = o.out, checkpoint = out / "checkpoint.safetensors";
  check_replaceable(checkpoint, o.checkpoint);
  const Classifier model = load(file, branch, classes, o);
  make_folder(out);
  const DirectoryLock lock(out);
  auto parameters = trainable_parameters(model);
  decay_rates(parameters, size.depth, tuning.layer_decay);
  exempt_tokens(parameters);
  const double lr = scaled_learning_rate(o.lr, o.batch);
  OptimizerSettings settings = AdamW{.lr = lr, .weight_decay = tuning.weight_decay};
  if (o.frozen) settings = Sgd{.lr = lr};
  Trainer trainer(model, Optimizer<float, Cpu>(settings, parameters),
                  {.epochs = o.epochs, .warmup_epochs = tuning.warmup_epochs, .min_lr = o.frozen ? 0 : tuning.min_lr},
                  seed);
  Loader loader(train, {view}, {.batch = o.batch, .seed = seed.value, .workers = o.workers}),
      tests(test, {o.preparation.view(o.image)}, in_order(test, 256, o.workers));
  const long per_epoch = trainer.steps_per_epoch(loader), steps = per_epoch * o.epochs;

  Json results{{"checkpoint", o.checkpoint}, {"dataset", train.name()}, {"frozen", o.frozen}};
  results["test-resize"] = o.preparation.resize;
  results["test-interpolation"] = o.preparation.interpolation;
  const auto note = [&](const char* name, const auto& member, auto&&...) { results[name] = member; };
  for_each_option(o, note);
  if (!o.frozen) {
    results["recipe"] = o.recipe;
    for_each_setting([&](const char* name, auto member, auto&&...) { results[name] = tuning.*member; });
  }
  results["train_images"] = train.size();
  results["classes"] = classes;
  std::printf("%s of %s on %s: %ld of %ld images, %ld parameters, %ld steps of %d images, %d threads\n",
              o.frozen ? "a classifier on the frozen features" : "fine-tuning", network_name(file).c_str(),
              escape_text(train.name()).c_str(), train.size(), images.train.size(), count_parameters(model, true),
              steps, o.batch, cpu::threads());

  MetricsLog metrics(out / "metrics.jsonl");
  Progress progress("", steps, o.batch);
  TopCount reached;
  const bool by_class = known_dataset(place.dataset).mean_per_class;
  double sum = 0;  // of the epoch's losses
  const auto stepped = [&](const StepReport& report) {
    const long epoch = report.step / per_epoch + 1, done = report.step + 1;
    progress.set_label("epoch " + std::to_string(epoch) + "/" + std::to_string(o.epochs));
    progress.update(done, report.loss);
    sum += report.loss;
    if (done % per_epoch != 0) return true;
    reached = classify(model, tests);
    const double loss = std::exchange(sum, 0) / static_cast<double>(per_epoch);
    const Json scores = scores_of(reached, by_class);
    Json row{{"epoch", epoch}, {"loss", loss}};
    row.update(scores);
    metrics.append(done, row);
    char line[96];
    std::snprintf(line, sizeof line, "epoch %3ld  loss %.4f  test top-1 %6.2f %%  top-5 %6.2f %%", epoch, loss,
                  100 * reached.top1(), 100 * reached.top5());
    progress.note(line + mean_per_class_text(scores));
    StateDict state;
    state.add_module(model);
    Metadata metadata = history_of(file);
    metadata["finetuned"] = join(o.frozen ? "frozen, " : "", "labels ", o.labels);
    metadata["finetune"] = json_text(results);
    metadata.merge(describe(model.encoder));
    state.write(checkpoint, metadata);
    return true;
  };
  if (!o.frozen && tuning.mixup + tuning.cutmix > 0)
    trainer.fit(MixingLoader(std::move(loader),
                             {.mixup = tuning.mixup, .cutmix = tuning.cutmix, .smoothing = tuning.smoothing}),
                stepped);
  else
    trainer.fit(loader, stepped);
  progress.finish();
  results["test_images"] = reached.images;
  results.update(scores_of(reached, by_class));
  write_text(out / "finetune.json", json_text(results, 2) + "\n");
  return results;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program(argc, argv, parse, [](const Options& options) {
    const Json results = options.protocol.empty() ? finetune(options) : by_protocol(options);
    std::printf(
        "test top-1 %.2f %%, top-5 %.2f %%%s after the last epoch; wrote checkpoint.safetensors, metrics.jsonl and "
        "finetune.json in %s\n",
        100 * results["top1"].get<double>(), 100 * results["top5"].get<double>(), mean_per_class_text(results).c_str(),
        escape_text(options.out).c_str());
  });
}
