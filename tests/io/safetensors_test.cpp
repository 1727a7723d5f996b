#include "../message_of.hpp"
#include "../temporary.hpp"

#include <vitral/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using namespace vitral;
using testing::has, testing::message_of;

namespace {

void put(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

/// A file of this header text and data, as the format lays them out.
std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

/// The message with which reading `bytes` fails, or "" if it does not.
std::string failure(const fs::path& path, const std::string& bytes) {
  put(path, bytes);
  return message_of([&] { SafetensorsFile{path}; });
}

std::string sample(const fs::path& path) {
  const std::vector<float> a{1, 2, 3, 4, 5, 6};
  const std::vector<double> b{0.1, -1e300};
  const std::vector<std::int64_t> c{-7};
  write_safetensors(
      path,
      {named_tensor("weight", {2, 3}, std::span(a)), named_tensor("empty", {0, 4}, std::span<const float>()),
       named_tensor("bias", {2}, std::span(b)), named_tensor("count", {}, std::span(c))},
      {{"method", "moco"}, {"note", "quotes \" and \n lines"}});
  return testing::bytes_of(path);
}

}  // namespace

TEST_CASE("a written file is read back with its order, shapes, types, values and metadata") {
  const testing::TemporaryFolder directory;
  const fs::path path = directory.path / "a.safetensors";
  sample(path);
  const SafetensorsFile file(path);
  CHECK(file.names() == std::vector<std::string>{"weight", "empty", "bias", "count"});
  CHECK(file.tensor("weight").shape == std::vector<long>{2, 3});
  CHECK(file.tensor("weight").type == ScalarType::f32);
  CHECK(file.tensor("count").shape.empty());
  CHECK(file.values<float>("weight") == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(file.values<double>("weight") == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(file.values<double>("bias") == std::vector<double>{0.1, -1e300});
  CHECK(file.values<double>("empty").empty());
  CHECK(file.values<std::int64_t>("count") == std::vector<std::int64_t>{-7});
  CHECK(file.metadata() == Metadata{{"method", "moco"}, {"note", "quotes \" and \n lines"}});
  CHECK(file.metadata("method") == "moco");
  CHECK(file.contains("bias"));
  CHECK_FALSE(file.contains("biases"));
}

TEST_CASE("the file stays usable when it is moved") {
  const testing::TemporaryFolder directory;
  sample(directory.path / "a");
  SafetensorsFile first(directory.path / "a");
  const SafetensorsFile second = std::move(first);
  CHECK(second.values<float>("weight").back() == 6);
}

TEST_CASE("the header is laid out as the format's definition says") {
  const testing::TemporaryFolder directory;
  const float number = 1.5f;
  write_safetensors(directory.path / "a", {named_tensor("x", {1}, std::span(&number, 1))});
  const std::string header = R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  const std::string padding((8 - header.size() % 8) % 8, ' ');
  CHECK(testing::bytes_of(directory.path / "a") == file_of(header + padding, std::string("\x00\x00\xc0\x3f", 4)));
}

TEST_CASE("16-bit numbers are widened exactly") {
  const testing::TemporaryFolder directory;
  // 1.0, -2.5, the largest number, the smallest subnormal, infinity, NaN
  const std::uint16_t half[] = {0x3c00, 0xc100, 0x7bff, 0x0001, 0x7c00, 0x7e01};
  const std::uint16_t brain[] = {0x3f80, 0xc020, 0x7f7f, 0x0001, 0x7f80, 0x7fc1};
  write_safetensors(directory.path / "a", {{"half", {ScalarType::f16, {6}, std::as_bytes(std::span(half))}},
                                           {"brain", {ScalarType::bf16, {6}, std::as_bytes(std::span(brain))}}});
  const SafetensorsFile file(directory.path / "a");
  const auto f16 = file.values<double>("half");
  const auto b16 = file.values<float>("brain");
  CHECK(std::vector<double>(f16.begin(), f16.begin() + 4) == std::vector<double>{1, -2.5, 65504, 0x1p-24});
  CHECK(std::vector<float>(b16.begin(), b16.begin() + 4) == std::vector<float>{1, -2.5f, 0x1.fep127f, 0x1p-133f});
  CHECK(std::isinf(f16[4]));
  CHECK(std::isinf(b16[4]));
  CHECK(std::isnan(f16[5]));
  CHECK(std::isnan(b16[5]));
  const bf16 own[] = {bf16(0.5f)};
  CHECK(named_tensor("own", {1}, std::span(own)).tensor.type == ScalarType::bf16);
}

TEST_CASE("a missing tensor is named with the file and the nearest names") {
  const testing::TemporaryFolder directory;
  sample(directory.path / "a");
  const SafetensorsFile file(directory.path / "a");
  const std::string message = message_of([&] { (void)file.tensor("wieght"); });
  CHECK(has(message, (directory.path / "a").string()));
  CHECK(has(message, "wieght"));
  CHECK(has(message, "the nearest names are weight, "));
  CHECK(has(message_of([&] { (void)file.metadata("arch"); }), "arch"));
}

TEST_CASE("elements are not read as a type that does not hold them") {
  const testing::TemporaryFolder directory;
  sample(directory.path / "a");
  const SafetensorsFile file(directory.path / "a");
  CHECK(has(message_of([&] { (void)file.values<float>("count"); }), "I64"));
  CHECK(has(message_of([&] { (void)file.values<int>("count"); }), "I64"));
  CHECK(has(message_of([&] { (void)file.values<std::uint64_t>("count"); }), "I64"));
  CHECK(has(message_of([&] { (void)file.values<std::int64_t>("bias"); }), "F64"));
}

TEST_CASE("a file that ends early at any byte is an error that names the file") {
  const testing::TemporaryFolder directory;
  const std::string whole = sample(directory.path / "a");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(has(failure(directory.path / "cut", whole.substr(0, length)), (directory.path / "cut").string()));
  }
}

TEST_CASE("a damaged byte in the header gives an error or a valid file, never a crash") {
  const testing::TemporaryFolder directory;
  const std::string whole = sample(directory.path / "a");
  std::size_t refused = 0;
  for (std::size_t i = 0; i < whole.size() - 48; ++i)
    for (const char byte : {'\0', '9', '"', '{', '\xff'}) {
      std::string damaged = whole;
      damaged[i] = byte;
      refused += !failure(directory.path / "bad", damaged).empty();
    }
  CHECK(refused > whole.size());
}

TEST_CASE("bytes after the last tensor are an error") {
  const testing::TemporaryFolder directory;
  const std::string whole = sample(directory.path / "a");
  CHECK(has(failure(directory.path / "b", whole + "x"), "1 bytes after its last tensor"));
}

TEST_CASE("every inconsistency of a header is refused with its reason") {
  const testing::TemporaryFolder directory;
  const auto reason = [&](const std::string& header) {
    return failure(directory.path / "b", file_of(header, "12345678"));
  };
  const auto tensor = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  CHECK(reason(R"({"x":)" + tensor("F32", "[2]", "[0,8]") + "}").empty());
  CHECK(reason(R"({"x":)" + tensor("F32", "[1]", "[4,8]") + R"(,"y":)" + tensor("F32", "[1]", "[0,4]") + "}").empty());

  CHECK(has(reason("[]"), "no JSON object"));
  CHECK(has(reason("{"), "no valid JSON"));
  CHECK(has(reason("{}"), "8 bytes after"));
  CHECK(has(reason(R"({"x":3})"), "tensor x needs dtype"));
  CHECK(has(reason(R"({"x":)" + tensor("F33", "[2]", "[0,8]") + "}"), "unknown dtype \"F33\""));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[3]", "[0,8]") + "}"), "tensor x has 8 bytes"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[3]", "[0,12]") + "}"), "tensor x ends at byte 12"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[2]", "[8,0]") + "}"), "data_offsets"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[2]", "[0]") + "}"), "data_offsets"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[-2]", "[0,8]") + "}"), "shape"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[2.0]", "[0,8]") + "}"), "shape"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "2", "[0,8]") + "}"), "shape"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[18446744073709551615]", "[0,8]") + "}"), "shape"));
  // 2^62 elements of 4 bytes wrap round to 0 bytes, and 2^32 * 2^32 elements to 0 elements
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[4611686018427387904]", "[0,0]") + "}"), "tensor x"));
  CHECK(has(reason(R"({"x":)" + tensor("U8", "[4294967296,4294967296]", "[0,0]") + "}"), "tensor x"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[1]", "[0,4]") + R"(,"y":)" + tensor("F32", "[1]", "[0,4]") + "}"),
            "overlaps"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[1]", "[4,8]") + "}"), "gap"));
  CHECK(has(reason(R"({"x":)" + tensor("F32", "[1]", "[0,4]") + R"(,"x":)" + tensor("F32", "[1]", "[4,8]") + "}"),
            "the key \"x\" twice"));
  CHECK(has(reason(R"({"__metadata__":{"a":1},"x":)" + tensor("F32", "[2]", "[0,8]") + "}"), "metadata \"a\""));
  CHECK(has(failure(directory.path / "b", std::string(8, '\xff')), "no safetensors file"));
}

