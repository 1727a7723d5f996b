// Interpolated positions against torch.nn.functional.interpolate (tests/fixtures/make_segmentation.py).
#include "../random_tensor.hpp"

#include <vitral/io/safetensors.hpp>
#include <vitral/nn/positions.hpp>

#include <doctest/doctest.h>

using namespace vitral;

TEST_CASE("positions for finer, coarser and oblong grids are PyTorch's bicubic ones") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/segmentation.safetensors");
  const auto table = file.values<double>("positions/grid");
  for (const auto& [rows, columns] : {std::pair{4, 4}, std::pair{7, 5}, std::pair{3, 11}}) {
    const std::string name = join("positions/", rows, "x", columns);
    CAPTURE(name);
    CHECK(vitral_tests::distance(resized_positions(table, 4, rows, columns, 8), file.values<double>(name)) < 1e-12);
  }
}

TEST_CASE("a table that is not of the grid is refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(resized_positions({1, 2, 3}, 2, 3, 3, 1)),
                       doctest::Contains("3 numbers, expected 1 for each of 2 x 2 patches"), Error);
}
