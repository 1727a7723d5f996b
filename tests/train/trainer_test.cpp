#include "noise.hpp"

#include <vitral/data/batches.hpp>
#include <vitral/data/mixup.hpp>
#include <vitral/train/checkpoint.hpp>
#include <vitral/train/supervised.hpp>
#include <vitral/train/trainer.hpp>
#include <vitral/vitral.hpp>

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>

using namespace vitral;

namespace {

const ViTSize tiny{8, 4, 16, 2, 2};

auto make_trainer(const Schedule& schedule, const OptimizerSettings& settings = AdamW{.lr = 1e-3},
                  double momentum = 0.996, bool ratio_rises = false) {
  const ViT<Cpu, float> encoder(tiny, Seed{1});
  return Trainer(MoCoV3(encoder, {.hidden = 16, .out = 8, .momentum = momentum}, SelfDistillation{0.5, ratio_rises}),
                 settings, schedule, Seed{2});
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
  auto trainer = make_trainer({.epochs = 4, .warmup_epochs = 1}, AdamW{.lr = 1e-3}, 0.9, true);
  auto loader = make_loader();
  std::vector<StepReport> reports;
  trainer.fit(loader, [&](const StepReport& r) { return reports.push_back(r), true; });
  REQUIRE(reports.size() == 24);
  CHECK(reports.front().lr == 0);
  CHECK(reports[5].lr == doctest::Approx(1e-3));  // the warm-up's last step
  CHECK(reports.back().lr < 1e-4);
  CHECK(reports.front()["momentum"] == doctest::Approx(0.9));
  CHECK(reports[12]["momentum"] == doctest::Approx(0.95));
  CHECK(reports.front()["ratio"] == doctest::Approx(0));
  CHECK(reports[12]["ratio"] == doctest::Approx(0.25));
  CHECK(reports.back().epoch == doctest::Approx(4));
}

TEST_CASE("max_epochs ends a run within its schedules, and a longer one goes on from there") {
  const auto rates = [](const Schedule& schedule) {
    auto trainer = make_trainer(schedule);
    std::vector<double> out;
    trainer.fit(make_loader(), [&](const StepReport& r) { return out.push_back(r.lr), true; });
    return out;
  };
  const std::vector<double> whole = rates({.epochs = 4}), part = rates({.epochs = 4, .max_epochs = 2});
  CHECK(part == std::vector<double>(whole.begin(), whole.begin() + 12));
  CHECK_THROWS_WITH_AS(make_trainer({.epochs = 2, .max_epochs = 3}), doctest::Contains("max_epochs 3 of 2 epochs"),
                       Error);
}

TEST_CASE("training changes the student's trainable parameters and moves the teacher, but not the frozen ones") {
  auto trainer = make_trainer({.epochs = 1}, AdamW{.lr = 1e-3}, 0.5);
  const auto before = clone_module(trainer.task());
  trainer.fit(make_loader());
  std::vector<std::vector<float>> old;
  for_each_tensor(before, [&](const std::string&, const auto& m) { old.push_back(m.value.to_vector()); });
  std::size_t i = 0;
  for_each_tensor(trainer.task(), [&](const std::string& name, const auto& member) {
    const bool frozen = name.find("pos_embed") != std::string::npos || name.find("patch_embed") != std::string::npos;
    CAPTURE(name);
    CHECK((member.value.to_vector() == old[i++]) == frozen);
  });
}

TEST_CASE("a run that is saved, loaded elsewhere and continued gives the parameters of an uninterrupted one") {
  const Folder folder;
  const Schedule schedule{.epochs = 2, .warmup_epochs = 1, .accumulate = 2, .clip_grad = 0.5};
  for (const OptimizerSettings& settings :
       {OptimizerSettings(AdamW{.lr = 1e-3}), OptimizerSettings(Sgd{.lr = 0.01}), OptimizerSettings(Lars{.lr = 0.1})}) {
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
    for_each_tensor(whole.task(), [&](const std::string&, const auto& m) { expected.push_back(m.value.to_vector()); });
    std::size_t i = 0;
    for_each_tensor(second.task(), [&](const std::string& name, const auto& m) {
      CAPTURE(name);
      CHECK(m.value.to_vector() == expected[i++]);
    });
  }
}

TEST_CASE("batches that do not fill a step are left out, and too few of them are an error") {
  auto trainer = make_trainer({.epochs = 1, .accumulate = 3});
  auto loader = make_loader();
  long steps = 0;
  trainer.fit(loader, [&](const StepReport&) { return ++steps > 0; });
  CHECK(steps == 2);
  CHECK_THROWS_WITH_AS(make_trainer({.epochs = 1, .accumulate = 7}).fit(make_loader()),
                       doctest::Contains("6 batches in an epoch are fewer than the 7"), Error);
}

TEST_CASE("a loss that is not finite stops training with a sentence") {
  auto trainer = make_trainer({.epochs = 9}, Sgd{.lr = 1e30});
  CHECK_THROWS_WITH_AS(trainer.fit(make_loader()), doctest::Contains("the loss became"), Error);
}

namespace {

/// A loader whose views hold `pixel` in one place.
struct NoisyLoader {
  using batch_type = Batch;
  Loader loader = make_loader();
  float pixel = 0;

