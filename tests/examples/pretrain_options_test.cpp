#include "../message_of.hpp"
#include "../temporary.hpp"

#include <pretrain/options.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace vitral::programs;
namespace fs = std::filesystem;
using testing::has, testing::message_of;

namespace {

GivenOptions given(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv{"pretrain"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return read_command_line(static_cast<int>(argv.size()), argv.data());
}
PretrainOptions parse(const std::vector<std::string>& arguments) { return new_run(given(arguments).options); }

/// The options with which `pretrain ARGUMENTS --config FILE` runs, the file holding `text`.
PretrainOptions parse_file(const std::string& text, std::vector<std::string> arguments = {}) {
  const testing::TemporaryFolder directory;
  std::ofstream(directory.path / "config.json") << text;
  arguments.insert(arguments.end(), {"--config", (directory.path / "config.json").string()});
  return parse(arguments);
}

std::string failure(const std::vector<std::string>& arguments) {
  return message_of([&] { parse(arguments); });
}
std::string file_failure(const std::string& text, const std::vector<std::string>& arguments = {}) {
  return message_of([&] { parse_file(text, arguments); });
}

/// What std::cerr received while `call` ran.
template <class Call>
std::string warnings_of(Call call) {
  std::ostringstream captured;
  std::streambuf* const screen = std::cerr.rdbuf(captured.rdbuf());
  call();
  std::cerr.rdbuf(screen);
  return captured.str();
}

}  // namespace

TEST_CASE("without options everything has a value that can be trained with") {
  const PretrainOptions o = parse({});
  CHECK(o.method == "sd-moco-v3");
  CHECK(o.self_distilled());
  CHECK(o.data == "/usr/share/datasets/fashion-mnist");
  CHECK(std::vector<int>{o.width, o.heads, o.depth} == std::vector<int>{192, 3, 12});
  CHECK(o.image == 28);
  CHECK(o.image % o.patch == 0);
  CHECK(o.warmup_epochs >= 0);
  CHECK(o.weight_decay_end == o.weight_decay);
  CHECK_FALSE(o.resume);
}

TEST_CASE("architecture and data set give their sizes, and single options override them") {
  const PretrainOptions base = parse({"--arch", "vit_base", "--dataset", "cifar10"});
  CHECK(std::vector<int>{base.width, base.heads, base.depth} == std::vector<int>{768, 12, 12});
  CHECK(std::vector<int>{base.image, base.patch} == std::vector<int>{32, 4});
  CHECK(base.data == "data/cifar-10-batches-bin");
  const PretrainOptions own = parse({"--arch=vit_small", "--depth=4", "--patch=14", "--weight-decay=0.3"});
  CHECK(std::vector<int>{own.width, own.heads, own.depth, own.patch} == std::vector<int>{384, 6, 4, 14});
  CHECK(own.weight_decay_end == 0.3);
  CHECK(parse({"--epochs", "40"}).warmup_epochs == 4);
  CHECK(parse({"--epochs", "1"}).warmup_epochs == 0);
}

TEST_CASE("the highest learning rate grows with the images of an optimiser step") {
  CHECK(parse({"--lr", "0.01", "--batch", "128", "--accumulate", "6"}).peak_lr() == doctest::Approx(0.03));
}

/// "ratio" of SD_simclr.json, SD_byol.json and SD_moco.json (hagiss/SDSSL).
TEST_CASE("the lower layers' loss has the weight that the published configurations give it") {
  CHECK(parse({"--method", "sd-simclr"}).ratio == 0.8);
  CHECK(parse({"--method", "sd-byol"}).ratio == 0.8);
  CHECK(parse({"--method", "sd-moco-v3"}).ratio == 1);
  CHECK(parse({"--method", "sd-byol", "--ratio", "0"}).ratio == 0);
}

TEST_CASE("images are decoded with the pixels that random views and the one for evaluation are cut from") {
  CHECK(least_side(augmentations({}, 224)) == 915);
  CHECK(least_side(augmentations({.crop_min = 1, .aspect_min = 1, .aspect_max = 1}, 224)) == 256);
}

TEST_CASE("beside a GPU each core gets a worker, unless another number is asked for") {
  CHECK(parse({}).loader_workers() == 2);
  CHECK(parse({"--workers", "5", "--device", "cuda"}).loader_workers() == 5);
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  CHECK(parse({"--device", "cuda"}).loader_workers() == std::max(cores, 2));
}

TEST_CASE("every option is taken from the command line") {
  // Read it from a saved run, change every value, give it as arguments, and compare.
  nlohmann::ordered_json wanted = to_json(parse({}));
  wanted.update({{"method", "sd-byol"},
                 {"dataset", "folder"},
                 {"data", "images"},
                 {"arch", "vit_small"},
                 {"width", 64},
                 {"depth", 2},
                 {"heads", 2},
                 {"patch", 8},
                 {"image", 16},
                 {"batch", 32},
                 {"accumulate", 2},
                 {"devices", 4},
                 {"knn-every", 3},
                 {"max-epochs", 5},
                 {"epochs", 7},
                 {"warmup-epochs", 3},
                 {"optimizer", "lars"},
                 {"lr", 0.25},
                 {"min-lr", 0.125},
                 {"weight-decay", 0.5},
                 {"weight-decay-end", 0.75},
                 {"clip-grad", 3.5},
                 {"drop-path", 0.25},
                 {"ratio", 0.5},
                 {"ratio-schedule", "constant"},
                 {"layers-distilled", "all"},  // no other beside up
                 {"up", 1},
                 {"target", "same"},
                 {"shared-heads", "both"},
                 {"lower-hidden", 18},
                 {"lower-depth", 2},
                 {"detached-term", "off"},
                 {"dis-token", true},
                 {"patch-embed", "trained"},
                 {"hidden", 34},
                 {"out-dim", 16},
                 {"momentum", 0.75},
                 {"views", "multi-crop"},
                 {"local-views", 3},
                 {"local-size", 8},
                 {"augmentation", "dino"},
                 {"interpolation", "bilinear"},
                 {"crop-min", 0.5},
                 {"crop-max", 0.75},
                 {"aspect-min", 0.5},
                 {"aspect-max", 2.0},
                 {"flip", 0.25},
                 {"jitter", 0.5},
                 {"brightness", 0.5},
                 {"contrast", 0.5},
                 {"saturation", 0.5},
                 {"hue", 0.5},
                 {"gray", 0.5},
                 {"blur-first", 0.5},
                 {"blur-second", 0.5},
                 {"blur-sigma-min", 0.5},
                 {"blur-sigma-max", 1.0},
                 {"solarize-first", 0.5},
                 {"solarize-second", 0.5},
                 {"crop-min-local", 0.125},
                 {"crop-max-local", 0.5},
                 {"blur-local", 0.25},
                 {"solarize-local", 0.25},
                 {"seed", 9},
                 {"device", "cuda"},
                 {"precision", "tf32"},
                 {"recompute", "block"},
                 {"limit", 100},
                 {"tar-image", "jpg"},
                 {"knn-train", 50},
                 {"knn-test", 20},
                 {"knn-every", 3},
                 {"k", 5},
                 {"test-resize", "squash"},
                 {"test-interpolation", "bicubic"},
                 {"threads", 1},
                 {"workers", 1},
                 {"unreadable", 5},
                 {"out", "here"},
                 {"save-every", 2}});
  std::vector<std::string> arguments;
  const nlohmann::ordered_json defaults = to_json(parse({}));
  for (const auto& option : wanted.items()) {
    CAPTURE(option.key());
    if (option.key() == "temperature") continue;                                // which sd-byol has not
    if (option.key() != "interpolation" && option.key() != "layers-distilled")  // other than the recipe's
      CHECK(option.value() != defaults[option.key()]);
    const std::string value = option.value().is_string() ? option.value().get<std::string>() : option.value().dump();
    arguments.push_back("--" + option.key() + "=" + value);
  }
  CHECK(to_json(parse(arguments)) == wanted);
  CHECK(parse({"--temperature", "0.5"}).temperature == 0.5);
  CHECK(to_json(parse_file(wanted.dump())) == wanted);
  CHECK(to_json(pretrain_options_from_json(nlohmann::ordered_json::parse(wanted.dump()), "saved options")) == wanted);
}

TEST_CASE("the views are MoCo v3's for every method, unless another recipe or another number is asked for") {
  const auto views_of = [](const PretrainOptions& o) { return augmentations(o.views, o.image); };
  for (const std::string& method : vitral::method_names()) {
    const auto [first, second] = views_of(parse({"--method", method}));
    CAPTURE(method);
    CHECK(std::vector<double>{first.crop_min, first.blur, first.solarize, first.hue} ==
          std::vector<double>{0.08, 1, 0, 0.1});
    CHECK(std::vector<double>{second.crop_min, second.blur, second.solarize, second.saturation} ==
          std::vector<double>{0.08, 0.1, 0.2, 0.2});
    CHECK(first.interpolation == vitral::Interpolation::bilinear);
    CHECK(first.size == 28);
  }
  const PretrainOptions own =
      parse_file(R"({"augmentation": "dino", "gray": 0, "blur_second": 0.3, "crop_max": 0.9})", {"--hue", "0.05"});
  const auto [first, second] = views_of(own);
  CHECK(std::vector<double>{first.crop_min, first.crop_max, first.gray, first.hue, first.blur} ==
        std::vector<double>{0.4, 0.9, 0, 0.05, 1});
  CHECK(std::vector<double>{second.crop_min, second.crop_max, second.gray, second.hue, second.blur} ==
        std::vector<double>{0.4, 0.9, 0, 0.05, 0.3});
  CHECK(second.interpolation == vitral::Interpolation::bicubic);
  CHECK(own.views.interpolation == "bicubic");
  CHECK(views_of(parse({"--interpolation", "bicubic"})).first.interpolation == vitral::Interpolation::bicubic);
  CHECK(has(failure({"--augmentation", "moco"}), "use one of moco-v3, byol, simclr, dino"));
  CHECK(has(failure({"--hue", "0.6"}), "--hue must be at least 0 and at most 0.5"));
  CHECK(has(failure({"--crop-min", "0.5", "--crop-max", "0.4"}), "crops of 0.5 to 0.4 of the image's area"));
}

/// DINO's published ViT runs: --global_crops_scale 0.25 1 --local_crops_scale 0.05 0.25 --local_crops_number 10, local
/// views of 96 pixels beside global ones of 224, each blurred with probability 0.5 (main_dino.py).
TEST_CASE("multi-crop has DINO's numbers for ViTs, unless others are asked for") {
  const auto crops_of_options = [](const PretrainOptions& o) { return crops_of(o.views, o.image); };
  const auto usual = crops_of_options(parse({"--views", "multi-crop", "--image", "224", "--patch", "16"}));
  CHECK(std::vector<double>{usual.first.crop_min, usual.second.crop_min, usual.first.crop_max} ==
        std::vector<double>{0.25, 0.25, 1});
  CHECK(std::vector<double>{usual.local.crop_min, usual.local.crop_max, usual.local.blur, usual.local.solarize} ==
        std::vector<double>{0.05, 0.25, 0.5, 0});
  CHECK(std::vector<int>{usual.locals, usual.local.size, usual.first.size} == std::vector<int>{10, 96, 224});
  CHECK(least_side(usual) == 518);  // the global views' own
  CHECK(least_side(crops_of_options(parse({"--views", "multi-crop", "--image", "224", "--patch", "16",
                                           "--crop-min-local", "0.01"}))) == 1109);  // the local views'
  CHECK(crops_of_options(parse({})).locals == 0);
  CHECK(parse({}).views.local_size == -1);
  const PretrainOptions small = parse({"--views", "multi-crop", "--dataset", "cifar10"});
  CHECK(small.views.local_size == 12);
  const auto own = crops_of_options(parse({"--views", "multi-crop", "--local-views", "2", "--local-size", "14", "--hue",
                                           "0.3", "--crop-min-local", "0.1", "--crop-min", "0.5"}));
  CHECK(std::vector<double>{own.local.hue, own.local.crop_min, own.first.crop_min} ==
        std::vector<double>{0.3, 0.1, 0.5});
  CHECK(std::vector<int>{own.locals, own.local.size} == std::vector<int>{2, 14});
  const auto fails = [](std::vector<std::string> arguments, const std::string& what, const std::string& views) {
    arguments.insert(arguments.end(), {"--views", views});
    CHECK_MESSAGE(has(failure(arguments), what), failure(arguments));
  };
  fails({"--local-size", "8"}, "--local-size 8 is no multiple of --patch 7", "multi-crop");
  fails({"--local-size", "35"}, "--local-size 35 is more than --image 28", "multi-crop");
  fails({"--local-views", "0"}, "--local-views must be at least 1 and at most 11, not 0", "multi-crop");
  fails({"--local-views", "12"}, "--local-views must be at least 1 and at most 11, not 12", "multi-crop");
  fails({"--crop-min-local", "0.5"}, "--crop-min-local 0.5 is more than --crop-max-local 0.25", "multi-crop");
  fails({"--local-views", "4"}, "--local-views 4 is for --views multi-crop; with --views two", "two");
  fails({"--blur-local", "0"}, "--blur-local 0 is for --views multi-crop", "two");
  fails({}, "use one of two, multi-crop", "three");
}

TEST_CASE("a run of a version without --augmentation had its method's own recipe") {
  nlohmann::ordered_json saved = to_json(parse({"--method", "sd-simclr"}));
  CHECK(pretrain_options_from_json(saved, "saved options").views.augmentation == "moco-v3");
  nlohmann::ordered_json old;
  for (const auto& option : saved.items()) {
    if (option.key() == "augmentation") old["crop-min"] = 0.2;
    if (!old.contains("crop-min")) old[option.key()] = option.value();
  }
  const PretrainOptions run = pretrain_options_from_json(old, "saved options");
  CHECK(augmentations(run.views, 32).first.brightness == 0.8);
  CHECK(run.views.crop_min == 0.2);
}

TEST_CASE("a value that cannot be used gets a sentence that names the option and its limits") {
  CHECK(has(failure({"--batch", "1"}), "--batch must be at least 2, not 1"));
  CHECK(has(failure({"--ratio", "-2"}), "--ratio must be at least 0"));
  CHECK(has(failure({"--temperature", "0"}), "--temperature must be above 0"));
  CHECK(has(failure({"--lr", "nan"}), "--lr must be above 0"));
  CHECK(has(failure({"--momentum", "1.5"}), "--momentum must be at least 0 and at most 1"));
  CHECK(has(failure({"--crop-min", "0"}), "--crop-min must be above 0 and at most 1"));
  CHECK(has(failure({"--seed", "-1"}), "--seed must be at least 0"));
  CHECK(has(failure({"--batch", "many"}), "--batch = many"));
  CHECK(has(failure({"--batch", "99999999999"}), "--batch = 99999999999"));
  CHECK(has(failure({"--batch"}), "--batch"));
  CHECK(has(failure({"--method", "dino"}), "use one of simclr, byol, moco-v3, sd-simclr, sd-byol, sd-moco-v3"));
  CHECK(has(failure({"--precision", "tf32"}), "use --device cuda"));
  CHECK(has(failure({"--precision", "fp16"}), "use one of fp32, bf16, tf32"));
}

TEST_CASE("options that contradict each other get a sentence that says what to do") {
  CHECK(has(failure({"--image", "30"}), "--image 30 is no multiple of --patch 7"));
  CHECK(has(failure({"--width", "200"}), "--width 200 is no multiple of --heads 3"));
  CHECK(has(failure({"--width", "9"}), "--width 9 is no multiple of 4"));
  CHECK(has(failure({"--epochs", "2", "--warmup-epochs", "3"}), "--warmup-epochs 3 is more than --epochs 2"));
  CHECK(has(failure({"--depth", "1"}), "use --method moco-v3 or at least 2 blocks"));
  CHECK(failure({"--depth", "1", "--method", "byol"}).empty());
  CHECK(has(failure({"--hidden", "33"}), "--hidden 33 is odd"));
  CHECK(has(failure({"--limit", "100", "--batch", "128"}), "--limit 100 leaves fewer images than one --batch 128"));
  CHECK(has(failure({"--knn-train", "10"}), "--k 20 is more than --knn-train 10"));
  CHECK(failure({"--knn-train", "0"}).empty());
  CHECK(has(failure({"--dataset", "folder"}), "--dataset folder needs --data"));
  CHECK(has(failure({"--out", ""}), "--out"));
}

TEST_CASE(
    "an option without effect is an error where it is given; a file with the options of a whole run has them all") {
  const auto useless = [](const char* method, const char* option, const char* value, const std::string& what) {
    const std::string name = option, said = failure({"--method", method, "--" + name, value});
    CHECK_MESSAGE(has(said, "--" + name + " is without effect with method " + method + ", " + what), said);
    std::string key = name;
    std::replace(key.begin(), key.end(), '-', '_');
    const std::string quoted = name == "ratio-schedule" ? '"' + std::string(value) + '"' : value;
    const std::string from_file = file_failure("{\"" + key + "\": " + quoted + "}", {"--method", method});
    CHECK_MESSAGE(has(from_file, "config.json: " + name + " is without effect with method"), from_file);
  };
  useless("byol", "ratio", "0.5", "where no lower layer learns");
  useless("moco-v3", "ratio-schedule", "cosine", "where no lower layer learns");
  useless("sd-byol", "temperature", "0.3", "whose loss has none");
  useless("byol", "temperature", "0.2", "whose loss has none");
  useless("sd-simclr", "momentum", "0.99", "which has no teacher");
  for (const char* method : {"moco-v3", "sd-moco-v3"})
    CHECK(failure({"--method", method, "--momentum", "0.9", "--temperature", "0.3"}).empty());
  CHECK(has(failure({"--knn-every", "3", "--knn-test", "0"}), "--knn-every 3 is without effect with knn-test 0"));
  CHECK(has(file_failure(R"({"knn_every": 3})", {"--knn-train", "0"}), "config.json: knn-every 3 is without effect"));
  CHECK(failure({"--knn-every", "0", "--knn-train", "0"}).empty());
  for (const char* method : {"simclr", "byol", "moco-v3"}) {
    const nlohmann::ordered_json saved = to_json(parse({"--method", method}));
    CHECK(to_json(parse_file(saved.dump())) == saved);
    CHECK(to_json(pretrain_options_from_json(saved, "saved options")) == saved);
  }
}

TEST_CASE("an unknown option is named with the nearest one") {
  CHECK(has(failure({"--bath", "3"}), "unknown option --bath (did you mean --batch?"));
  CHECK(has(failure({"--temprature=3"}), "unknown option --temprature (did you mean --temperature?"));
  CHECK(has(failure({"images"}), "\"images\" belongs to no option"));
}

namespace {

/// The six files of hagiss/SDSSL: what they have in common stands in text(), the rest here.
struct Published {
  const char *file, *name, *method;
  double lr, ratio;
  bool inter, cluster;  // whether it has the keys div, t_inter and multi_node

