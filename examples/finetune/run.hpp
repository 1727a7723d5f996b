// Fine-tuning on any backend: finetune.cpp compiles it for CPUs, cuda.cu for GPUs.
#pragma once

#include "common/output.hpp"
#include "common/trained_network.hpp"
#include "finetune/by_protocol.hpp"
#include "finetune/options.hpp"
#include "finetune/scores.hpp"

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
#include <utility>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// An encoder and a linear classifier on its last class token, as a task. load_vit knows the encoder by this name.
template <class B>
struct Classifier {
  using scalar = float;
  using backend = B;
  ViT<B, float> encoder;
  Linear<dyn, dyn, float, B> head;
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
template <class B>
Classifier<B> load(const TensorFile& file, NetworkBranch branch, int classes, const FineTuneOptions& o) {
  Initializer init(Seed{static_cast<std::uint64_t>(o.seed)});
  const auto encoder =
      at_resolution(load_vit<B, float>(file, {.drop_path = o.frozen ? 0 : o.tuning.drop_path}, branch), o.image);
  Classifier<B> model{encoder, Linear<dyn, dyn, float, B>(encoder.width(), classes, init), o.frozen,
                      o.frozen ? 0 : o.tuning.smoothing};
  init.fill_normal(model.head.weight, 0.01);
  set_trainable(model.encoder, !o.frozen);
  return model;
}

template <class B>
TopCount classify(const Classifier<B>& model, Loader& loader) {
  TopCount count;
  for (const Batch& batch : loader.epoch(0)) {
    const auto logits = model.head(model.encoder(to_backend<B>(batch.views[0])));
    const std::vector<float> scores = logits.to_vector();
    const int classes = logits.extent(1);
    for (int i = 0; i < batch.size(); ++i)
      if (const int label = batch.labels.data()[i]; label >= 0)  // -1: it could not be read
        count.add(rank_of_label(scores.data() + long{i} * classes, classes, label), label);
  }
  check(count.images > 0, "none of the images of ", loader.dataset().name(), " that are to be classified can be read");
  return count;
}

/// Fine-tunes the network, or trains a classifier on it, on backend B, and returns what finetune.json says.
template <class B>
nlohmann::ordered_json finetune(FineTuneOptions o) {
  using Json = nlohmann::ordered_json;
  if (!o.protocol.empty()) return by_protocol<B>(o);
  const NetworkFile file = open_network(o.checkpoint, o.heads);
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
  const Classifier<B> model = load<B>(file, branch, classes, o);
  make_folder(out);
  const DirectoryLock lock(out);
  auto parameters = trainable_parameters(model);
  decay_rates(parameters, size.depth, tuning.layer_decay);
  exempt_tokens(parameters);
  const double lr = scaled_learning_rate(o.lr, o.batch);
  OptimizerSettings settings = AdamW{.lr = lr, .weight_decay = tuning.weight_decay};
  if (o.frozen) settings = Sgd{.lr = lr};
  Trainer trainer(model, Optimizer<float, B>(settings, parameters),
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

}}}  // namespace vitral::programs