  [[nodiscard]] long batches() const { return loader.batches(); }
  void start(long epoch, long first) { loader.start(epoch, first); }
  void stop() { loader.stop(); }
  bool next(Batch& batch) {
    const bool more = loader.next(batch);
    if (more) batch.views[1].data()[5] = pixel;
    return more;
  }
};

template <template <class> class Method>
void stops_at_nan(bool self_distilled, const std::string& where) {
  CAPTURE(self_distilled);
  CAPTURE(where);
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const ViT<Cpu, float> encoder(tiny, Seed{1});
  std::optional<SelfDistillation> distillation;
  if (self_distilled) distillation.emplace();
  Trainer trainer(Method<ViT<Cpu, float>>(encoder, {.hidden = 16, .out = 8}, distillation), AdamW{}, {.epochs = 1});
  NoisyLoader loader;
  loader.pixel = where == "pixel" ? nan : 0;
  bool poisoned = where == "pixel";
  for_each_parameter(trainer.task(), [&](const std::string& name, const auto& p) {
    if (name != where) return;
    p.value.data()[3] = nan;
    poisoned = true;
  });
  REQUIRE(poisoned);
  long steps = 0;
  CHECK_THROWS_WITH_AS(trainer.fit(loader, [&](const StepReport&) { return ++steps < 2; }),
                       doctest::Contains("the loss became NaN at step 0"), Error);
  CHECK(steps == 0);
}

}  // namespace

TEST_CASE("a pixel or a weight that is NaN stops all six methods at once") {
  for (const bool self_distilled : {false, true})
    for (const char* where : {"pixel", "student.encoder.blocks.0.mlp.fc1.weight",
                              "student.encoder.blocks.1.attn.qkv.bias", "student.projector.0.0.weight"}) {
      stops_at_nan<SimCLR>(self_distilled, where);
      stops_at_nan<BYOL>(self_distilled, where);
      stops_at_nan<MoCoV3>(self_distilled, where);
    }
}

TEST_CASE("a checkpoint with a number that is not finite is not written, and the older one stays") {
  const Folder folder;
  auto trainer = make_trainer({.epochs = 1});
  trainer.save(folder.path / "state");
  const auto written = std::filesystem::last_write_time(folder.path / "state");
  for_each_parameter(trainer.task(), [&](const std::string& name, const auto& p) {
    if (name == "student.encoder.norm.bias") p.value.data()[2] = -std::numeric_limits<float>::infinity();
  });
  CHECK_THROWS_WITH_AS(trainer.save(folder.path / "state"),
                       doctest::Contains("student.encoder.norm.bias holds a number that is not finite"), Error);
  CHECK(std::filesystem::last_write_time(folder.path / "state") == written);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
  make_trainer({.epochs = 1}).load(SafetensorsFile(folder.path / "state"));
}

TEST_CASE("a step count that cannot be is an error") {
  const Folder folder;
  auto trainer = make_trainer({.epochs = 2});
  trainer.fit(make_loader());
  trainer.save(folder.path / "state");
  auto shorter = make_trainer({.epochs = 1});
  shorter.load(SafetensorsFile(folder.path / "state"));
  CHECK_THROWS_WITH_AS(shorter.fit(make_loader()),
                       doctest::Contains("12 steps are done, but 1 epochs of 6 steps are 6"), Error);
  for (const std::string step : {"-1", "1e3", "7 ", "", "99999999999999999999"}) {
    CAPTURE(step);
    const float value = 1;
    write_safetensors(folder.path / "bad", {{"x", {scalar_type_of<float>(), {1}, std::as_bytes(std::span(&value, 1))}}},
                      {{"step", step}});
    const SafetensorsFile file(folder.path / "bad");
    CHECK_THROWS_WITH_AS((void)saved_steps(file), doctest::Contains("no number"), Error);
  }
}

namespace {

/// A method whose loss leaves a parameter out.
struct Forgetful : MoCoV3<ViT<Cpu, float>> {
  using MoCoV3::MoCoV3;
  Parameter<float, Shape<2>> unused{Tensor<float, Shape<2>>()};
  static void visit(auto& self, auto&& f) {
    MoCoV3::visit(self, f);
    f("unused", self.unused);
  }
};

/// What `call` prints on the standard error stream.
template <class Call>
std::string errors_of(Call call) {
  std::FILE* const file = std::tmpfile();
  const int screen = ::dup(2);
  ::dup2(::fileno(file), 2);
  call();
  ::dup2(screen, 2);
  ::close(screen);
  std::string text(static_cast<std::size_t>(std::ftell(file)), ' ');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

}  // namespace

TEST_CASE("a parameter without a gradient is named after the first step, once") {
  const ViT<Cpu, float> encoder(tiny, Seed{1});
  Trainer trainer(Forgetful(encoder, {.hidden = 16, .out = 8}), AdamW{}, {.epochs = 1});
  CHECK(errors_of([&] { trainer.fit(make_loader()); }) ==
        "Trainer: no gradient reaches 1 trainable parameters, which stay as they are: unused\n");
  CHECK(trainer.without_gradient() == std::vector<std::string>{"unused"});
  CHECK(errors_of([&] {
          auto complete = make_trainer({.epochs = 1});
          complete.fit(make_loader());
          CHECK(complete.without_gradient().empty());
        }) == "");
}

TEST_CASE("a checkpoint of another architecture is refused and changes nothing") {
  const Folder folder;
  auto trainer = make_trainer({.epochs = 1});
  trainer.save(folder.path / "state");
  const ViT<Cpu, float> wider(ViTSize{8, 4, 32, 2, 2}, Seed{1});
  Trainer other(MoCoV3(wider, {.hidden = 16, .out = 8}, SelfDistillation{0.5}), AdamW{}, {.epochs = 1});
  const auto before = clone_module(other.task());
  CHECK_THROWS_WITH_AS(other.load(SafetensorsFile(folder.path / "state")), doctest::Contains("another architecture"),
                       Error);
  std::vector<std::vector<float>> old;
  for_each_tensor(before, [&](const std::string&, const auto& m) { old.push_back(m.value.to_vector()); });
  std::size_t i = 0;
  for_each_tensor(other.task(), [&](const std::string&, const auto& m) { CHECK(m.value.to_vector() == old[i++]); });
}

namespace {

/// Two classes of points, apart by the sign of their first number.
struct Points {
  Tensor<float, Shape<dyn, 2>> x{64};
  Tensor<int, Shape<dyn>> y{64};
  Points() {
    const Random random{1, 0, 0};
    for (int i = 0; i < 64; ++i) {
      y(i) = i % 2;
      x(i, 0) = static_cast<float>((y(i) ? 1 : -1) * (0.5 + random.uniform(static_cast<std::uint64_t>(2 * i))));
      x(i, 1) = static_cast<float>(random.normal(static_cast<std::uint64_t>(2 * i + 1)));
    }
  }
};

struct Net {
  Linear<2, 8> hidden{Seed{1}};
  Linear<8, 2> out{Seed{2}};
  VITRAL_MEMBERS(hidden, out)
  auto operator()(const auto& x) const { return out(relu(hidden(x))); }
};

struct Pixels {
  Linear<192, 2> out{Seed{1}};
  VITRAL_MEMBERS(out)
  auto operator()(const auto& x, const Training&) const { return out(reshape(x, Shape<dyn, 192>{x.extent(0)})); }
};

struct TwoKinds : vitral_tests::Noise {
  int label(long i) const { return static_cast<int>(i % 2); }
  std::vector<std::string> classes() const { return {"even", "odd"}; }
};

// The task of docs/training.md.
/// Gives noisy points the features that a slowly following teacher gives the clean ones.
struct Denoise {
  Linear<2, 8> student{Seed{1}}, teacher = clone_module(student);
  double noise = 0;
  Tensor<float, Shape<>> size{};
  VITRAL_MEMBERS(student, teacher)

