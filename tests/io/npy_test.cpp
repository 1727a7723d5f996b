// Files of NumPy's own (tests/fixtures/make_retrieval.py), and files that are no use to us.
#include <vitral/io/npy.hpp>
#include <vitral/io/safetensors.hpp>

#include <doctest/doctest.h>

namespace fs = std::filesystem;
using namespace vitral;

namespace {

/// A file of its own for a test, removed at its end.
struct TemporaryFile {
  fs::path path = fs::temp_directory_path() / ("vitral_" + std::to_string(::getpid()) + ".npy");
  ~TemporaryFile() { fs::remove(path); }
};

std::string from_numpy(const std::string& name) {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/retrieval.safetensors");
  const auto bytes = file.values<std::uint8_t>("npy/" + name);
  return {bytes.begin(), bytes.end()};
}

NpyArray read(const std::string& bytes) {
  const TemporaryFile file;
  std::ofstream(file.path, std::ios::binary) << bytes;
  return read_npy(file.path);
}

std::string failure(const std::string& bytes) {
  try {
    static_cast<void>(read(bytes));
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

std::vector<float> eighths(int first, int count) {
  std::vector<float> out;
  for (int i = first; i < first + count; ++i) out.push_back(static_cast<float>(i) / 8);
  return out;
}

}  // namespace

TEST_CASE("arrays that NumPy has saved are read with their shape, in either version of the format") {
  for (const char* name : {"matrix", "version2"}) {
    CAPTURE(name);
    const NpyArray array = read(from_numpy(name));
    CHECK(array.shape == std::vector<long>{3, 4});
    CHECK(array.values == eighths(0, 12));
  }
  CHECK(read(from_numpy("vector")).shape == std::vector<long>{4});
  CHECK(read(from_numpy("scalar")).shape.empty());
  CHECK(read(from_numpy("scalar")).values == eighths(5, 1));
  CHECK(read(from_numpy("empty")).shape == std::vector<long>{0, 4});
}

TEST_CASE("an array is written byte for byte as NumPy writes it") {
  const TemporaryFile file;
  const auto written = [&](const std::vector<float>& values, const std::vector<long>& shape) {
    write_npy(file.path, values, shape);
    std::ifstream in(file.path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  CHECK(written(eighths(0, 12), {3, 4}) == from_numpy("matrix"));
  CHECK(written(eighths(0, 4), {4}) == from_numpy("vector"));
  CHECK(written(eighths(5, 1), {}) == from_numpy("scalar"));
  CHECK(written({}, {0, 4}) == from_numpy("empty"));
}

TEST_CASE("an array that is not float32 in C order is refused with what to do in Python") {
  const auto says = [](const std::string& name, const char* message) {
    CAPTURE(name);
    CHECK_MESSAGE(failure(from_numpy(name)).find(message) != std::string::npos, failure(from_numpy(name)));
  };
  says("double", ".npy: dtype '<f8', expected '<f4'; in Python: numpy.save(path, array.astype(numpy.float32))");
  says("big_endian", "dtype '>f4', expected '<f4'");
  says("structured", "dtype [('x', '<f4'), ('y', '<f4')], expected '<f4'");
  says("fortran", "fortran_order is True, expected False; in Python: numpy.save(path, numpy.ascontiguousarray(array))");
}

TEST_CASE("a damaged file is refused, wherever it is cut") {
  const std::string whole = from_numpy("matrix");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    REQUIRE(failure(whole.substr(0, length)).find("vitral_") != std::string::npos);
  }
  CHECK(failure(whole + "x").find("float32 of shape (3, 4) does not have the 49 bytes that are there") !=
        std::string::npos);
  std::string other = whole;
  other[6] = 9;
  CHECK(failure(other).find("version 9 of the format, expected 1 to 3") != std::string::npos);
  CHECK(failure("text that is no array").find("not an .npy file") != std::string::npos);
  other = whole;
  other.replace(other.find("(3, 4)"), 6, "(-3,4)");
  CHECK(failure(other).find("float32 of shape (-3,4)") != std::string::npos);
}

TEST_CASE(
    "what a header says twice, and a length that its shape does not have, are refused before memory is asked for") {
  std::string other = from_numpy("matrix");
  const std::size_t comma = other.find(", }");
  other.replace(comma, 18, ", 'shape': (2, 6)}");
  CHECK(failure(other).find("has not 'shape': once") != std::string::npos);
  const TemporaryFile file;
  std::ofstream(file.path, std::ios::binary) << from_numpy("matrix");
  fs::resize_file(file.path, 1ul << 38);  // a hole, which takes no room on the disk
  CHECK_THROWS_WITH_AS(static_cast<void>(read_npy(file.path)), doctest::Contains("bytes that are there"), Error);
}

TEST_CASE("numbers that do not have the shape are not written") {
  const TemporaryFile file;
  const std::vector<long> shape{2, 4};
  CHECK_THROWS_WITH_AS(write_npy(file.path, eighths(0, 12), shape),
                       doctest::Contains("12 numbers do not have the shape (2, 4)"), Error);
  CHECK(!fs::exists(file.path));
}
