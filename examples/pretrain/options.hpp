// Every option of `pretrain`: command line, the published code's JSON files, and what a checkpoint remembers.
// Relies on CLI11 and nlohmann::json. All options stand once, in for_each_option.
#pragma once

#include "common/command_line.hpp"
#include "pretrain/ablations.hpp"
#include "pretrain/published.hpp"
#include "pretrain/view_options.hpp"

#include <vitral/core/error.hpp>
#include <vitral/data/datasets.hpp>
#include <vitral/io/json.hpp>
#include <vitral/io/nearest.hpp>
#include <vitral/optim/schedule.hpp>
#include <vitral/train/methods.hpp>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Options of a run. Those of new_run and resumed_run are complete (nothing is "by default" any more) and valid.
struct PretrainOptions {
  std::string method = "sd-moco-v3", dataset = "fashion-mnist", data, tar_image, arch = "vit_tiny";
  int width = 0, depth = 0, heads = 0, patch = 0, image = 0;
  int batch = 256, accumulate = 1, devices = 1, epochs = 10, max_epochs = 0, warmup_epochs = -1;
  std::string optimizer = "adamw";
  double lr = 5e-4, min_lr = 0, weight_decay = 0.1, weight_decay_end = -1, clip_grad = 0, drop_path = 0;
  double ratio = -1, temperature = 0.2, momentum = 0.996;
  ViewOptions views;
  std::string ratio_schedule = "cosine", patch_embed = "frozen";
  AblationOptions ablations;
  int hidden = 1024, out_dim = 256;
  long seed = 0;
  std::string device = "cpu", precision = "fp32", recompute = "nothing";
  int threads = 0, workers = 0, limit = 0, unreadable = 100, knn_train = 10000, knn_test = 2000, knn_every = 0, k = 20,
      save_every = 1;
  std::string out = "out";
  bool resume = false, overwrite = false, eager = false;

  bool operator==(const PretrainOptions&) const = default;

  bool self_distilled() const { return vitral::is_self_distilled(method); }
  /// Batches that make one optimiser step, and their images.
  int batches_per_step() const { return accumulate * devices; }
  long images_per_step() const { return long{batch} * batches_per_step(); }
  /// Highest learning rate: the base rate is for 256 images a step, and the rate grows with their number.
  double peak_lr() const { return vitral::scaled_learning_rate(lr, images_per_step()); }
  /// The epochs after which the run ends, of those that its schedules span.
  int last_epoch() const { return max_epochs > 0 ? max_epochs : epochs; }
  /// Threads of the loader. Beside a GPU the cores have nothing else to do.
  int loader_workers() const {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    return workers > 0 ? workers : device == "cuda" ? std::max(cores, 2) : 2;
  }
};

