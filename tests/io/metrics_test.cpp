#include "../temporary.hpp"

#include <vitral/io/metrics.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

namespace fs = std::filesystem;
using namespace vitral;

namespace {

void log_steps(MetricsLog& log, long first, long last) {
  for (long step = first; step < last; ++step) log.append(step, {{"loss", 1.0 / static_cast<double>(step + 1)}});
}

}  // namespace

TEST_CASE("each line is one JSON object with its step first, in the file at once") {
  const testing::TemporaryFolder directory;
  MetricsLog log(directory.path / "m.jsonl");
  log.append(0, {{"loss", 2.5}, {"lr", 0.1}});
  CHECK(testing::bytes_of(directory.path / "m.jsonl") == "{\"step\":0,\"loss\":2.5,\"lr\":0.1}\n");
  log.append(1, {{"loss", std::numeric_limits<double>::quiet_NaN()}});
  CHECK(testing::bytes_of(directory.path / "m.jsonl").ends_with("\n{\"step\":1,\"loss\":null}\n"));
}

TEST_CASE("a new run empties the log of an old one") {
  const testing::TemporaryFolder directory;
  { MetricsLog(directory.path / "m").append(5, {}); }
  { MetricsLog(directory.path / "m").append(0, {}); }
  CHECK(testing::bytes_of(directory.path / "m") == "{\"step\":0}\n");
}

TEST_CASE("a resumed run leaves the log of an uninterrupted one") {
  const testing::TemporaryFolder directory;
  {
    MetricsLog whole(directory.path / "whole");
    log_steps(whole, 0, 10);
  }
  {
    MetricsLog first(directory.path / "resumed");
    log_steps(first, 0, 8);  // three steps further than the checkpoint
  }
  std::ofstream(directory.path / "resumed", std::ios::app) << "{\"step\":8,\"lo";  // killed while it wrote
  {
    MetricsLog second(directory.path / "resumed", 5);
    log_steps(second, 5, 10);
  }
  CHECK(testing::bytes_of(directory.path / "resumed") == testing::bytes_of(directory.path / "whole"));
}

TEST_CASE("a resumed log tells how many of the earlier lines it found") {
  const testing::TemporaryFolder directory;
  std::ofstream(directory.path / "m") << "{\"step\":0}\n{\"step\":1,\"lo\n{\"step\":2}\nnull\n{\"step\":4}\n";
  CHECK(MetricsLog(directory.path / "m", 4).kept() == 2);
  CHECK(testing::bytes_of(directory.path / "m") == "{\"step\":0}\n{\"step\":2}\n");
}

TEST_CASE("a text of any bytes makes no line that is no JSON") {
  const testing::TemporaryFolder directory;
  MetricsLog(directory.path / "m").append(0, {{"class", "caf\xe9\n"}});
  CHECK(testing::bytes_of(directory.path / "m") == "{\"step\":0,\"class\":\"caf\xef\xbf\xbd\\n\"}\n");
}

TEST_CASE("a log that is resumed without its file starts one") {
  const testing::TemporaryFolder directory;
  MetricsLog log(directory.path / "m", 3);
  CHECK(log.kept() == 0);
  log.append(3, {});
  CHECK(testing::bytes_of(directory.path / "m") == "{\"step\":3}\n");
}

TEST_CASE("a log that cannot be written is an error that names it") {
  const testing::TemporaryFolder directory;
  const std::string expected = (directory.path / "none" / "m").string();
  try {
    MetricsLog log(directory.path / "none" / "m");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find(expected) != std::string::npos);
    CHECK(std::string(error.what()).find("No such file or directory") != std::string::npos);
  }
  MetricsLog full("/dev/full");  // every write to it fails as on a full disk
  CHECK_THROWS_AS(full.append(0, {}), Error);
}
