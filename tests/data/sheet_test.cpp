#include <vitral/data/sheet.hpp>

#include <doctest/doctest.h>

using namespace vitral;

TEST_CASE("a sheet is white where no image was placed") {
  Image sheet = blank_image(3, 4);
  place(sheet, 1, 2, blank_image(2, 1, {10, 20, 30}));
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 4; ++x) {
      const bool covered = y >= 1 && x == 2;
      const auto at = static_cast<std::size_t>(3 * (4 * y + x));
      CHECK(sheet.rgb[at] == (covered ? 10 : 255));
      CHECK(sheet.rgb[at + 2] == (covered ? 30 : 255));
    }
}

TEST_CASE("an image that does not fit its sheet is refused") {
  Image sheet = blank_image(3, 4);
  CHECK_THROWS_WITH_AS(place(sheet, 2, 0, blank_image(2, 2)),
                       doctest::Contains("an image of 2 x 2 pixels at (2, 0) does not fit a sheet of 3 x 4"), Error);
  CHECK_THROWS_AS(place(sheet, 0, 3, blank_image(2, 2)), Error);
  CHECK_THROWS_AS(place(sheet, -1, 0, blank_image(2, 2)), Error);
}

TEST_CASE("enlarging repeats pixels, down and across") {
  const Image two{2, 1, {1, 2, 3, 4, 5, 6}};
  CHECK(enlarged(two, 2).rgb ==
        std::vector<std::uint8_t>{1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6, 4, 5, 6, 4, 5, 6});
  CHECK(enlarged(two, 2).height == 4);
  CHECK(enlarged(two, 2).width == 2);
}

TEST_CASE("planes of numbers become pixels, rounded, and cut off outside of 0 to 1") {
  const std::vector<float> planes{0, 0.5f, 1, 2, 0.2f, 0.2f, 0.2f, 0.2f, -1, 0, 0, 1};
  CHECK(image_from_floats(planes.data(), 2).rgb ==
        std::vector<std::uint8_t>{0, 51, 0, 128, 51, 0, 255, 51, 0, 255, 51, 255});
}