  [[nodiscard]] std::string text() const {
    nlohmann::ordered_json out = nlohmann::ordered_json::parse(R"({
      "arch": "vit_base", "patch_size": 16, "out_dim": 256, "mlp_hidden": 4096, "use_fp16": false, "weight_decay": 0.1,
      "weight_decay_end": 0.1, "clip_grad": 0, "batch_size_per_gpu": 128, "accumulate": 1, "epochs": 300,
      "max_epochs": 300, "warmup_epochs": 40, "min_lr": 0, "seed": 0, "num_workers": 10, "optimizer": "adamw",
      "momentum_teacher": 0.996, "dataset": "imagenet", "accelerator": "ddp", "val_interval": 20, "up": 0})");
    out.update({{"name", name}, {"lr", lr}, {"ratio", ratio}, {"st_inter", inter}});
    if (inter) out["data"] = "";
    if (cluster) out.update({{"div", 1}, {"t_inter", false}, {"multi_node", 1}});
    return out.dump();
  }
};

constexpr Published published[] = {
    {"SD_simclr.json", "SD_simclr/vit_base_16", "sd-simclr", 1.3e-4, 0.8, true, true},
    {"SD_byol.json", "SD_byol/vit_base_16", "sd-byol", 1.5e-4, 0.8, true, true},
    {"SD_moco.json", "SD_moco/vit_base_16", "sd-moco-v3", 1.5e-4, 1, true, true},
    {"baseline_simclr.json", "simclr/vit_base_16", "simclr", 1.3e-4, 0, false, true},
    {"baseline_byol.json", "byol/vit_base_16", "byol", 1.5e-4, 0, false, true},
    {"baseline_moco.json", "moco/vit_base_16", "moco-v3", 1.5e-4, 0, false, false},
};
const std::string sd_byol = published[1].text();

/// The file's text with one key set.
std::string with(const std::string& text, const char* key, const nlohmann::ordered_json& value) {
  auto json = nlohmann::ordered_json::parse(text);
  json[key] = value;
  return json.dump();
}

}  // namespace

