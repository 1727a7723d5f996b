// One pretraining run, around a trainer that is made elsewhere (trainer.hpp): images, the folder of the run, metrics,
// progress, k-NN and the plot. Each compiler makes it once: pretrain.cpp for CPUs, cuda.cu for GPUs.
#pragma once

#include "common/images.hpp"
#include "common/output.hpp"
#include "pretrain/fingerprint.hpp"
#include "pretrain/options.hpp"
#include "pretrain/out.hpp"
#include "pretrain/trainer.hpp"

#include <vitral/core/escape.hpp>
#include <vitral/data/loader.hpp>
#include <vitral/eval/analyses/pairs.hpp>
#include <vitral/eval/classifiers/knn.hpp>
#include <vitral/io/checkpoint.hpp>
#include <vitral/io/directory_lock.hpp>
#include <vitral/io/metrics.hpp>
#include <vitral/io/plots.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/io/table.hpp>
#include <vitral/models/load_vit.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>

// These pass between parts that different compilers made. Each part has its own copy of all that Vitral and the
// programs define (core/config.hpp), so none of its types is used here.

/// The signal (Ctrl-C, TERM or HUP) that asked the run to end after its step, with a checkpoint; 0 as long as none did.
extern volatile std::sig_atomic_t interrupted;

/// A run on a GPU, in the precision that the options (all_to_json's) name.
int pretrain_cuda(const nlohmann::ordered_json& options);

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

inline OptimizerSettings optimizer(const PretrainOptions& o) {
  if (o.optimizer == "adam") return Adam{.lr = o.peak_lr(), .weight_decay = o.weight_decay};
  if (o.optimizer == "sgd") return Sgd{.lr = o.peak_lr(), .weight_decay = o.weight_decay};
  if (o.optimizer == "lars") return Lars{.lr = o.peak_lr(), .weight_decay = o.weight_decay};
  return AdamW{.lr = o.peak_lr(), .weight_decay = o.weight_decay};
}

/// The curves that the plot shows, from the metrics: those of an interrupted run's first part are there, too.
inline TrainingCurves curves_of(const std::filesystem::path& metrics, const std::string& title) {
  TrainingCurves curves;
  curves.title = title;
  const auto numbers = [](const nlohmann::json& json, const char* key) {
    std::vector<double> out;
    if (json.contains(key) && json[key].is_array())
      for (const auto& number : json[key])
        if (number.is_number()) out.push_back(number);
    return out;
  };
  std::ifstream file(metrics);
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    const auto is_number = [&](const char* key) { return json.contains(key) && json[key].is_number(); };
    if (!json.is_object() || !is_number("epoch") || !is_number("loss")) continue;
    curves.epochs.push_back(json["epoch"]);
    curves.loss.push_back(json["loss"]);
    if (const auto student = numbers(json, "knn_student"); !student.empty())
      curves.during.push_back({json["epoch"], student, numbers(json, "knn_teacher")});
    if (const auto positive = numbers(json, "positive_cosine"); !positive.empty())
      curves.similarity.push_back({json["epoch"], positive, numbers(json, "negative_cosine")});
  }
  return curves;
}

/// What the options ask a trainer for.
inline TrainerPlan trainer_plan(const PretrainOptions& o) {
  const Seed seed{static_cast<std::uint64_t>(o.seed)};
  std::optional<SelfDistillation> distillation;
  if (o.self_distilled()) distillation = self_distillation(o.ablations, o.depth, o.ratio, o.ratio_schedule == "cosine");
  return {.method = o.method,
          .size = {o.image, o.patch, o.width, o.depth, o.heads},
          .vit = {.train_patch_embed = o.patch_embed == "trained",
                  .distillation_token = o.ablations.dis_token,
                  .distilled_layers = o.ablations.dis_token,
                  .drop_path = o.drop_path,
                  .recompute = o.recompute == "block" ? Recompute::block : Recompute::nothing},
          .local_size = o.views.multi_crop() ? o.views.local_size : 0,
          .options = {o.hidden, o.out_dim, o.temperature, seed, o.momentum},
          .distillation = distillation,
          .optimizer = optimizer(o),
          .schedule = {.epochs = o.epochs,
                       .max_epochs = o.max_epochs,
                       .warmup_epochs = o.warmup_epochs,
                       .min_lr = o.min_lr,
                       .weight_decay_end = o.weight_decay_end,
                       .accumulate = o.batches_per_step(),
                       .clip_grad = o.clip_grad},
          .seed = seed};
}

/// k-NN accuracy of every layer, or nothing where it is not asked for or the images have no labels.
template <class B>
std::vector<double> layer_accuracy(const AnyEncoder<B>& encoder, const Dataset& known, const Dataset& test,
                                   const PretrainOptions& o) {
  if (o.knn_train == 0 || o.knn_test == 0 || known.classes().empty()) return {};
  return knn_accuracy(encoder, known, known.size(), test, test.size(), {.k = o.k});
}

