// Schedules against DINO's and PyTorch's, as the fixtures give them.
#include <vitral/io/safetensors.hpp>
#include <vitral/optim/schedule.hpp>

#include <doctest/doctest.h>

#include <set>

#ifndef VITRAL_TESTS_DIR
#define VITRAL_TESTS_DIR "tests"
#endif

using namespace vitral;

TEST_CASE("a schedule gives the reference's value at every step") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/optimizers.safetensors");
  std::set<std::string> cases;
  for (const std::string& name : file.names())
    if (name.starts_with("schedule.")) cases.insert(name.substr(0, name.find('/')));
  CHECK(cases.size() == 6);
  for (const std::string& name : cases) {
    const auto number = [&](const char* entry) { return file.values<double>(name + "/" + entry).at(0); };
    const auto count = [&](const char* entry) { return long{file.values<std::int32_t>(name + "/" + entry).at(0)}; };
    const CosineSchedule schedule{number("base"), number("final"), count("steps"), count("warmup"), number("start")};
    const auto expected = file.values<double>(name + "/y");
    REQUIRE(static_cast<long>(expected.size()) == schedule.steps);
    for (long i = 0; i < schedule.steps; ++i) {
      INFO(name, ", step ", i);
      const double y = expected[static_cast<std::size_t>(i)];
      CHECK(std::abs(schedule.at(i) - y) <= 1e-12 * std::max(std::abs(y), std::abs(schedule.base)));
    }
  }
}

TEST_CASE("the warm-up rises in equal parts to the base value") {
  const CosineSchedule schedule{.base = 3, .final = 0, .steps = 10, .warmup = 4, .start = 0};
  CHECK(schedule.at(0) == 0);
  CHECK(schedule.at(1) == doctest::Approx(1).epsilon(1e-14));
  CHECK(schedule.at(3) == 3);
  CHECK(schedule.at(4) == 3);
  CHECK(schedule.at(7) == doctest::Approx(1.5).epsilon(1e-14));  // half-way down the cosine
}

TEST_CASE("a step outside the schedule is an error") {
  const CosineSchedule schedule{.base = 1, .final = 0, .steps = 5};
  CHECK_THROWS_WITH_AS(static_cast<void>(schedule.at(5)), doctest::Contains("step 5 is outside 0 .. 4"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(schedule.at(-1)), doctest::Contains("step -1 is outside 0 .. 4"), Error);
}

TEST_CASE("a step schedule gives the rates of PyTorch's StepLR and MultiStepLR") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/optimizers.safetensors");
  const auto number = [&](const std::string& entry) { return file.values<double>("step_schedule." + entry).at(0); };
  const auto agrees = [&](const std::string& name, const StepSchedule& schedule) {
    CAPTURE(name);
    const auto expected = file.values<double>("step_schedule." + name + "/y");
    REQUIRE(expected.size() == 12);
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK(schedule.at(static_cast<long>(i)) == doctest::Approx(expected[i]).epsilon(1e-14));
  };
  agrees("every", {.base = number("every/base"), .gamma = number("every/gamma"), .every = 5});
  agrees("milestones",
         {.base = number("milestones/base"), .gamma = number("milestones/gamma"), .milestones = {2, 3, 9}});
  CHECK_THROWS_WITH_AS(static_cast<void>(StepSchedule{.base = 1}.at(-1)), doctest::Contains("StepSchedule: step -1"),
                       Error);
}

TEST_CASE("a learning rate is given for a batch of 256") {
  CHECK(scaled_learning_rate(0.1, 256) == 0.1);
  CHECK(scaled_learning_rate(0.1, 1024) == 0.4);
}
