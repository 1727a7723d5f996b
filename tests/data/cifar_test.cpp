#include "temporary.hpp"

#include <vitral/data/cifar.hpp>

#include <algorithm>

using namespace vitral;
using testing::contains;
using testing::error_of;

namespace {

// Records whose label is `first` + i and whose planes hold 10 * i + channel + (pixel modulo 7).
std::vector<std::uint8_t> records(int count, int first) {
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < count; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(first + i));
    for (int c = 0; c < 3; ++c)
      for (int p = 0; p < 1024; ++p) bytes.push_back(static_cast<std::uint8_t>(10 * i + c + p % 7));
  }
  return bytes;
}

void write_all(const std::filesystem::path& folder) {
  for (int i = 1; i <= 5; ++i)
    testing::write_bytes(folder / ("data_batch_" + std::to_string(i) + ".bin"), records(2, i));
  testing::write_bytes(folder / "test_batch.bin", records(3, 0));
}

}  // namespace

TEST_CASE("CIFAR-10 reads its five training files in order and interleaves the planes") {
  const testing::TemporaryFolder folder;
  write_all(folder.path);
  const Cifar10 data(folder.path);
  REQUIRE(data.size() == 10);
  for (int i = 0; i < 10; ++i) CHECK(data.label(i) == i / 2 + 1 + i % 2);
  const Image image = data.image(5);
  CHECK(image.height == 32);
  CHECK(image.width == 32);
  REQUIRE(image.rgb.size() == 3072);
  for (std::size_t p = 0; p < 1024; ++p)
    for (std::size_t c = 0; c < 3; ++c) REQUIRE(image.rgb[3 * p + c] == 10 + c + p % 7);
  CHECK(data.classes()[6] == "frog");
  CHECK(data.name() == "cifar10");
}

TEST_CASE("CIFAR-10 reads the test file, also from the archive's folder") {
  const testing::TemporaryFolder folder;
  write_all(folder.path / "cifar-10-batches-bin");
  const Cifar10 data(folder.path, Split::test);
  REQUIRE(data.size() == 3);
  CHECK(data.label(2) == 2);
  CHECK(Cifar10(folder.path, Split::train).size() == 10);
}

TEST_CASE("a missing CIFAR-10 file is named together with the script that gets it") {
  const testing::TemporaryFolder folder;
  write_all(folder.path);
  std::filesystem::remove(folder.path / "data_batch_4.bin");
  const std::string message = error_of([&] { Cifar10 data(folder.path); });
  CHECK(contains(message, (folder.path / "data_batch_4.bin").string()));
  CHECK(contains(message, "examples/fetch_cifar10.sh"));
  CHECK_NOTHROW(Cifar10(folder.path, Split::test));
}

TEST_CASE("truncated, empty and mislabelled CIFAR-10 files are errors") {
  const testing::TemporaryFolder folder;
  write_all(folder.path);
  const auto path = folder.path / "test_batch.bin";
  const auto error = [&] { return error_of([&] { Cifar10 data(folder.path, Split::test); }); };
  std::filesystem::resize_file(path, 3 * 3073 - 1);
  CHECK(contains(error(), path.string() + ": truncated, 9218 bytes"));
  std::filesystem::resize_file(path, 0);
  CHECK(contains(error(), "truncated"));
  testing::write_bytes(path, records(2, 9));
  CHECK(contains(error(), "label 10 of record 1"));
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  CHECK(contains(error(), path.string()));
}

TEST_CASE("CIFAR-100 gives the fine label, which follows the coarse one") {
  const testing::TemporaryFolder folder;
  std::vector<std::uint8_t> bytes;
  for (const int fine : {0, 99}) {
    bytes.push_back(19);
    bytes.push_back(static_cast<std::uint8_t>(fine));
    for (int c = 0; c < 3; ++c)
      for (int p = 0; p < 1024; ++p) bytes.push_back(static_cast<std::uint8_t>(fine + 20 * c + p % 5));
  }
  testing::write_bytes(folder.path / "cifar-100-binary" / "test.bin", bytes);
  const Dataset data = Cifar100(folder.path, Split::test);
  REQUIRE(data.size() == 2);
  CHECK(data.label(0) == 0);
  CHECK(data.label(1) == 99);
  const std::vector<std::string> classes = data.classes();
  CHECK(classes.size() == 100);
  CHECK(std::is_sorted(classes.begin(), classes.end()));
  CHECK(data.image(1).rgb[3 * 7 + 2] == 99 + 40 + 7 % 5);
  CHECK(contains(error_of([&] { Cifar100 train(folder.path); }), "train.bin: no such file"));
  CHECK(contains(error_of([&] { Cifar100 none(folder.path, Split::unlabeled); }), "no unlabeled split"));
  bytes[1] = 100;
  testing::write_bytes(folder.path / "cifar-100-binary" / "test.bin", bytes);
  CHECK(
      contains(error_of([&] { Cifar100 test(folder.path, Split::test); }), "label 100 of record 0, expected 0 to 99"));
}