/// How alike views of the training are after every layer, of up to 500 of the images that k-NN classifies.
template <class B>
SimilarityAt view_similarity(const AnyEncoder<B>& encoder, const Dataset& test, const PretrainOptions& o,
                             double epoch) {
  const auto views =
      extract_features(encoder, test, std::min(500L, test.size()), two_views(augmentations(o.views, o.image)));
  SimilarityAt out{epoch, {}, {}};
  for (std::size_t layer = 0; layer < views[0].size(); ++layer) {
    const PairSimilarity found = pair_similarity(views[0][layer], views[1][layer]);
    out.positive.push_back(found.positive);
    out.negative.push_back(found.negative);
  }
  return out;
}

/// Where a run's images come from. k-NN needs labelled ones; whatever the run's seed, it takes the same of them.
struct RunData {
  Dataset train, known, test;
};
inline RunData open_run_data(const PretrainOptions& o) {
  const DataPlace place{o.dataset, o.data, o.tar_image};
  const auto split = [&](Split which) { return place.open(which, least_side(crops_of(o.views, o.image))); };
  const Dataset known = split(Split::train),
                all = known_dataset(o.dataset).unlabeled_split ? split(Split::unlabeled) : known;
  const Dataset train = o.limit > 0 ? subset(all, o.limit, Seed{static_cast<std::uint64_t>(o.seed)}) : all;
  if (o.knn_train == 0 || o.knn_test == 0 || known.classes().empty()) return {train, known, known};
  const ChosenImages chosen =
      chosen_images(place, known, split(Split::test), {.train = o.knn_train, .test = o.knn_test});
  return {train, chosen.train, chosen.test};
}

/// Holds a run's checkpoint against what it is to go on with: the same images, and a step that it can have come to.
inline void check_resumable(const SafetensorsFile& saved, const PretrainOptions& o, long images,
                            const std::string& mark, long per_epoch) {
  const auto remembered = [&](const char* key, const std::string& now) {
    const auto found = saved.metadata().find(key);
    return found == saved.metadata().end() ? now : found->second;  // earlier versions did not note it
  };
  const std::string had = remembered("images", std::to_string(images)), had_mark = remembered("fingerprint", mark);
  const char* const advice = "; let --data name the images that the run began with, or start a new run elsewhere";
  check(had == std::to_string(images), saved.path(), ": its run had ", escape_text(had), " images to train on, and ",
        o.data, " has ", images, advice);
  check(had_mark == mark, saved.path(), ": its run had as many images to train on as ", o.data, ", ", images,
        ", but others: their names and sizes give the number ", mark, " instead of ", escape_text(had_mark), advice);
  const long done = saved_steps(saved);
  check(done <= per_epoch * o.last_epoch(), saved.path(), " has done ", done, " steps, but --",
        o.max_epochs > 0 ? "max-" : "", "epochs ", o.last_epoch(), " of ", per_epoch,
        " steps end before; train for more epochs");
}

/// What is said when a signal has ended the run; its exit status.
inline int end_interrupted(const std::string& what) {
  std::printf("interrupted %s\n", what.c_str());
  return 128 + interrupted;
}

/// Makes a trainer, such as make_trainer<B, float>.
template <class B>
using TrainerMaker = AnyTrainer<B> (*)(const TrainerPlan&);

