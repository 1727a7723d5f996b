#include "noise.hpp"

#include <vitral/train/trainer.hpp>
#include <vitral/vitral.hpp>

#include <doctest/doctest.h>

#include <filesystem>

using namespace vitral;

namespace {

const ViTSize tiny{8, 4, 16, 2, 2};

auto make_trainer(const Schedule& schedule, const OptimizerSettings& settings = AdamW{.lr = 1e-3}) {
  const ViT<Cpu, float> encoder(tiny, Seed{1});
  return Trainer(MoCoV3(encoder, {.hidden = 16, .out = 8}, SelfDistillation{0.5}), settings, schedule, Seed{2});
}

Loader make_loader(int batch = 4) {
  return Loader(vitral_tests::Noise{24, 8}, two_views(moco_v3_augmentation(8)),
                {.batch = batch, .seed = 3, .workers = 1});
}

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("vitral_trainer_" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("a run reports every step with its schedule's values") {
  auto trainer = make_trainer({.epochs = 4, .warmup_epochs = 1, .momentum = 0.9, .ratio_rises = true});
  auto loader = make_loader();
  std::vector<StepReport> reports;
  trainer.fit(loader, [&](const StepReport& r) { return reports.push_back(r), true; });
  REQUIRE(reports.size() == 24);
  CHECK(reports.front().lr == 0);
  CHECK(reports[5].lr == doctest::Approx(1e-3));  // the warm-up's last step
  CHECK(reports.back().lr < 1e-4);
  CHECK(reports.front().momentum == doctest::Approx(0.9));
  CHECK(reports[12].momentum == doctest::Approx(0.95));
  CHECK(reports.front().ratio == doctest::Approx(0));
  CHECK(reports[12].ratio == doctest::Approx(0.25));
  CHECK(reports.back().epoch == doctest::Approx(4));
}

TEST_CASE("training changes the student's trainable parameters and moves the teacher, but not the frozen ones") {
  auto trainer = make_trainer({.epochs = 1, .warmup_epochs = 0, .momentum = 0.5});
  const auto before = clone_module(trainer.method());
  trainer.fit(make_loader());
  std::vector<std::vector<float>> old;
  for_each_tensor(before, [&](const std::string&, const auto& m) { old.push_back(m.value.to_vector()); });
  std::size_t i = 0;
  for_each_tensor(trainer.method(), [&](const std::string& name, const auto& member) {
    const bool frozen = name.find("pos_embed") != std::string::npos || name.find("patch_embed") != std::string::npos;
    CAPTURE(name);
    CHECK((member.value.to_vector() == old[i++]) == frozen);
  });
}

TEST_CASE("a run that is saved, loaded elsewhere and continued gives the parameters of an uninterrupted one") {
  const Folder folder;
  const Schedule schedule{.epochs = 2, .warmup_epochs = 1, .accumulate = 2, .clip_grad = 0.5};
  for (const OptimizerSettings& settings : {OptimizerSettings(AdamW{.lr = 1e-3}), OptimizerSettings(Sgd{.lr = 0.01}),
                                            OptimizerSettings(Lars{.lr = 0.1})}) {
    auto whole = make_trainer(schedule, settings), first = make_trainer(schedule, settings),
         second = make_trainer(schedule, settings);
    whole.fit(make_loader());
    auto loader = make_loader();
    first.fit(loader, [](const StepReport& r) { return r.step < 3; });
    CHECK(first.steps_done() == 4);
    first.save(folder.path / "state", {{"note", "kept"}});
    const SafetensorsFile file(folder.path / "state");
    CHECK(file.metadata("note") == "kept");
    second.load(file);
    second.fit(make_loader());
    CHECK(second.steps_done() == whole.steps_done());
    std::vector<std::vector<float>> expected;
    for_each_tensor(whole.method(),
                    [&](const std::string&, const auto& m) { expected.push_back(m.value.to_vector()); });
    std::size_t i = 0;
    for_each_tensor(second.method(), [&](const std::string& name, const auto& m) {
      CAPTURE(name);
      CHECK(m.value.to_vector() == expected[i++]);
    });
  }
}

TEST_CASE("batches that do not fill a step are left out, and too few of them are an error") {
  auto trainer = make_trainer({.epochs = 1, .warmup_epochs = 0, .accumulate = 3});
  auto loader = make_loader();
  long steps = 0;
  trainer.fit(loader, [&](const StepReport&) { return ++steps > 0; });
  CHECK(steps == 2);
  CHECK_THROWS_WITH_AS(make_trainer({.epochs = 1, .warmup_epochs = 0, .accumulate = 7}).fit(make_loader()),
                       doctest::Contains("6 batches in an epoch are fewer than the 7"), Error);
}

TEST_CASE("a loss that is not finite stops training with a sentence") {
  auto trainer = make_trainer({.epochs = 9, .warmup_epochs = 0}, Sgd{.lr = 1e30});
  CHECK_THROWS_WITH_AS(trainer.fit(make_loader()), doctest::Contains("the loss became"), Error);
}

TEST_CASE("a checkpoint of another architecture is refused and changes nothing") {
  const Folder folder;
  auto trainer = make_trainer({.epochs = 1, .warmup_epochs = 0});
  trainer.save(folder.path / "state");
  const ViT<Cpu, float> wider(ViTSize{8, 4, 32, 2, 2}, Seed{1});
  Trainer other(MoCoV3(wider, {.hidden = 16, .out = 8}, SelfDistillation{0.5}), AdamW{},
                {.epochs = 1, .warmup_epochs = 0});
  const auto before = clone_module(other.method());
  CHECK_THROWS_WITH_AS(other.load(SafetensorsFile(folder.path / "state")), doctest::Contains("another architecture"),
                       Error);
  std::vector<std::vector<float>> old;
  for_each_tensor(before, [&](const std::string&, const auto& m) { old.push_back(m.value.to_vector()); });
  std::size_t i = 0;
  for_each_tensor(other.method(), [&](const std::string&, const auto& m) { CHECK(m.value.to_vector() == old[i++]); });
}

TEST_CASE("a warm-up longer than the run is refused") {
  CHECK_THROWS_WITH_AS(make_trainer({.epochs = 1, .warmup_epochs = 2}), doctest::Contains("the warm-up must fit"),
                       Error);
}