TEST_CASE("the six published configurations run as they are") {
  for (const Published& one : published) {
    CAPTURE(one.file);
    PretrainOptions o;
    const std::string said = warnings_of([&] { o = parse_file(one.text(), {"--data", "images"}); });
    CHECK(o.method == one.method);
    CHECK(std::vector<double>{o.lr, o.ratio, o.min_lr} == std::vector<double>{one.lr, one.ratio, 0});
    CHECK(std::vector<double>{o.weight_decay, o.weight_decay_end, o.clip_grad} == std::vector<double>{0.1, 0.1, 0});
    CHECK(o.momentum == 0.996);
    CHECK(o.temperature == 0.2);  // not in the files: info_nce_loss of pl_train_moco.py and pl_train_simclr.py
    CHECK(std::vector<std::string>{o.dataset, o.data, o.optimizer, o.ratio_schedule, o.precision} ==
          std::vector<std::string>{"folder", "images", "adamw", "cosine", "fp32"});
    CHECK(std::vector<int>{o.width, o.depth, o.heads, o.patch, o.image} == std::vector<int>{768, 12, 12, 16, 224});
    CHECK(std::vector<int>{o.hidden, o.out_dim, o.batch, o.accumulate} == std::vector<int>{4096, 256, 128, 1});
    CHECK(std::vector<int>{o.epochs, o.last_epoch(), o.warmup_epochs} == std::vector<int>{300, 300, 40});
    CHECK(augmentations(o.views, o.image).second.solarize == 0.2);
    CHECK(o.knn_every == 20);
    // val_transform of pl_train_moco.py: T.Resize((256, 256), interpolation=3), where 3 is bicubic, T.CenterCrop(224)
    const vitral::CenterView seen = o.preparation.view(o.image);
    CHECK(std::vector<int>{seen.squash, seen.least_side(), seen.size} == std::vector<int>{1, 256, 224});
    CHECK(seen.interpolation == vitral::Interpolation::bicubic);
    CHECK(has(said, "val_transform makes them: --test-resize squash, --test-interpolation bicubic\n"));
    CHECK(has(said, "without effect, here as in the published code: div, multi_node\n") == one.cluster);
    CHECK(has(said, "ignored, they change nothing that is trained: num_workers, accelerator\n"));
    CHECK(has(said, "a step is of 1 (--devices) x 1 (accumulate) x 128 = 128 images"));
    CHECK(has(said, "they are one batch"));
  }
}