namespace options_detail {

// clang-format off
/// Calls visit(row, member) for every option.
template <class Options, class Visit>
void for_each_option(Options& o, Visit visit) {
  visit(Row{.name = "method", .help = "What to train; sd- is the self-distilled form",
            .choices = vitral::method_names()}, o.method);
  visit(Row{.name = "dataset", .help = "Layout of the images in --data",
            .choices = vitral::dataset_names(), .published = "dataset"}, o.dataset);
  visit(Row{.name = "data", .help = "Directory of the data set [where Debian, or fetch_cifar10.sh, puts it]",
            .published = "data_path", .free = true}, o.data);
  visit(Row{.name = "tar-image", .help = "Ending of the images where samples of archives have several, such as jpg",
            .free = true}, o.tar_image);
  visit(Row{.name = "arch", .help = "Network: width 192, 384 or 768, 3, 6 or 12 heads, depth 12",
            .choices = {"vit_tiny", "vit_small", "vit_base"}, .free = true}, o.arch);  // or in numbers:
  visit(Row{.name = "width", .help = "Embedding width; 0 = of --arch", .least = 0}, o.width);
  visit(Row{.name = "depth", .help = "Number of blocks; 0 = of --arch", .least = 0}, o.depth);
  visit(Row{.name = "heads", .help = "Attention heads; 0 = of --arch", .least = 0}, o.heads);
  visit(Row{.name = "patch", .help = "Patch side in pixels; 0 = by data set",
            .published = "patch_size", .least = 0}, o.patch);
  visit(Row{.name = "image", .help = "Image side in pixels; 0 = by data set",
            .published = "image_size", .least = 0}, o.image);
  visit(Row{.name = "batch", .help = "Images in one step; the other images of a batch are what each is told from",
            .published = "batch_size_per_gpu", .least = 2}, o.batch);
  visit(Row{.name = "accumulate", .help = "Batches whose gradients make one optimiser step", .least = 1,
            .most = 32768},
        o.accumulate);
  visit(Row{.name = "devices", .help = "Devices of the run to repeat: a step takes as many times more batches",
            .least = 1, .most = 32768}, o.devices);
  visit(Row{.name = "epochs", .help = "Passes over the images; every schedule spans them",
            .adjustable = true, .least = 1}, o.epochs);
  visit(Row{.name = "max-epochs", .help = "Epochs after which the run ends, of --epochs; 0 = after all",
            .adjustable = true, .least = 0}, o.max_epochs);
  visit(Row{.name = "warmup-epochs", .help = "Epochs in which the learning rate rises; -1 = a tenth of --epochs",
            .adjustable = true, .least = -1}, o.warmup_epochs);
  visit(Row{.name = "optimizer", .help = "Optimiser", .choices = {"adamw", "adam", "sgd", "lars"}}, o.optimizer);
  visit(Row{.name = "lr", .help = "Base learning rate: the highest is lr * images of a step / 256",
            .adjustable = true, .above = 0}, o.lr);
  visit(Row{.name = "min-lr", .help = "Learning rate at the end", .adjustable = true, .least = 0}, o.min_lr);
  visit(Row{.name = "weight-decay", .help = "Weight decay at the start", .least = 0}, o.weight_decay);
  visit(Row{.name = "weight-decay-end", .help = "Weight decay at the end; -1 = as at the start", .least = -1},
        o.weight_decay_end);
  visit(Row{.name = "clip-grad", .help = "Largest norm of the gradient; 0 = no limit", .adjustable = true, .least = 0},
        o.clip_grad);
  visit(Row{.name = "drop-path", .help = "Highest rate of dropped residual branches",
            .published = "drop_path_rate", .least = 0, .most = 0.99}, o.drop_path);
  visit(Row{.name = "ratio", .help = "Weight of the lower layers' loss; -1 = as published: 0.8, of sd-moco-v3 1",
            .least = 0, .unset = -1}, o.ratio);
  visit(Row{.name = "ratio-schedule", .help = "The ratio rises from 0 over all epochs, or is constant",
            .choices = {"cosine", "constant"}}, o.ratio_schedule);
  for_each_ablation_option(o.ablations, visit);
  visit(Row{.name = "patch-embed", .help = "Whether the patch embedding stays at its random start, as in MoCo v3",
            .choices = {"frozen", "trained"}}, o.patch_embed);
  visit(Row{.name = "temperature", .help = "Temperature of the loss, where the method has one", .above = 0},
        o.temperature);
  visit(Row{.name = "hidden", .help = "Hidden width of the heads; a lower layer's projector has half of it",
            .published = "mlp_hidden", .least = 2}, o.hidden);
  visit(Row{.name = "out-dim", .help = "Width of the projections", .least = 1}, o.out_dim);
  visit(Row{.name = "momentum", .help = "Momentum of the teacher at the start; it rises to 1",
            .published = "momentum_teacher", .least = 0, .most = 1}, o.momentum);
  for_each_view_option(o.views, visit);
  visit(Row{.name = "seed", .help = "Seed of all random numbers", .least = 0}, o.seed);
  visit(Row{.name = "device", .help = "Where it is computed", .choices = {"cpu", "cuda"}}, o.device);
  visit(Row{.name = "precision", .help = "Type of the computation; tf32: floats on a GPU's tensor cores",
            .choices = {"fp32", "bf16", "tf32"}}, o.precision);
  visit(Row{.name = "recompute", .help = "What the backward pass computes again instead of keeping: less memory",
            .choices = {"nothing", "block"}, .free = true}, o.recompute);
  visit(Row{.name = "limit", .help = "Train on so many images alone, drawn by --seed; 0 = all", .least = 0}, o.limit);
  visit(Row{.name = "knn-train", .help = "Images among which k-NN looks, before and after training; 0 = no k-NN",
            .free = true, .least = 0}, o.knn_train);
  visit(Row{.name = "knn-test", .help = "Images that k-NN classifies; 0 = no k-NN", .free = true, .least = 0},
        o.knn_test);
  visit(Row{.name = "knn-every", .help = "Epochs from one k-NN of student and teacher to the next; 0 = none",
            .published = "val_interval", .free = true, .least = 0}, o.knn_every);
  visit(Row{.name = "k", .help = "Neighbours that k-NN asks", .free = true, .least = 1}, o.k);
  visit(Row{.name = "threads", .help = "Threads of the computation; 0 = all cores", .free = true, .least = 0},
        o.threads);
  visit(Row{.name = "workers", .help = "Threads that read and augment images; 0 = 2, beside a GPU one for each core",
            .free = true, .least = 0},
        o.workers);
  visit(Row{.name = "unreadable", .help = "Damaged images that are skipped before it is an error", .free = true,
            .least = 0},
        o.unreadable);
  visit(Row{.name = "out", .help = "Directory for the checkpoint, metrics and plot", .free = true}, o.out);
  visit(Row{.name = "save-every", .help = "Epochs from one checkpoint to the next", .free = true, .least = 1},
        o.save_every);
}

// clang-format on

/// Calls visit(name, help, member) for every flag. Flags say how a run is made; no checkpoint remembers them.
template <class Options, class Visit>
void for_each_flag(Options& o, Visit visit) {
  visit("resume", "Go on with the run in --out, whose checkpoint knows its options", o.resume);
  visit("overwrite", "Replace the run in --out, if there is one", o.overwrite);
  visit("eager", "--device cuda: queue kernels one by one, for debugging; else whole steps", o.eager);
}

/// Takes the options that `config` names, except those `given` before, and adds their names to these. Keys may be
/// spelt with - or _. Returns what is to be said of it, a line each; fails at a key that is unknown, doubled, or has a
/// value of the wrong type.
inline std::vector<std::string> read_config(const std::string& file, Json config, std::set<std::string>& given,
                                            PretrainOptions& options) {
  const std::string where = file + ": ";
  vitral::check(config.is_object(), where, "is no JSON object such as {\"batch\": 256}");
  const bool theirs = is_published(config);
  Json before = Json::object();
  for_each_option(options, [&](const Row& row, const auto& member) {
    if (given.contains(row.name)) before[row.name] = member;
  });
  std::vector<std::string> notes = translate_published(where, config, before);
  std::vector<std::string> known;
  for_each_option(options, [&](const Row& row, auto& member) {
    const std::string name = row.name, underscored = replaced(name, '-', '_');
    std::string found;
    for (const std::string& key : std::set<std::string>{name, underscored, row.published}) {
      if (!key.empty()) known.push_back(key);
      if (!config.contains(key)) continue;
      vitral::check(found.empty(), where, found, " and ", key, " mean the same; leave one of them out");
      found = key;
    }
    if (found.empty()) return;
    auto value = member;
    read_json_value(where + found, config[found], value);
    check_value(where + found, row, value);
    if (given.insert(name).second) member = value;
    config.erase(found);
  });
  for (const auto& [key, value] : config.items())
    vitral::fail(where, "unknown key ", vitral::legible(key), " (did you mean ",
                 vitral::nearest_names(key, known, 1)[0], "?)");
  if (!theirs) return notes;
  if (const int heads = published_heads(options.arch); heads > 0 && !given.contains("width"))
    if (given.insert("heads").second) {
      options.heads = heads;
      notes.push_back(vitral::join(options.arch, " has ", heads, " heads, as in the published code; timm's has ",
                                   heads / 2, ", which --heads ", heads / 2, " gives"));
    }
  const int parts = options.batches_per_step();
  notes.push_back(vitral::join(
      "a step is of ", options.devices, " (--devices) x ", options.accumulate, " (accumulate) x ", options.batch, " = ",
      options.images_per_step(), " images, so the highest learning rate is ", options.peak_lr(),
      parts == 1 ? "; they are one batch"
                 : vitral::join("; it is made of ", parts, " batches of ", options.batch,
                                ", and no image is compared or normalised with those of another")));
  return notes;
}

/// Puts numbers and names where an option says "by default".
inline void fill_defaults(PretrainOptions& o) {
  const auto use = [](int& member, int value) {
    if (member == 0) member = value;
  };
  const bool tiny = o.arch == "vit_tiny", small = o.arch == "vit_small";
  use(o.width, tiny ? 192 : small ? 384 : 768);
  use(o.heads, tiny ? 3 : small ? 6 : 12);
  use(o.depth, 12);
  const vitral::KnownDataset& usual = vitral::known_dataset(o.dataset);
  use(o.image, usual.image);
  use(o.patch, usual.patch);
  if (o.data.empty()) o.data = usual.path;
  if (o.warmup_epochs < 0) o.warmup_epochs = o.epochs / 10;
  if (o.weight_decay_end < 0) o.weight_decay_end = o.weight_decay;
  if (o.ratio < 0) o.ratio = vitral::with_method(o.method, [](const auto& known) { return known.ratio; });
  fill_views(o.views, o.image, o.patch);
}

/// The rules that tie options together; each option's own limits stand in its row.
inline void check_together(const PretrainOptions& o) {
  using vitral::check;
  check(!o.data.empty(), "--dataset ", o.dataset, " needs --data DIR, the directory that holds the images");
  check(!o.out.empty(), "--out must name a directory");
  check(o.image % o.patch == 0, "--image ", o.image, " is no multiple of --patch ", o.patch,
        "; choose a patch side that divides the image side");
  check(o.width % o.heads == 0, "--width ", o.width, " is no multiple of --heads ", o.heads,
        "; each head takes an equal part of the width");
  check(o.width % 4 == 0, "--width ", o.width,
        " is no multiple of 4; the position embedding has four equal parts (sine and cosine of x and y)");
  check(o.warmup_epochs <= o.epochs, "--warmup-epochs ", o.warmup_epochs, " is more than --epochs ", o.epochs,
        "; shorten the warm-up or train longer");
  check(o.max_epochs <= o.epochs, "--max-epochs ", o.max_epochs, " is more than --epochs ", o.epochs,
        ", which the schedules span; end earlier or let them span more");
  check_views(o.views, crops_of(o.views, o.image), o.patch);
  check(o.precision != "tf32" || o.device == "cuda",
        "--precision tf32 is a mode of GPUs; use --device cuda, or --precision "
        "fp32 or bf16");
  check(o.hidden % 2 == 0 || !o.self_distilled() || o.ablations.lower_hidden > 0, "--hidden ", o.hidden,
        " is odd; with --method ", o.method, " the lower layers' projectors have half of it, or --lower-hidden units");
  check_ablations(o.ablations, o.method, o.depth);
  check(o.limit == 0 || o.limit >= o.batch, "--limit ", o.limit, " leaves fewer images than one --batch ", o.batch,
        "; raise the limit or choose a smaller batch");
  check(o.knn_train == 0 || o.knn_test == 0 || o.k <= o.knn_train, "--k ", o.k, " is more than --knn-train ",
        o.knn_train, "; ask fewer neighbours or give k-NN more images");
}

/// Fails where an option of `names`, which were given, is without effect beside the method or another option. What
/// `published` files hold for every method passes. `where`: what stands before a name in messages.
inline void check_effect(const std::string& where, const std::set<std::string>& names, const PretrainOptions& o,
                         bool published = false) {
  const auto useless = [&](const char* name, const std::string& why) {
    vitral::check(!names.contains(name), where, name, why, "; leave it out");
  };
  const std::string with = " with method " + o.method, plain{vitral::plain_name(o.method)};
  if (!o.self_distilled()) {
    if (o.ratio > 0) useless("ratio", " is without effect" + with + ", where no lower layer learns");
    useless("ratio-schedule", " is without effect" + with + ", where no lower layer learns");
  }
  if (published) return;
  if (plain == "byol") useless("temperature", " is without effect" + with + ", whose loss has none");
  if (plain == "simclr") useless("momentum", " is without effect" + with + ", which has no teacher");
  if (o.knn_every > 0 && (o.knn_train == 0 || o.knn_test == 0))
    useless("knn-every", vitral::join(" ", o.knn_every, " is without effect with ",
                                      o.knn_train == 0 ? "knn-train" : "knn-test", " 0: there is no k-NN"));
}

/// Whether the file holds every option, as a saved run's does: also those that its method makes no use of.
inline bool holds_all(const Json& config) {
  const PretrainOptions usual;
  bool all = true;
  for_each_option(usual, [&](const Row& row, const auto&) { all = all && config.contains(row.name); });
  return all;
}

inline void complete(PretrainOptions& options) {
  fill_defaults(options);
  check_together(options);
}

}  // namespace options_detail