/// One run on what `loader` makes of the images.
template <class B, class Source>
int run(const PretrainOptions& o, const RunData& data, TrainerMaker<B> make, Source loader) {
  const std::filesystem::path out = o.out, checkpoint = out / "checkpoint.safetensors", log = out / "metrics.jsonl";
  make_folder(out);
  const DirectoryLock lock(out);
  if (!lock.problem().empty())
    std::fprintf(stderr, "--out %s cannot be locked (%s): start no other run there\n", escape_text(o.out).c_str(),
                 lock.problem().c_str());
  check_out(o);

  AnyTrainer<B> trainer = make(trainer_plan(o));
  AnyLoader<B> batches = any_loader<B>(loader);
  const auto accuracy = [&](const AnyEncoder<B>& of) { return layer_accuracy(of, data.known, data.test, o); };
  const auto accuracies = [&](double epoch) {
    return AccuracyAt{epoch, accuracy(trainer.encoder),
                      trainer.teacher ? accuracy(*trainer.teacher) : std::vector<double>{}};
  };
  const long images = data.train.size(), per_epoch = trainer.steps_per_epoch(batches),
             steps = per_epoch * o.last_epoch();
  const std::string mark = fingerprint(data.train, o.data), shown = escape_text(checkpoint.native());
  std::optional<SafetensorsFile> saved;
  if (o.resume) {  // what is wrong with the checkpoint is said before k-NN takes its minutes
    saved.emplace(checkpoint);
    check_resumable(*saved, o, images, mark, per_epoch);
  }
  std::printf("%s on %s: %ld images, %ld parameters, %ld steps of %ld images, %d threads\n", o.method.c_str(),
              escape_text(data.train.name()).c_str(), images, trainer.parameters, steps, o.images_per_step(),
              cpu::threads());
  const auto untrained = accuracy(trainer.encoder);
  if (o.knn_every > 0 && untrained.empty())
    std::fprintf(stderr, "--knn-every %d (val_interval) is without effect: %s\n", o.knn_every,
                 o.knn_train == 0 || o.knn_test == 0 ? "--knn-train or --knn-test is 0" : "the images have no labels");
  if (interrupted) return end_interrupted("before the first step: nothing is written");
  if (saved) trainer.load(*saved);
  const auto save = [&] {
    Metadata metadata{{"options", json_text(to_json(o))}, {"images", std::to_string(images)}, {"fingerprint", mark}};
    metadata.merge(describe(trainer.encoder.size, {.distilled_layers = o.ablations.dis_token}));
    note_steps(metadata, trainer.steps_done());
    trainer.state().write(checkpoint, metadata);
  };

  std::optional<AccuracyAt> trained;  // where k-NN has looked at the end already
  const auto begin = std::chrono::steady_clock::now();
  if (o.overwrite) remove_run(out);
  MetricsLog metrics(log, trainer.steps_done());
  if (metrics.kept() != trainer.steps_done())
    std::fprintf(stderr, "%s holds %ld of the checkpoint's %ld steps: lines were lost, and the curve has a gap\n",
                 escape_text(log.native()).c_str(), metrics.kept(), trainer.steps_done());
  {
    Progress progress("epoch 1/" + std::to_string(o.last_epoch()), steps, o.images_per_step(), trainer.steps_done());
    trainer.fit(batches, [&](const StepReport& r) {
      const long done = r.step + 1;
      nlohmann::ordered_json row{{"epoch", r.epoch}, {"loss", r.loss}, {"lr", r.lr}};
      for (const NamedNumber& number : r.numbers) row[number.name] = number.value;
      if (o.knn_every > 0 && done % (per_epoch * o.knn_every) == 0 && !untrained.empty())
        progress.aside([&] {
          const AccuracyAt now = accuracies(r.epoch);
          row["knn_student"] = now.student;
          if (!now.teacher.empty()) row["knn_teacher"] = now.teacher;
          if (done == steps) trained = now;
          const SimilarityAt views = view_similarity(trainer.encoder, data.test, o, r.epoch);
          row["positive_cosine"] = views.positive;
          row["negative_cosine"] = views.negative;
        });
      metrics.append(r.step, row);
      progress.set_label("epoch " + std::to_string(r.step / per_epoch + 1) + "/" + std::to_string(o.last_epoch()));
      progress.update(done, r.loss);
      const bool stops = interrupted != 0;  // asked once, so that a run that stops has saved
      if (done % (per_epoch * o.save_every) == 0 || done == steps || stops) save();
      return !stops;
    });
    progress.finish();
  }
  if (interrupted)
    return end_interrupted(join("after step ", trainer.steps_done(), "; ", shown, " is written, go on with --resume"));
  const std::chrono::duration<double> training = std::chrono::steady_clock::now() - begin;
  std::printf("waited %.1f s for images, %.2f %% of the time\n", loader.wait_seconds(),
              100 * loader.wait_seconds() / training.count());
  if (loader.unreadable() > 0) std::printf("%ld images could not be read and were skipped\n", loader.unreadable());

  auto curves = curves_of(log, o.method + " on " + data.train.name());
  if (!untrained.empty()) {
    curves.untrained = untrained;
    if (!trained) trained = accuracies(o.last_epoch());
    curves.trained = trained->student;
    if (interrupted) return end_interrupted(join("after the last step, in k-NN; ", shown, " is written"));
    std::printf("k-NN accuracy (k = %d) of every layer's %s, %ld images against %ld:\n%s", o.k,
                o.ablations.dis_token ? "token" : "class token", data.test.size(), data.known.size(),
                knn_table(untrained, curves.trained).c_str());
    nlohmann::ordered_json row{{"knn_untrained", untrained}, {"knn_trained", curves.trained}};
    if (!trained->teacher.empty()) row["knn_teacher"] = trained->teacher;
    metrics.append(steps, row);
  }
  try {
    write_training_plot(out / "training.png", curves);
    std::printf("wrote %s, metrics.jsonl and training.png\n", shown.c_str());
  } catch (const Error& error) {  // gnuplot is optional
    std::printf("wrote %s and metrics.jsonl, but no plot: %s\n", shown.c_str(), escape_text(error.what()).c_str());
  }
  return 0;
}

/// The run of these options. Images of a data set that fits a device come from a SmallLoader, others from a
/// LargeLoader: what a device may have to augment images itself.
template <class B, class SmallLoader = Loader, class LargeLoader = Loader>
int run(const PretrainOptions& o, TrainerMaker<B> make) {
  const RunData data = open_run_data(o);
  const ImageViews views = multi_crop(crops_of(o.views, o.image));
  const LoaderOptions options{.batch = o.batch,
                              .seed = static_cast<std::uint64_t>(o.seed),
                              .workers = o.loader_workers(),
                              .unreadable = o.unreadable};
  if (known_dataset(o.dataset).fits_device) return run<B>(o, data, make, SmallLoader(data.train, views, options));
  return run<B>(o, data, make, LargeLoader(data.train, views, options));
}

}}}  // namespace vitral::programs