TEST_CASE("the command line wins over a published configuration, and max_epochs ends a run before its schedules") {
  CHECK(parse_file(sd_byol, {"--data", "images", "--epochs", "100"}).last_epoch() == 100);
  const PretrainOptions o = parse_file(with(sd_byol, "max_epochs", 200), {"--data", "images", "--ratio", "0.5"});
  CHECK(std::vector<int>{o.epochs, o.max_epochs, o.last_epoch()} == std::vector<int>{300, 200, 200});
  CHECK(o.ratio == 0.5);
  CHECK(has(file_failure(with(sd_byol, "max_epochs", 400), {"--data", "images"}),
            "--max-epochs 400 is more than --epochs 300"));
}

TEST_CASE("k-NN sees images as MoCo v3 does, unless a published configuration or an option says another way") {
  CHECK(parse({}).preparation == Preparation{"shorter-side", "bilinear"});
  PretrainOptions o;
  const std::string said = warnings_of([&] {
    o = parse_file(with(sd_byol, "test_resize", "shorter-side"), {"--data", "images"});
  });
  CHECK(o.preparation == Preparation{"shorter-side", "bicubic"});
  CHECK(has(said, "val_transform makes them: --test-interpolation bicubic\n"));
  nlohmann::ordered_json saved = to_json(o);
  CHECK(pretrain_options_from_json(saved, "saved options").preparation == o.preparation);
  saved.erase("test-resize");
  saved.erase("test-interpolation");  // as before there were these options
  CHECK(pretrain_options_from_json(saved, "saved options").preparation == Preparation{"shorter-side", "bilinear"});
}