/// What a command line says: options of which some are still "by default", and the names of those that were given.
struct GivenOptions {
  PretrainOptions options;
  std::set<std::string> names;
};

/// Reads the command line and the file that --config names; what the command line says wins. Prints the help and
/// exits where it is asked for; throws vitral::Error, with what is wrong and what to do, for everything unusable.
inline GivenOptions read_command_line(int argc, const char* const* argv) {
  using namespace options_detail;
  GivenOptions out;
  PretrainOptions& options = out.options;
  CLI::App app{"Pretrains a vision transformer on images without labels, by a method or its self-distilled form\n"
               "(Jang et al., WACV 2023), and shows what every layer has learnt."};
  std::string config;
  std::vector<std::string> names{"--config", "--help"};
  for_each_option(options, [&](const Row& row, auto& member) {
    names.push_back(std::string("--") + row.name);
    if constexpr (std::is_same_v<decltype(member), bool&>) {
      app.add_flag(names.back(), member, row.help)->take_last();
      return;
    }
    CLI::Option* const option = app.add_option(names.back(), member, row.help)->capture_default_str()->take_last();
    if (!row.choices.empty()) option->type_name(CLI::detail::join(row.choices, "|"));
  });
  app.add_option("--config", config, "JSON file of options; the published code's files are understood");
  for_each_flag(options, [&](const char* name, const char* help, bool& member) {
    names.push_back(std::string("--") + name);
    app.add_flag(names.back(), member, help);
  });
  app.get_option("--overwrite")->excludes(app.get_option("--resume"));
  app.allow_extras();
  parse_command_line(app, argc, argv, "pretrain");
  for (const std::string& text : app.remaining()) {
    vitral::check(text.starts_with("-"), "\"", text, "\" belongs to no option; options start with two hyphens");
    const std::string name = text.substr(0, text.find('='));
    vitral::fail("unknown option ", name, " (did you mean ", vitral::nearest_names(name, names, 1)[0],
                 "? pretrain --help lists them all)");
  }
  for (const std::string& name : names)
    if (name != "--help" && app.count(name) > 0) out.names.insert(name.substr(2));
  for_each_option(options,
                  [](const Row& row, const auto& member) { check_value(std::string("--") + row.name, row, member); });
  const std::set<std::string> spoken = out.names;
  if (!config.empty()) {
    const Json file = vitral::read_json(config, "--config " + config);
    for (const std::string& note : read_config(config, file, out.names, options))
      std::cerr << vitral::legible(config) << ": " << note << '\n';
    std::set<std::string> written;
    std::ranges::set_difference(out.names, spoken, std::inserter(written, written.end()));
    if (!holds_all(file)) check_effect(config + ": ", written, options, is_published(file));
  }
  check_effect("--", spoken, options);
  return out;
}

