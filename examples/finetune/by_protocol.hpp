// `finetune --frozen --protocol NAME`: linear classifiers on the frozen network as MoCo v3 or DINO train them
// (eval/classifiers/linear_protocol.hpp). Writes the files that fine-tuning writes.
#pragma once

#include "common/output.hpp"
#include "common/trained_network.hpp"
#include "finetune/options.hpp"
#include "finetune/scores.hpp"

#include <vitral/data/subset.hpp>
#include <vitral/eval/classifiers/linear_protocol.hpp>
#include <vitral/io/checkpoint.hpp>
#include <vitral/io/directory_lock.hpp>
#include <vitral/io/json.hpp>
#include <vitral/io/metrics.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/models/load_vit.hpp>
#include <vitral/models/resolution.hpp>

#include <algorithm>
#include <cstdio>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Fails where writing `checkpoint` would take the network itself, or a pretraining run, from the disk.
inline void check_replaceable(const std::filesystem::path& checkpoint, const std::string& network) {
  std::error_code ignored;
  const std::string out = checkpoint.parent_path().string();
  check(!std::filesystem::equivalent(checkpoint, network, ignored), "--out ", out, " would overwrite ", network,
        "; choose another directory");
  check(!std::filesystem::exists(checkpoint) || SafetensorsFile(checkpoint).metadata().contains("finetune"), "--out ",
        out, " holds the checkpoint of a pretraining run, which would be overwritten; choose another directory");
}

/// The place of the rate that did best on the test images, as the authors choose it: by the mean over classes where
/// that is the data set's benchmark (`by_class`), else by top-1.
inline std::size_t best_rate(const LinearEpoch& reached, bool by_class) {
  const auto score = [&](const TopCount& count) { return by_class ? count.mean_per_class() : count.top1(); };
  const auto worse = [&](const TopCount& a, const TopCount& b) { return score(a) < score(b); };
  return static_cast<std::size_t>(std::max_element(reached.test.begin(), reached.test.end(), worse) -
                                  reached.test.begin());
}

