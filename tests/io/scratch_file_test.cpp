// A file without a name, and the 16-bit floats that it may hold.
#include <vitral/io/scalar_type.hpp>
#include <vitral/io/scratch_file.hpp>

#include "../temporary.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

using namespace vitral;

TEST_CASE("what was written to a scratch file is memory, also when the file is closed, and no name is left") {
  const testing::TemporaryFolder temporary;
  std::optional<ScratchFile> file;
  file.emplace(temporary.path, 300000);
  CHECK(std::filesystem::is_empty(temporary.path));
  const std::vector<std::byte> some(5, std::byte{7});
  file->write(299995, some);
  file->write(3, some);
  const std::shared_ptr<const std::byte> memory = file->map();
  file.reset();
  CHECK(memory.get()[2] == std::byte{0});
  CHECK(memory.get()[3] == std::byte{7});
  CHECK(memory.get()[8] == std::byte{0});
  CHECK(memory.get()[299999] == std::byte{7});
}

TEST_CASE("a scratch file that cannot be made, or for which there is no room, names its directory") {
  const testing::TemporaryFolder temporary;
  const auto message = [&](const std::string& folder, const char* what) {
    return doctest::Contains(join(folder, ": ", what).c_str());
  };
  const std::filesystem::path nowhere = temporary.path / "nowhere";
  CHECK_THROWS_WITH_AS(ScratchFile(nowhere, 8),
                       message(nowhere.native(), "cannot make a temporary file there (No such file or directory); name "
                                                 "a directory that may be written and has room"),
                       Error);
  CHECK_THROWS_WITH_AS(
      ScratchFile(temporary.path, 1l << 60),
      message(temporary.path.native(), "has no room for a temporary file of 1152921504606846976 bytes"), Error);
  CHECK(std::filesystem::is_empty(temporary.path));
  ScratchFile file(temporary.path, 8);
  CHECK_THROWS_WITH_AS(file.write(6, std::vector<std::byte>(3)),
                       message(temporary.path.native(), "3 bytes from byte 6 on do not fit"), Error);
}

TEST_CASE("f16 keeps what it has, rounds to nearest and ties to even") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = detail::float_from_f16(half);
    if (std::isnan(value))
      REQUIRE(std::isnan(detail::float_from_f16(detail::f16_from_float(value))));
    else
      REQUIRE(detail::f16_from_float(value) == half);
    if ((bits & 0x7fff) >= 0x7c00) continue;
    // Half way to the next number, to the even one; a little less or more, to the nearer one.
    const auto next = static_cast<std::uint16_t>(bits + 1);
    const float end = (next & 0x7fff) == 0x7c00 ? std::copysign(65536.0f, value) : detail::float_from_f16(next);
    const float middle = value + (end - value) / 2;
    REQUIRE(detail::f16_from_float(middle) == (half % 2 ? next : half));
    REQUIRE(detail::f16_from_float(std::nextafter(middle, value)) == half);
    REQUIRE(detail::f16_from_float(std::nextafter(middle, end)) == next);
  }
  CHECK(detail::f16_from_float(1e30f) == 0x7c00);
  CHECK(detail::f16_from_float(-std::numeric_limits<float>::infinity()) == 0xfc00);
}