/// The options of a run that begins: complete and valid.
inline PretrainOptions new_run(PretrainOptions options) {
  options_detail::complete(options);
  const nlohmann::ordered_json data = options.data;
  vitral::check(nlohmann::ordered_json::parse(vitral::json_text(data)) == data, "--data ", options.data,
                ": no UTF-8, so that a checkpoint cannot remember it; rename the folder, or name it by a link");
  // Not a rule of check_together: a checkpoint may hold the first layer of a network that was trained deeper.
  vitral::check(!options.self_distilled() || options.depth >= 2, "--method ", options.method,
                " teaches the layers below the last, and --depth ", options.depth, " has none; use --method ",
                vitral::plain_name(options.method), " or at least 2 blocks");
  return options;
}

/// Every option under its name; what a checkpoint remembers, and itself a file for --config.
inline nlohmann::ordered_json to_json(const PretrainOptions& options) {
  nlohmann::ordered_json out;
  options_detail::for_each_option(options, [&](const auto& row, const auto& member) { out[row.name] = member; });
  return out;
}

/// The options that to_json wrote. `where`: what holds them, for messages.
inline PretrainOptions pretrain_options_from_json(const nlohmann::ordered_json& saved, const std::string& where) {
  PretrainOptions options;
  std::set<std::string> given;
  options_detail::read_config(where, saved, given, options);
  if (!given.contains("augmentation")) options.views.augmentation = plain_name(options.method);  // as it was in 0.1.0
  options_detail::complete(options);
  return options;
}