/// total_batch of pl_train_moco.py: devices x accumulate x batch_size_per_gpu; the rate is lr * total_batch / 256.
TEST_CASE("the total batch of the published code sets the learning rate") {
  PretrainOptions o;
  const std::vector<std::string> eight{"--data", "images", "--devices", "8"};
  const std::string said = warnings_of([&] { o = parse_file(with(sd_byol, "accumulate", 2), eight); });
  CHECK(o.images_per_step() == 2048);
  CHECK(o.batches_per_step() == 16);
  CHECK(o.peak_lr() == doctest::Approx(1.5e-4 * 2048 / 256));
  CHECK(has(said, "a step is of 8 (--devices) x 2 (accumulate) x 128 = 2048 images, so the highest learning rate is "
                  "0.0012; it is made of 16 batches of 128"));
}

TEST_CASE("the method of a published configuration follows from its name and st_inter; contradictions name both") {
  const auto method = [](const std::string& text, const std::vector<std::string>& arguments = {}) {
    return parse_file(text, arguments).method;
  };
  CHECK(method(R"({"name": "SD_byol/vit_base_16"})") == "sd-byol");
  CHECK(method(R"({"name": "mine", "st_inter": true})", {"--method", "sd-simclr"}) == "sd-simclr");
  CHECK(method(R"({"st_inter": false})", {"--method", "simclr"}) == "simclr");
  CHECK(method(R"({"st_inter": true, "method": "byol"})") == "sd-byol");
  CHECK(method(R"({"name": "mine"})") == "sd-moco-v3");
  const auto fails = [](const std::string& text, const std::string& what, const std::vector<std::string>& more = {}) {
    CHECK_MESSAGE(has(file_failure(text, more), what), file_failure(text, more));
  };
  fails(with(sd_byol, "st_inter", false), R"(st_inter false and name "SD_byol/vit_base_16" contradict each other)");
  fails(sd_byol, R"(name "SD_byol/vit_base_16" and --method byol contradict each other)", {"--method", "byol"});
  fails(sd_byol, R"(name "SD_byol/vit_base_16" and --method sd-simclr contradict)", {"--method", "sd-simclr"});
  fails(with(sd_byol, "method", "simclr"), R"(name "SD_byol/vit_base_16" and method "simclr" contradict)");
  fails(R"({"st_inter": false, "method": "sd-byol"})", R"(st_inter false and method "sd-byol" contradict)");
  fails(R"({"st_inter": true})", "st_inter true and --method simclr contradict", {"--method", "simclr"});
  fails(R"({"st_inter": true})", "st_inter true does not say which method; use --method");
  fails(R"({"name": "mine", "mlp_hidden": 64})", "config.json: neither name \"mine\" nor st_inter says which method");
  fails(R"({"t_inter": true})",
        "neither name nor st_inter says which method of the published code it is; use --method");
  CHECK(method(R"({"name": "mine", "mlp_hidden": 64})", {"--method", "byol"}) == "byol");
  CHECK(method(R"({"mlp_hidden": 64, "method": "sd-byol"})") == "sd-byol");
  fails(R"({"st_inter": 1})", "st_inter must be true or false, not 1");
}