  Denoise() { set_trainable(teacher, false); }

  auto loss(Tape& tape, const auto& batch, const Training& mode) {
    const auto noisy = eval(batch.x + noise * uniform(mode.draw(), batch.x.shape()));
    const auto features = student(tape.constant(noisy));
    size = mean(abs(features.value()));
    return mean(square(features - teacher(batch.x)));
  }
  void schedule(double progress) { noise = 1 - progress; }
  void for_each_average(auto&& f) const { f(teacher, student, 0.5); }
  void for_each_number(auto&& f) const { f("noise", noise), f("size", size); }
};

}  // namespace

TEST_CASE("a network learns classes from arrays in memory, is trained in place, and its accuracy is reported") {
  const Points points;
  const Net net;
  auto trainer = Trainer(Supervised(net), AdamW{.lr = 0.02}, Schedule{.epochs = 10, .accumulate = 2});
  Batches source(points.x, points.y, {.batch = 16});
  std::vector<StepReport> reports;
  trainer.fit(source, [&](const StepReport& r) { return reports.push_back(r), true; });
  REQUIRE(reports.size() == 20);
  CHECK(reports.back().loss < 0.5 * reports.front().loss);
  CHECK(reports.back()["accuracy"] == 1);
  CHECK(accuracy(net(points.x), points.y).item() == 1);
  CHECK_THROWS_WITH_AS((void)reports[0]["ratio"], doctest::Contains("no number ratio; it names accuracy"), Error);
}

TEST_CASE(
    "a loader's first view and labels, or mixed targets, are what a network learns; smoothing is the criterion's") {
  const auto smoothed = [](const auto& logits, const auto& y) { return cross_entropy(logits, y, 0.2); };
  Trainer trainer(Supervised(Pixels{}, smoothed), Sgd{.lr = 0}, {.epochs = 1});
  std::vector<double> losses;
  Loader loader(vitral_tests::Noise{4, 8}, {center_view(8)}, {.batch = 4, .workers = 0});
  trainer.fit(loader, [&](const StepReport& r) { return losses.push_back(r.loss), true; });
  for (const Batch& batch : loader.epoch(0)) {
    const auto loss = mean(cross_entropy(Pixels{}(batch.views[0], Training{}), batch.labels, 0.2));
    CHECK(losses == std::vector<double>{static_cast<double>(loss.item())});
  }

  MixingLoader mixed(Loader(TwoKinds{{4, 8}}, {center_view(8)}, {.batch = 4, .workers = 0}), Mixup{});
  const double of_targets = Trainer(Supervised(Pixels{}), Sgd{.lr = 0}, {.epochs = 1}).fit(mixed)[0];
  for (const MixedBatch<Cpu>& batch : mixed.epoch(0)) {
    const auto loss = mean(cross_entropy(Pixels{}(batch.views[0], Training{}), batch.targets));
    CHECK(of_targets == static_cast<double>(loss.item()));
  }
}

TEST_CASE("a struct with a loss is a task: schedule, averages, numbers and hooks take part in each step") {
  const Points points;
  Batches source(points.x, points.y, {.batch = 16, .shuffle = false});
  Denoise again;  // its loss and size on the first two batches
  again.schedule(0);
  double loss = 0, size = 0;
  for (const auto& batch : source.epoch(0)) {
    if (batch.index == 2) break;
    Tape tape;
    const auto number = static_cast<std::uint64_t>(batch.index);
    loss += static_cast<double>(again.loss(tape, batch, Training(Random{7, 0x20000000, number})).item()) / 2;
    size += static_cast<double>(again.size.item()) / 2;
  }

  Trainer trainer(Denoise{}, Sgd{.lr = 0.1, .momentum = 0}, {.epochs = 2, .accumulate = 2}, Seed{7});
  const auto &student = trainer.task().student.weight.value, &teacher = trainer.task().teacher.weight.value;
  const auto start = clone(student);
  std::vector<StepReport> reports;
  std::vector<long> before, after;
  trainer.before_step([&](const Tape& tape, long step) {
    before.push_back(step);
    CHECK(tape.has_grad(student.data()));
  });
  trainer.after_step([&](long step) {
    after.push_back(step);
    for (int i = 0; i < 8 && step == 0; ++i) {
      CHECK(student(i, 0) != start(i, 0));
      CHECK(teacher(i, 0) == doctest::Approx((start(i, 0) + student(i, 0)) / 2).epsilon(1e-6));
    }
  });
  trainer.fit(source, [&](const StepReport& r) { return reports.push_back(r), true; });
  REQUIRE(reports.size() == 4);
  CHECK(before == std::vector<long>{0, 1, 2, 3});
  CHECK(after == before);
  CHECK(reports[0].loss == doctest::Approx(loss));
  CHECK(reports[0]["size"] == doctest::Approx(size));
  for (const StepReport& r : reports) CHECK(r["noise"] == 1 - 0.25 * static_cast<double>(r.step));
}

TEST_CASE("a criterion is a loss or any function that gives a number; what has no targets is its own") {
  const Points points;
  const Linear<2, 2> net(Seed{1});
  const std::vector<double> expected{static_cast<double>(mse(net(points.x), points.x).item())};
  const auto loss_by = [&](const auto& criterion, auto source) {
    return Trainer(Supervised(net, criterion), Sgd{.lr = 0}, {.epochs = 1}).fit(source, [](const StepReport& r) {
      CHECK(r.numbers.empty());
      return true;
    });
  };
  CHECK(loss_by(mse, Batches(points.x, points.x, {.batch = 64, .shuffle = false})) == expected);
  CHECK(loss_by(mse, Batches(points.x, {.batch = 64, .shuffle = false})) == expected);
  CHECK(loss_by([](const auto& y, const auto& x) { return mse(y, x); },
                Batches(points.x, {.batch = 64, .shuffle = false})) == expected);
}

TEST_CASE("a run returns the mean loss of each epoch, and of parts where it stops or goes on in the middle") {
  auto trainer = make_trainer({.epochs = 3});
  std::vector<double> losses;
  const auto mean_of = [&](std::size_t begin, std::size_t count) {
    double sum = 0;
    for (std::size_t i = begin; i < begin + count; ++i) sum += losses[i];
    return doctest::Approx(sum / static_cast<double>(count));
  };
  const auto first = trainer.fit(make_loader(), [&](const StepReport& r) {
    losses.push_back(r.loss);
    return r.step < 7;
  });
  REQUIRE(first.size() == 2);
  CHECK(first[0] == mean_of(0, 6));
  CHECK(first[1] == mean_of(6, 2));
  const auto rest = trainer.fit(make_loader(), [&](const StepReport& r) { return losses.push_back(r.loss), true; });
  REQUIRE(rest.size() == 2);
  CHECK(rest[0] == mean_of(8, 4));
  CHECK(rest[1] == mean_of(12, 6));
  CHECK(trainer.fit(make_loader()).empty());
}

TEST_CASE("at milestones the rate falls to a part of it, behind the warm-up, and a cosine's end contradicts them") {
  auto trainer = make_trainer({.epochs = 4, .warmup_epochs = 1, .milestones = {2, 3}, .gamma = 0.5});
  std::vector<double> rates;
  trainer.fit(make_loader(), [&](const StepReport& r) { return rates.push_back(r.lr), true; });
  REQUIRE(rates.size() == 24);
  CHECK(rates[0] == 0);
  for (std::size_t i = 5; i < 24; ++i) CHECK(rates[i] == (i < 12 ? 1e-3 : i < 18 ? 5e-4 : 2.5e-4));
  CHECK_THROWS_WITH_AS(make_trainer({.epochs = 4, .min_lr = 1e-5, .milestones = {2}}),
                       doctest::Contains("Schedule::min_lr, 1e-05, is the end of the cosine, which milestones replace"),
                       Error);
}

TEST_CASE("an optimiser with rates of its own is the trainer's") {
  const Points points;
  const Net net;
  const auto before = net.hidden.weight.value.to_vector(), head = net.out.weight.value.to_vector();
  const Supervised task(net);
  auto parameters = trainable_parameters(task);
  for (auto& p : parameters) p.rate = p.name.starts_with("model.hidden") ? 0 : 1;
  Trainer trainer(task, Optimizer<float, Cpu>(Sgd{.lr = 0.1}, parameters), {.epochs = 1});
  trainer.fit(Batches(points.x, points.y, {.batch = 16}));
  CHECK(net.hidden.weight.value.to_vector() == before);
  CHECK(net.out.weight.value.to_vector() != head);
}

TEST_CASE("a method says how many views it compares") {
  auto trainer = make_trainer({.epochs = 1});
  CHECK_THROWS_WITH_AS(trainer.fit(Loader(vitral_tests::Noise{24, 8}, {center_view(8)}, {.batch = 4})),
                       doctest::Contains("the batch holds 1 views of each image; the method compares two"), Error);
}

TEST_CASE("a warm-up longer than the run is refused") {
  CHECK_THROWS_WITH_AS(make_trainer({.epochs = 1, .warmup_epochs = 2}), doctest::Contains("the warm-up must fit"),
                       Error);
}