/// Trains by o.protocol, whose numbers hold where the options have none, on backend B, and returns what finetune.json
/// says.
template <class B>
nlohmann::ordered_json by_protocol(FineTuneOptions o) {
  const NetworkFile file = open_network(o.checkpoint, o.heads);
  const NetworkBranch branch = chosen_branch(file, o.branch);
  auto encoder = load_vit<B, float>(file, {}, branch);
  if (o.image > 0) encoder = at_resolution(encoder, o.image);
  LinearProtocol protocol = known_linear_protocol(o.protocol, encoder.size);
  if (o.epochs > 0) protocol.epochs = o.epochs;
  if (o.batch > 0) protocol.batch = o.batch;
  if (o.lr > 0) protocol.rates = {o.lr};
  if (o.last_blocks > 0) protocol.last_blocks = o.last_blocks;
  if (!o.average_pool.empty()) protocol.average_pool = o.average_pool == "yes";
  check(protocol.last_blocks <= encoder.depth(), "--last-blocks ", o.last_blocks, ": ", o.checkpoint, " has ",
        encoder.depth(), " blocks; name as many or fewer");
  protocol.crop_min = o.crop_min;
  o.preparation =
      o.preparation.over({"shorter-side", protocol.interpolation == Interpolation::bicubic ? "bicubic" : "bilinear"});
  Augmentation crops = crop_and_flip(encoder.size.image);
  crops.crop_min = protocol.crop_min;
  const Seed seed{static_cast<std::uint64_t>(o.seed)};
  const DataPlace place = data_of(file, o.dataset, o.data, o.tar_image);
  const bool by_class = known_dataset(place.dataset).mean_per_class;
  const ChosenImages images = labelled_images(place, {.test = o.test, .holdout = o.holdout, .seed = seed.value},
                                              encoder.size.image, crops.least_side());
  const Dataset train = class_subset(images.train, o.labels, seed);

  const std::filesystem::path out = o.out, checkpoint = out / "checkpoint.safetensors";
  check_replaceable(checkpoint, o.checkpoint);
  make_folder(out);
  const DirectoryLock lock(out);
  const int batch = static_cast<int>(std::min<long>(protocol.batch, train.size()));
  nlohmann::ordered_json results{{"checkpoint", o.checkpoint},
                                 {"dataset", train.name()},
                                 {"frozen", true},
                                 {"protocol", protocol.name},
                                 {"last_blocks", protocol.last_blocks},
                                 {"average_pool", protocol.average_pool},
                                 {"test-resize", o.preparation.resize},
                                 {"test-interpolation", o.preparation.interpolation},
                                 {"labels", o.labels},
                                 {"epochs", protocol.epochs},
                                 {"batch", batch},
                                 {"crop-min", protocol.crop_min},
                                 {"image", encoder.size.image},
                                 {"seed", o.seed},
                                 {"test", o.test},
                                 {"holdout", images.holdout},
                                 {"train_images", train.size()},
                                 {"classes", train.classes().size()}};
  note_branch(results, file, branch);
  std::printf("%s's linear protocol on %s: %ld of %ld images, %zu learning rates, %d epochs in steps of %d images\n",
              o.protocol.c_str(), escape_text(train.name()).c_str(), train.size(), images.train.size(),
              protocol.rates.size(), protocol.epochs, batch);

  MetricsLog metrics(out / "metrics.jsonl");
  const long per_epoch = (train.size() + batch - 1) / batch;
  Progress progress("", per_epoch * protocol.epochs, batch);
  LinearEpoch last;
  LinearOptions options{.view = o.preparation.view(encoder.size.image), .seed = seed, .workers = o.workers};
  options.step_done = [&](const StepReport& report) { progress.update(report.step + 1, report.loss); };
  options.epoch_done = [&](const LinearEpoch& reached) {
    const std::size_t best = best_rate(reached, by_class);
    const double rate = protocol.rates[best], top1 = reached.test[best].top1(), top5 = reached.test[best].top5();
    const nlohmann::ordered_json scores = scores_of(reached.test[best], by_class);
    nlohmann::ordered_json row{{"epoch", reached.epoch}, {"loss", reached.loss}, {"rate", rate}};
    row.update(scores);
    metrics.append(reached.epoch * per_epoch, row);
    char line[112];
    std::snprintf(line, sizeof line, "epoch %3ld  loss %.4f  test top-1 %6.2f %%  top-5 %6.2f %%  at rate %g",
                  reached.epoch, reached.loss, 100 * top1, 100 * top5, rate);
    progress.note(line + mean_per_class_text(scores));
    last = reached;
  };
  const RateSweep<B> classifiers = linear_classification(encoder, protocol, train, images.test, options);
  progress.finish();

  const std::size_t best = best_rate(last, by_class);
  for (std::size_t r = 0; r < protocol.rates.size(); ++r) {
    results["rates"].push_back({{"rate", protocol.rates[r]}});
    results["rates"].back().update(scores_of(last.test[r], by_class));
  }
  results["rate"] = protocol.rates[best];
  Metadata metadata = history_of(file);
  note_branch(metadata, file, branch);
  metadata["finetuned"] = join("frozen, ", o.protocol, ", labels ", o.labels);
  metadata["finetune"] = json_text(results);
  metadata.merge(describe(encoder));
  StateDict state;
  state.add_module(encoder, "student.encoder");
  const auto& weight = classifiers.weights[best].value;  // the bias is its last column
  state.add("head.weight", eval(slice<1, dyn>(weight, 0, weight.extent(1) - 1)));
  state.add("head.bias", eval(select<1>(weight, weight.extent(1) - 1)));
  state.write(checkpoint, metadata);
  results["test_images"] = last.test[best].images;
  results.update(scores_of(last.test[best], by_class));
  write_text(out / "finetune.json", json_text(results, 2) + "\n");
  return results;
}

}}}  // namespace vitral::programs