TEST_CASE("a key of the published code that would make another run is an error while it is on") {
  CHECK(has(file_failure(with(published[3].text(), "dis_token", true), {"--data", "images"}),
            "--dis-token is for self-distilled methods; with --method"));
  CHECK(
      has(file_failure(with(sd_byol, "dis_token", 1), {"--data", "images"}), "dis_token must be true or false, not 1"));
  CHECK(has(file_failure(with(sd_byol, "tau", 0.1)), "unknown key tau"));
  CHECK(has(file_failure(with(published[4].text(), "ratio", 0.8), {"--data", "images"}),
            "config.json: ratio is without effect with method byol"));
  CHECK(parse_file(sd_byol, {"--data", "images", "--knn-train", "0"}).knn_every == 20);  // said when the run begins
}

/// byol_pytorch.py (hagiss/SDSSL): NetWrapper.forward drops the `up` lowest projections; pl_train_byol.py: with t_inter
/// the teacher has projectors for every layer, which pl_train_moco.py sets to False; vision_transformer.py: with
/// dis_token get_intermediate_layers, which only self-distillation calls, gives token 1 below the last block.
TEST_CASE("the published code's up, t_inter and dis_token are taken where it has them") {
  const auto options = [](const std::string& file) { return parse_file(file, {"--data", "images"}); };
  CHECK(options(with(sd_byol, "up", 2)).ablations.up == 2);
  CHECK(options(with(sd_byol, "dis_token", true)).ablations.dis_token);
  CHECK_FALSE(options(with(sd_byol, "dis_token", false)).ablations.dis_token);
  CHECK(parse({"--dis-token"}).ablations.dis_token);
  CHECK(options(with(sd_byol, "t_inter", true)).ablations.target == "same");
  CHECK(options(with(sd_byol, "t_inter", false)).ablations.target == "final");
  CHECK(has(file_failure(with(published[2].text(), "t_inter", true), {"--data", "images"}),
            "config.json: t_inter true is for sd-byol, as in the published code, not for sd-moco-v3"));
  CHECK(
      has(file_failure(with(with(sd_byol, "t_inter", true), "target", "final")), "t_inter true and target contradict"));
  CHECK(has(file_failure(with(sd_byol, "target", "same")), "t_inter false and target contradict"));
  CHECK(has(file_failure(with(sd_byol, "up", 12), {"--data", "images"}), "--up 12 leaves no layer of --depth 12"));
  CHECK(has(failure({"--method", "byol", "--up", "1"}), "--up 1 is for self-distilled methods"));
}

TEST_CASE("ablations are asked for by layers, heads and targets, and become settings of the library") {
  const auto made = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--depth", "6"});
    const PretrainOptions o = parse(arguments);
    return self_distillation(o.ablations, o.depth, o.ratio, false);
  };
  using Layers = std::vector<int>;
  CHECK(made({}).layers.empty());
  CHECK(made({}).detached_term);
  CHECK(made({}).heads.depth == 3);  // NetWrapper of byol_pytorch.py (hagiss/SDSSL): MLP(3, embed_size, ...)
  CHECK(made({"--layers-distilled", "even"}).layers == Layers{2, 4});
  CHECK(made({"--layers-distilled", "odd"}).layers == Layers{1, 3, 5});
  CHECK(made({"--layers-distilled", "1-5"}).layers == Layers{1, 2, 3, 4, 5});
  CHECK(made({"--layers-distilled", "5,2-3"}).layers == Layers{2, 3, 5});
  CHECK(made({"--target", "student"}).target == vitral::LowerTarget::student_final);
  CHECK(made({"--method", "sd-byol", "--target", "same"}).target == vitral::LowerTarget::same_layer);
  CHECK(made({"--shared-heads", "projector"}).heads.shared_projector);
  CHECK_FALSE(made({"--shared-heads", "projector"}).heads.shared_predictor);
  CHECK(made({"--shared-heads", "both"}).heads.shared_predictor);
  CHECK(made({"--hidden", "33", "--lower-hidden", "20", "--lower-depth", "1"}).heads.hidden == 20);
  CHECK_FALSE(made({"--detached-term", "off"}).detached_term);
  CHECK(parse_file(R"({"layers_distilled": "3,6", "shared_heads": "both"})").ablations.layers_distilled == "3,6");
}

