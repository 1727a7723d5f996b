// Size classes of the memory pool.
#include <vitral/core/buffer.hpp>

#include <doctest/doctest.h>

using namespace vitral::detail;

TEST_CASE("a size class holds what belongs to it, and the class before does not") {
  for (std::size_t bytes = 1; bytes < std::size_t{1} << 34; bytes += bytes / 777 + 1) {
    CAPTURE(bytes);
    const std::size_t size_class = size_class_of(bytes);
    CHECK(size_of_class(size_class) >= bytes);
    CHECK((size_class == 0 || size_of_class(size_class - 1) < bytes));
  }
}

TEST_CASE("at most a fifth of a small block is unused, and 3 % of a large one") {
  constexpr std::size_t mib = 1 << 20;
  for (std::size_t size_class = 1; size_of_class(size_class) < std::size_t{1} << 40; ++size_class) {
    const std::size_t size = size_of_class(size_class), least = size_of_class(size_class - 1) + 1;
    CAPTURE(size);
    CHECK(size_class_of(size) == size_class);
    CHECK(static_cast<double>(size - least) <= (size <= mib ? 0.2 : 1.0 / 33) * static_cast<double>(size));
  }
  CHECK(size_of_class(size_class_of(50432L * 768 * 2)) == 74 * mib);
}