/// Options and flags, as they pass to the part of a program that another compiler made: it has a PretrainOptions of its
/// own.
inline nlohmann::ordered_json all_to_json(const PretrainOptions& options) {
  nlohmann::ordered_json out = to_json(options);
  options_detail::for_each_flag(options, [&](const char* name, const char*, bool flag) { out[name] = flag; });
  return out;
}

/// The options that all_to_json wrote.
inline PretrainOptions all_from_json(const nlohmann::ordered_json& all) {
  PretrainOptions options;
  options_detail::for_each_option(options, [&](const auto& row, auto& member) { all.at(row.name).get_to(member); });
  options_detail::for_each_flag(options, [&](const char* name, const char*, bool& flag) { all.at(name).get_to(flag); });
  return options;
}

/// The options with which a run goes on that began with `saved`: its own, but for what is given now. What would make it
/// another run is an Error that names each such option; what changes how it goes on is said.
inline PretrainOptions resumed_run(const PretrainOptions& saved, const GivenOptions& now) {
  using namespace options_detail;
  Json given;
  for_each_option(now.options, [&](const Row& row, const auto& member) {
    if (now.names.contains(row.name)) given[row.name] = member;
  });
  PretrainOptions out = saved;
  if (now.names.contains("arch")) {  // which says these three in other words
    if (!now.names.contains("width")) out.width = 0;
    if (!now.names.contains("depth")) out.depth = 0;
    if (!now.names.contains("heads")) out.heads = 0;
  }
  std::set<std::string> taken;
  if (!given.is_null()) read_config("command line", given, taken, out);
  out.out = now.options.out;
  out.resume = true;
  out.eager = now.options.eager;
  complete(out);

  const Json before = to_json(saved);
  std::string contradictions;
  for_each_option(out, [&](const Row& row, const auto& member) {
    const Json value = member;
    if (row.free || before[row.name] == value) return;
    const std::string had = vitral::legible(before[row.name]), has = vitral::legible(value);
    if (row.adjustable)
      std::cerr << "--resume goes on with --" << row.name << ' ' << has << "; until now it was " << had << '\n';
    else
      contradictions += vitral::join("\n  --", row.name, ": checkpoint has ", had, ", command line has ", has);
  });
  vitral::check(contradictions.empty(),
                "--resume cannot go on with other options than the run began with:", contradictions,
                "\nLeave them out: the checkpoint knows them. Or start a new run with another --out.");
  return out;
}

}}}  // namespace vitral::programs