TEST_CASE("an ablation that is no layer's, or contradicts another option, is an error that names it") {
  const auto layers = [](const char* text) { return failure({"--depth", "6", "--layers-distilled", text}); };
  CHECK(has(layers("3,7"), "--layers-distilled 3,7 names layer 7, and --depth 6 has none; choose from 1 to 5"));
  CHECK(has(layers("0"), "names layer 0"));
  CHECK(has(layers("1-6"), "names layer 6, the final one of --depth 6, from which the others learn"));
  CHECK(has(layers("3,,4"), "is no layer, such as 3, and no range"));
  CHECK(has(layers("4-2"), "4-2 is no layer"));
  CHECK(has(layers("even,3"), "even is no layer"));
  CHECK(has(layers("1-99999999999"), "is no layer"));
  CHECK(
      has(failure({"--depth", "2", "--layers-distilled", "even"}), "names no layer below the final one of --depth 2"));
  CHECK(has(failure({"--up", "1", "--layers-distilled", "odd"}), "--up 1 and --layers-distilled odd both say"));
  const auto both = [](const char* method, const char* option, const char* value, const std::string& message) {
    const std::string said = failure({"--method", method, std::string("--") + option, value});
    CHECK_MESSAGE(has(said, message), said);
  };
  both("byol", "layers-distilled", "3", "--layers-distilled 3 is for self-distilled methods; with --method byol");
  both("simclr", "shared-heads", "projector", "--shared-heads projector is for self-distilled methods");
  both("moco-v3", "lower-hidden", "64", "--lower-hidden 64 is for self-distilled methods");
  both("moco-v3", "lower-depth", "2", "--lower-depth 2 is for self-distilled methods");
  both("moco-v3", "detached-term", "off", "--detached-term off is for self-distilled methods");
  both("moco-v3", "target", "student", "--target student is for self-distilled methods");
  both("sd-simclr", "shared-heads", "both", "--shared-heads both: --method sd-simclr has no predictors");
  both("sd-simclr", "detached-term", "off",
       "--detached-term off leaves out a term of predictors, and --method sd-simclr");
  both("sd-moco-v3", "target", "same", "--target same is for --method sd-byol");
  CHECK(parse({"--method", "byol", "--patch-embed", "trained"}).patch_embed == "trained");
}

/// num_heads of vit_tiny, vit_small and vit_base in vision_transformer.py (hagiss/SDSSL): 6, 12 and 12. timm's and
/// DINO's: 3, 6 and 12.
TEST_CASE("a published configuration has the published code's heads, and says so; a name alone means timm's") {
  const auto heads = [](const char* arch, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--data", "images"});
    int out = 0;
    const std::string said = warnings_of([&] { out = parse_file(with(sd_byol, "arch", arch), more).heads; });
    return std::pair{out, has(said, "heads, as in the published code")};
  };
  CHECK(heads("vit_tiny") == std::pair{6, true});
  CHECK(heads("vit_small") == std::pair{12, true});
  CHECK(heads("vit_base") == std::pair{12, false});
  CHECK(heads("vit_base", {"--arch", "vit_small"}) == std::pair{12, true});
  CHECK(heads("vit_small", {"--heads", "6"}) == std::pair{6, false});
  CHECK(parse_file(R"({"arch": "vit_small"})").heads == 6);
  CHECK(parse({"--arch", "vit_tiny"}).heads == 3);
}

TEST_CASE("a total batch is spread over the accumulated batches") {
  CHECK(parse_file(R"({"total_batch": 512, "accumulate": 4})").batch == 128);
  CHECK(has(file_failure(R"({"total_batch": 510, "accumulate": 4})"), "no multiple of accumulate 4"));
  CHECK(parse_file(R"({"total_batch": 512})", {"--accumulate", "4", "--devices", "2"}).batch == 64);
  CHECK(parse_file(R"({"total_batch": 512, "devices": 8})", {"--devices", "2"}).batch == 256);
  CHECK(has(file_failure(R"({"total_batch": 512, "batch": 64})"), "total_batch and batch both say"));
  CHECK(has(file_failure(with(sd_byol, "total_batch", 512)), "total_batch and batch_size_per_gpu both say"));
}

TEST_CASE("use_fp16 is precision bf16, and contradicts another") {
  CHECK(parse_file(R"({"use_fp16": true})").precision == "bf16");
  CHECK(parse_file(R"({"use_fp16": true, "precision": "bf16"})").precision == "bf16");
  CHECK(parse_file(R"({"use_fp16": true})", {"--precision", "fp32"}).precision == "fp32");
  const auto said = [](const std::vector<std::string>& more) {
    return has(warnings_of([&] { parse_file(R"({"use_fp16": true})", more); }), "the published code ignores the key");
  };
  CHECK(said({}));
  CHECK_FALSE(said({"--precision", "fp32"}));
  CHECK(has(file_failure(R"({"use_fp16": true, "precision": "fp32"})"), "use_fp16 true, which is precision bf16, and"));
}

TEST_CASE("a configuration that cannot be used is an error that names file and key") {
  CHECK(has(failure({"--config", "/nonexistent.json"}), "--config /nonexistent.json cannot be read"));
  CHECK(has(failure({"--config", "/tmp"}), "--config /tmp cannot be read"));
  CHECK(has(file_failure("{\"batch\": "), "is no valid JSON"));
  CHECK(has(file_failure("[1]"), "is no JSON object"));
  CHECK(has(file_failure(R"({"bacth": 3})"), "config.json: unknown key bacth (did you mean batch?)"));
  CHECK(has(file_failure(R"({"batch": "3"})"), "config.json: batch must be an integer, not \"3\""));
  CHECK(has(file_failure(R"({"batch": 3.5})"), "batch must be an integer, not 3.5"));
  CHECK(has(file_failure(R"({"batch": 4294967298})"), "batch must be an integer"));
  CHECK(has(file_failure(R"({"lr": null})"), "lr must be a number, not null"));
  CHECK(has(file_failure(R"({"name": 1, "st_inter": true})"), "name must be a string, not 1"));
  CHECK(has(file_failure(R"({"method": 1, "st_inter": true})"), "method must be a string, not 1"));
  CHECK(has(file_failure(R"({"batch": 1})"), "config.json: batch must be at least 2, not 1"));
  CHECK(has(file_failure(R"({"arch": "resnet50"})"), "arch cannot be \"resnet50\"; use one of vit_tiny"));
  CHECK(has(file_failure(R"({"batch": 32, "batch_size_per_gpu": 32})"), "batch and batch_size_per_gpu mean the same"));
}