TEST_CASE("a file of any length costs the memory of its tensors alone, and a name of any length one line") {
  const testing::TemporaryFolder directory;
  put(directory.path / "long", sample(directory.path / "a"));
  fs::resize_file(directory.path / "long", 1ul << 38);  // a hole, which takes no room on the disk
  CHECK(has(message_of([&] { SafetensorsFile(directory.path / "long"); }), "bytes after its last tensor"));
  const std::string deep = "{\"x\":{\"dtype\":" + std::string(100'000, '[');
  CHECK(has(failure(directory.path / "b", file_of(deep, "")), "nested more than 64 deep"));
  const std::string name(1'000'000, 'x');
  CHECK(failure(directory.path / "b", file_of("{\"" + name + "\":3}", "")).size() < 400);
  const std::string message = failure(directory.path / "b", file_of("{\"a\\u001b[2J\\n\":3}", ""));
  CHECK(has(message, "tensor a\\x1b[2J\\n needs"));
}

TEST_CASE("a path that cannot be read is an error with the path and the reason") {
  const testing::TemporaryFolder directory;
  CHECK(has(message_of([&] { SafetensorsFile(directory.path / "none"); }), "No such file"));
  CHECK(has(message_of([&] { SafetensorsFile{directory.path}; }), directory.path.string()));
}

TEST_CASE("a write that fails leaves the old file and no litter") {
  const testing::TemporaryFolder directory;
  const fs::path path = directory.path / "a";
  const std::string before = sample(path);
  const std::vector<float> three(3);
  const NamedTensor good = named_tensor("x", {3}, std::span(three)), bad = named_tensor("x", {4}, std::span(three));
  CHECK(has(message_of([&] { write_safetensors(path, {bad}); }), "tensor x has 12 bytes"));
  CHECK(has(message_of([&] { write_safetensors(path, {good, good}); }), "cannot be named x"));
  CHECK(has(message_of([&] { write_safetensors(path, {}, {{"key", "\xff"}}); }), "UTF-8"));
  CHECK(has(message_of([&] { write_safetensors(directory.path / "no" / "a", {}); }), "No such file or directory"));
  CHECK(testing::bytes_of(path) == before);
  CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 1);
}

TEST_CASE("an atomic file that is given up leaves the old content") {
  const testing::TemporaryFolder directory;
  put(directory.path / "a", "old");
  {
    AtomicFile file(directory.path / "a");
    file.write(std::as_bytes(std::span("new", 3)));
  }
  CHECK(testing::bytes_of(directory.path / "a") == "old");
  CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 1);
}
