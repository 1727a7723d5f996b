// The images of `evaluate`'s report.
#include "evaluate/images.hpp"

#include "evaluate/analyses_report.hpp"

#include <doctest/doctest.h>

using namespace vitral;
using namespace vitral::programs;
using namespace evaluation;

namespace {

constexpr int side = 64, border = 4, framed = side + 2 * border;  // images of 64 pixels are shown as they are

/// Gray images; the label of image i is i % 2.
struct Grays {
  long size() const { return 6; }
  Image image(long i) const { return blank_image(side, side, gray(i)); }
  int label(long i) const { return static_cast<int>(i % 2); }
  std::vector<std::string> classes() const { return {"even", "odd"}; }
  std::string name() const { return "grays"; }

  static Color gray(long i) {
    const auto level = static_cast<std::uint8_t>(40 * i);
    return {level, level, level};
  }
};

Color pixel(const Image& image, int y, int x) {
  const auto at = static_cast<std::size_t>(3 * (y * image.width + x));
  return {image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]};
}
int light(const Color& color) { return 299 * color[0] + 587 * color[1] + 114 * color[2]; }

}  // namespace

TEST_CASE("a patch is the lighter the more weight it has, whatever the largest weight is") {
  const Image image = blank_image(8, 8, {100, 100, 100});
  const Image heated = under_heat(image, {0.0f, 0.01f, 0.02f, 0.04f});
  CHECK(light(pixel(heated, 0, 0)) < light(pixel(heated, 0, 7)));
  CHECK(light(pixel(heated, 0, 7)) < light(pixel(heated, 7, 0)));
  CHECK(light(pixel(heated, 7, 0)) < light(pixel(heated, 7, 7)));
  CHECK(pixel(heated, 0, 0) == pixel(heated, 3, 3));
  CHECK(under_heat(image, {0, 1, 2, 4}).rgb == heated.rgb);
}

TEST_CASE("attention's sheet shows the image, the mean of the heads, and below it each head") {
  // Four patches; the class token of the second image looks at patch 0 with one head and at patch 3 with the other.
  AttentionWeights weights{2, 2, 5, std::vector<float>(2 * 2 * 5 * 5)};
  weights.rows[static_cast<std::size_t>(weights.row(1, 0, 0) + 1 - weights.rows.data())] = 0.5f;
  weights.rows[static_cast<std::size_t>(weights.row(1, 1, 0) + 4 - weights.rows.data())] = 0.5f;
  const Image sheet = attention_sheet(Grays{}, {0, 3}, {weights}, center_view(side));
  const int step = side + gap, top = gap + 3 * step + 2 * gap, left = gap + step;
  REQUIRE(sheet.height == gap + 2 * (3 * step + 2 * gap));
  REQUIRE(sheet.width == gap + 2 * step);
  CHECK(pixel(sheet, top, gap) == Grays::gray(3));
  const auto corners = [&](int row) {
    const int upper = top + row * step;
    return std::array<Color, 2>{pixel(sheet, upper, left), pixel(sheet, upper + side - 1, left + side - 1)};
  };
  CHECK(corners(0)[0] == corners(0)[1]);
  CHECK(light(corners(1)[0]) > light(corners(1)[1]));
  CHECK(light(corners(2)[0]) < light(corners(2)[1]));
}

TEST_CASE("a neighbour of the query's class has a blue frame, another an orange one") {
  const std::vector<NearestImages> queries{{1, 1, {{3, 1, 1}, {4, 0, 0.5f}}}, {2, 0, {{0, 0, 1}, {2, 0, 0.5f}}}};
  const Image sheet = neighbour_sheet(Grays{}, Grays{}, queries, center_view(side));
  const auto frame = [&](int row, int column) {
    return pixel(sheet, gap + row * (framed + gap), (column == 0 ? gap : 3 * gap) + column * (framed + gap));
  };
  const Color blue{0, 114, 178}, orange{213, 94, 0};
  CHECK(frame(0, 1) == blue);
  CHECK(frame(0, 2) == orange);
  CHECK(frame(1, 1) == blue);
  CHECK(frame(1, 2) == blue);
  CHECK(pixel(sheet, gap + border, gap + border) == Grays::gray(1));
  CHECK(pixel(sheet, gap + border, 3 * gap + framed + gap + border) == Grays::gray(3));
}

TEST_CASE("small images are shown with larger pixels, large ones are shrunk") {
  CHECK(Thumbnail(center_view(28)).pixels() == 56);
  CHECK(Thumbnail(center_view(32)).pixels() == 64);
  CHECK(Thumbnail(center_view(224)).pixels() == 112);
}

TEST_CASE("a shrunk image shows the part that the network sees, to its edges") {
  Image halves = blank_image(150, 150);  // which a network for 224 pixels sees whole
  place(halves, 0, 0, blank_image(150, 6, {0, 0, 0}));
  const Image shown = Thumbnail(center_view(224))(halves);
  REQUIRE(shown.width == 112);
  CHECK(light(pixel(shown, 50, 1)) == 0);
  CHECK(light(pixel(shown, 50, 8)) == light({255, 255, 255}));
}

TEST_CASE("bytes become text as RFC 4648 says") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xff\xfe\xfd") == "//79");
}