TEST_CASE("--resume alone goes on with all options of the checkpoint") {
  const PretrainOptions saved = parse({"--lr", "0.1", "--width", "64", "--heads", "2", "--depth", "3", "--epochs", "7",
                                       "--data", "elsewhere", "--out", "a"});
  PretrainOptions resumed;
  CHECK(warnings_of([&] { resumed = resumed_run(saved, given({"--resume", "--out", "b"})); }).empty());
  CHECK(resumed.resume);
  CHECK(resumed.out == "b");
  nlohmann::ordered_json expected = to_json(saved);
  expected["out"] = "b";
  CHECK(to_json(resumed) == expected);
}

TEST_CASE("a run is resumed with other options where they leave the numbers as they are, or are said") {
  const PretrainOptions saved = parse({"--lr", "0.1"});
  const auto difference = [&](const std::vector<std::string>& arguments) {
    std::string message;
    const std::string said = warnings_of([&] { message = message_of([&] { resumed_run(saved, given(arguments)); }); });
    return message + said;
  };
  CHECK(difference({}).empty());
  CHECK(difference({"--threads", "1", "--workers", "4", "--data", "d", "--save-every", "3", "--lr", "0.1"}).empty());
  CHECK(difference({"--width", "192", "--arch", "vit_small", "--heads", "3"}).empty());  // the same network
  const std::string two = difference({"--width", "384", "--temperature", "0.5"});
  CHECK(has(two, "--width: checkpoint has 192, command line has 384"));
  CHECK(has(two, "--temperature: checkpoint has 0.2, command line has 0.5"));
  CHECK_FALSE(has(two, "--batch"));
  CHECK(has(difference({"--arch", "vit_small"}), "--width: checkpoint has 192, command line has 384"));
  CHECK(has(difference({"--method", "byol"}), "--method: checkpoint has \"sd-moco-v3\", command line has \"byol\""));

  PretrainOptions resumed;
  const std::vector<std::string> other{"--lr",     "0.01",  "--clip-grad",     "1", "--epochs", "20",
                                       "--min-lr", "0.001", "--warmup-epochs", "2"};
  const std::string said = warnings_of([&] { resumed = resumed_run(saved, given(other)); });
  CHECK(std::vector<double>{resumed.lr, resumed.clip_grad, resumed.min_lr} == std::vector<double>{0.01, 1, 0.001});
  CHECK(std::vector<int>{resumed.epochs, resumed.warmup_epochs} == std::vector<int>{20, 2});
  CHECK(has(said, "--lr 0.01; until now it was 0.1\n"));
  CHECK(has(said, "--clip-grad 1.0; until now it was 0.0\n"));
  CHECK(std::count(said.begin(), said.end(), '\n') == 5);
  CHECK(has(difference({"--lr", "-1"}), "lr must be above 0"));
}

TEST_CASE("a configuration counts as given to a run that is resumed") {
  const testing::TemporaryFolder directory;
  const std::string file = (directory.path / "config.json").string();
  std::ofstream(file) << R"({"lr": 0.25, "patch_size": 4})";
  const PretrainOptions saved = parse({"--patch", "4"});
  PretrainOptions resumed;
  const std::string said = warnings_of([&] { resumed = resumed_run(saved, given({"--config", file})); });
  CHECK(resumed.lr == 0.25);
  CHECK(has(said, "--lr 0.25"));
  CHECK(has(message_of([&] { resumed_run(parse({"--patch", "7"}), given({"--config", file})); }), "--patch"));
}

TEST_CASE("the library's advice is given in the options that a program has") {
  const std::string advice =
      "LoaderOptions::batch can be at most 5; name it as the data set's path, or use a smaller k or";
  CHECK(in_options(advice, {"--batch", "--data", "--k"}) ==
        "--batch can be at most 5; name it as --data DIR, or use a smaller --k or");
  CHECK(in_options(advice, {"--out"}) == advice);
  std::string library;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(VITRAL_TESTS_DIR) / "../include")) {
    if (entry.is_directory()) continue;
    std::ifstream file(entry.path());
    library.append(std::istreambuf_iterator<char>(file), {});
  }
  for (const auto& row : advice_in_options) CHECK_MESSAGE(has(library, std::string(row.first)), row.first);
}

TEST_CASE("--resume and --overwrite exclude each other") {
  CHECK(has(failure({"--resume", "--overwrite"}), "excludes"));
}

TEST_CASE("options and flags pass between parts of a program without loss") {
  const PretrainOptions options =
      parse({"--resume", "--eager", "--device", "cuda", "--lr", "0.1", "--out", "\xff.out"});
  CHECK(all_from_json(all_to_json(options)) == options);
  CHECK(all_from_json(all_to_json(options)).out == "\xff.out");
}
