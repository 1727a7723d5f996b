#include "../temporary.hpp"

#include <vitral/io/atomic_file.hpp>
#include <vitral/io/directory_lock.hpp>

#include <doctest/doctest.h>

#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <optional>

namespace fs = std::filesystem;
using namespace vitral;

namespace {

void write(const fs::path& path, const std::string& text) {
  write_file_atomically(path, {std::as_bytes(std::span(text))});
}

/// What `work` leaves behind in a process that is killed where it ends.
template <class Work>
void in_killed_process(Work work) {
  if (const pid_t child = ::fork(); child == 0) {
    work();
    ::raise(SIGKILL);
  } else {
    ::waitpid(child, nullptr, 0);
  }
}

}  // namespace

TEST_CASE("a file is whole or not there") {
  const testing::TemporaryFolder directory;
  write(directory.path / "a", "old");
  {
    AtomicFile file(directory.path / "a");
    file.write(std::as_bytes(std::span("new")));
    CHECK(testing::bytes_of(directory.path / "a") == "old");
  }
  CHECK(testing::bytes_of(directory.path / "a") == "old");
  CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 1);
  write(directory.path / "a", "new");
  CHECK(testing::bytes_of(directory.path / "a") == "new");
}

TEST_CASE("what a killed process left of a file goes when it is written again, and nothing else does") {
  const testing::TemporaryFolder directory;
  in_killed_process([&] {
    static std::optional<AtomicFile> left;
    left.emplace(directory.path / "a");
    left->write(std::as_bytes(std::span("half")));
  });
  std::ofstream(directory.path / "a.partial-1");
  for (const char* other : {"a.partial-x", "b.partial-1", "a.partial"}) std::ofstream(directory.path / other);
  REQUIRE(std::distance(fs::directory_iterator(directory.path), {}) == 5);
  const AtomicFile living(directory.path / "a");
  write(directory.path / "a", "new");
  CHECK(fs::exists(living.temporary()));
  CHECK(testing::bytes_of(directory.path / "a") == "new");
  for (const char* other : {"a.partial-x", "b.partial-1", "a.partial"}) CHECK(fs::exists(directory.path / other));
  CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 5);
}

TEST_CASE("a directory is locked by one process at a time, and a killed one leaves no lock") {
  const testing::TemporaryFolder directory;
  in_killed_process([&] {
    static std::optional<DirectoryLock> lock;
    lock.emplace(directory.path);
  });
  {
    const DirectoryLock lock(directory.path);
    REQUIRE(lock.problem() == "");
    const std::string owner = join("process ", ::getpid(), " on ");
    CHECK_THROWS_WITH_AS(DirectoryLock(directory.path), doctest::Contains(owner.c_str()), Error);
  }
  CHECK_NOTHROW(DirectoryLock(directory.path));
  CHECK_THROWS_WITH_AS(DirectoryLock(directory.path / "none"), doctest::Contains("No such file"), Error);
}
