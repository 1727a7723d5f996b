#include "temporary.hpp"

#include <vitral/data/views.hpp>

#include <algorithm>
#include <array>
#include <set>

using namespace vitral;
using testing::Computed;

namespace {

// An augmentation that does nothing but resize the whole image, without normalisation.
Augmentation nothing(int size) {
  Augmentation a;
  a.size = size;
  a.crop_min = a.ratio_min = a.ratio_max = 1;
  a.flip = a.jitter = a.gray = a.blur = a.solarize = 0;
  a.normalize = {{0, 0, 0}, {1, 1, 1}};
  return a;
}

std::vector<float> view(const Augmentation& a, const Image& image, Random random = {}) {
  std::vector<float> out(static_cast<std::size_t>(3 * a.size * a.size));
  a(image, random, out.data());
  return out;
}

// How often `changed` differs from doing nothing, over 2000 draws.
double rate(const Augmentation& changed) {
  const Image image = Computed{1}.image(0);
  const std::vector<float> plain = view(nothing(8), image);
  int differing = 0;
  for (std::uint64_t step = 0; step < 2000; ++step) differing += view(changed, image, {9, 4, step}) != plain;
  return differing / 2000.0;
}

}  // namespace

TEST_CASE("without any operation the view is the image") {
  const Image image = Computed{1}.image(0);
  const std::vector<float> out = view(nothing(8), image);
  for (std::size_t p = 0; p < 64; ++p)
    for (std::size_t c = 0; c < 3; ++c) REQUIRE(out[c * 64 + p] == static_cast<float>(image.rgb[3 * p + c]) / 255);
}

TEST_CASE("a view is a function of the random family") {
  const Image image = Computed{1, 20}.image(0);
  const Augmentation a = moco_v3_augmentation(16).first;
  CHECK(view(a, image, {1, 2, 3}) == view(a, image, {1, 2, 3}));
  CHECK(view(a, image, {1, 2, 3}) != view(a, image, {1, 2, 4}));
  CHECK(view(a, image, {1, 2, 3}) != view(a, image, {1, 3, 3}));
  CHECK(view(a, image, {1, 2, 3}) != view(a, image, {2, 2, 3}));
}

TEST_CASE("each operation happens as often as its probability says") {
  Augmentation a = nothing(8);
  CHECK(rate(a) == 0);
  a.flip = 0.5;
  CHECK(rate(a) == doctest::Approx(0.5).epsilon(0.08));
  a = nothing(8);
  a.jitter = 0.8;
  CHECK(rate(a) == doctest::Approx(0.8).epsilon(0.05));
  a = nothing(8);
  a.gray = 0.2;
  CHECK(rate(a) == doctest::Approx(0.2).epsilon(0.15));
  a = nothing(8);
  a.blur = 0.1;
  a.sigma_min = 1;
  CHECK(rate(a) == doctest::Approx(0.1).epsilon(0.2));
  a = nothing(8);
  a.solarize = 0.2;
  CHECK(rate(a) == doctest::Approx(0.2).epsilon(0.15));
  a.solarize = 1;
  CHECK(rate(a) == 1);
}

TEST_CASE("a certain flip is the exact mirror, a certain grayscale has equal channels") {
  const Image image = Computed{1}.image(0);
  Augmentation a = nothing(8);
  const std::vector<float> plain = view(a, image);
  a.flip = 1;
  const std::vector<float> mirror = view(a, image);
  for (std::size_t row = 0; row < 24; ++row)
    for (std::size_t x = 0; x < 8; ++x) REQUIRE(mirror[row * 8 + x] == plain[row * 8 + 7 - x]);
  a = nothing(8);
  a.gray = 1;
  const std::vector<float> gray = view(a, image);
  CHECK(std::equal(gray.begin(), gray.begin() + 64, gray.begin() + 64));
  CHECK(std::equal(gray.begin(), gray.begin() + 64, gray.begin() + 128));
}

TEST_CASE("jitter's 24 codes are the 24 orders of its four operations") {
  std::set<std::array<int, 4>> orders;
  for (std::uint32_t code = 0; code < 24; ++code) {
    std::array<int, 4> order = detail::jitter_order(code);
    orders.insert(order);
    std::sort(order.begin(), order.end());
    CHECK(order == std::array<int, 4>{0, 1, 2, 3});
  }
  CHECK(orders.size() == 24);
}

TEST_CASE("jitter's factors fill their range") {
  Augmentation a = nothing(4);
  a.jitter = 1;
  a.contrast = a.saturation = a.hue = 0;
  const Image gray{4, 4, std::vector<std::uint8_t>(48, 102)};
  float low = 1, high = 0;
  for (std::uint64_t step = 0; step < 1000; ++step) {
    const float value = view(a, gray, {3, 1, step})[0];
    low = std::min(low, value);
    high = std::max(high, value);
  }
  CHECK(low == doctest::Approx(0.4 * 0.6).epsilon(0.02));
  CHECK(high == doctest::Approx(0.4 * 1.4).epsilon(0.02));
}

TEST_CASE("crops lie inside, their areas and ratios in range, and they fill the range") {
  Augmentation a;
  double least = 1, most = 0;
  bool at_left = false, at_right = false;
  for (std::uint64_t step = 0; step < 3000; ++step) {
    const PixelBox box = a.crop(300, 400, {5, 0, step});
    REQUIRE(box.top >= 0);
    REQUIRE(box.left >= 0);
    REQUIRE(box.top + box.height <= 300);
    REQUIRE(box.left + box.width <= 400);
    const double area = box.height * box.width / 120000.0, ratio = static_cast<double>(box.width) / box.height;
    REQUIRE(area > 0.08 * 0.98);
    REQUIRE(ratio > 0.75 * 0.98);
    REQUIRE(ratio < 4.0 / 3 * 1.02);
    least = std::min(least, area);
    most = std::max(most, area);
    at_left |= box.left < 10;
    at_right |= box.left + box.width > 390;
  }
  CHECK(least < 0.1);
  CHECK(most > 0.9);
  CHECK(at_left);
  CHECK(at_right);
}

TEST_CASE("crops' areas and the logarithms of their ratios are uniform, and so are their places") {
  Augmentation a;
  a.crop_min = 0.1;
  a.crop_max = 0.4;  // every shape fits: none is drawn again
  constexpr int draws = 20000;
  std::array<int, 10> areas{}, ratios{}, lefts{};
  const auto tenth = [](double share) { return static_cast<std::size_t>(std::clamp(share * 10, 0.0, 9.0)); };
  for (std::uint64_t step = 0; step < draws; ++step) {
    const PixelBox box = a.crop(2000, 2000, {9, 0, step});
    ++areas[tenth((box.height * box.width / 4e6 - 0.1) / 0.3)];
    ++ratios[tenth(0.5 + std::log(static_cast<double>(box.width) / box.height) / (2 * std::log(4.0 / 3)))];
    ++lefts[tenth(box.left / static_cast<double>(2000 - box.width))];
  }
  // Each tenth holds 2000 with a standard deviation of 42.
  for (const auto& counts : {areas, ratios, lefts})
    for (const int count : counts) CHECK(std::abs(count - draws / 10) < 5 * 42);
}

TEST_CASE("an image too long for any crop gets its largest central one") {
  Augmentation a;
  a.crop_min = 0.9;
  const PixelBox wide = a.crop(10, 1000, {});
  CHECK(wide.height == 10);
  CHECK(wide.width == 13);
  CHECK(wide.left == 493);
  const PixelBox tall = a.crop(1000, 10, {});
  CHECK(tall.width == 10);
  CHECK(tall.height == 13);
  const PixelBox thin = a.crop(1, 1, {});
  CHECK(thin.height == 1);
}

/// What MoCo v3's, BYOL's and DINO's two views have in common; `crop_min` and `interpolation` tell them apart.
void check_pair(const AugmentationPair& views, double crop_min, Interpolation interpolation) {
  for (const Augmentation& a : {views.first, views.second}) {
    CHECK(std::vector<double>{a.crop_min, a.crop_max} == std::vector<double>{crop_min, 1});
    CHECK(std::vector<double>{a.flip, a.jitter, a.gray} == std::vector<double>{0.5, 0.8, 0.2});
    CHECK(std::vector<double>{a.brightness, a.contrast, a.saturation, a.hue} ==
          std::vector<double>{0.4, 0.4, 0.2, 0.1});
    CHECK(std::vector<double>{a.sigma_min, a.sigma_max} == std::vector<double>{0.1, 2});
    CHECK(a.interpolation == interpolation);
  }
  CHECK(std::vector<double>{views.first.blur, views.first.solarize} == std::vector<double>{1, 0});
  CHECK(std::vector<double>{views.second.blur, views.second.solarize} == std::vector<double>{0.1, 0.2});
}

/// augmentation1 and augmentation2 of main_moco.py (facebookresearch/moco-v3), which pl_train_simclr.py,
/// pl_train_byol.py and pl_train_moco.py (hagiss/SDSSL) have as they are: RandomResizedCrop with its default, bilinear.
TEST_CASE("moco-v3's views are those of MoCo v3's code and of SDSSL's for all its methods") {
  check_pair(known_augmentation("moco-v3", 32), 0.08, Interpolation::bilinear);
  CHECK(known_augmentation("moco-v3", 32).second.size == 32);
}

/// global_transfo1, global_transfo2 and --global_crops_scale of main_dino.py (facebookresearch/dino).
TEST_CASE("dino's views are the large ones of DINO's code, resized bicubically") {
  check_pair(known_augmentation("dino", 32), 0.4, Interpolation::bicubic);
}

/// Grill et al. 2020, table 6; Chen et al. 2020, appendix A.
TEST_CASE("byol's and simclr's views are those of the papers") {
  check_pair(known_augmentation("byol", 32), 0.08, Interpolation::bicubic);
  const auto [one, two] = known_augmentation("simclr", 32);
  for (const Augmentation& a : {one, two}) {
    CHECK(std::vector<double>{a.brightness, a.contrast, a.saturation, a.hue} ==
          std::vector<double>{0.8, 0.8, 0.8, 0.2});
    CHECK(std::vector<double>{a.jitter, a.gray, a.blur, a.solarize} == std::vector<double>{0.8, 0.2, 0.5, 0});
    CHECK(a.interpolation == Interpolation::bicubic);
  }
}

TEST_CASE("recipes are known by name") {
  CHECK(augmentation_names() == std::vector<std::string>{"moco-v3", "byol", "simclr", "dino"});
  CHECK_THROWS_WITH_AS((void)known_augmentation("moco", 32), doctest::Contains("known: moco-v3, byol, simclr, dino"),
                       Error);
}

TEST_CASE("crop and flip is MoCo v3's view without colours, blur and solarize") {
  const Augmentation view = crop_and_flip(32), first = moco_v3_augmentation(32).first;
  bool flipped = false;
  for (std::uint64_t step = 0; step < 100; ++step) {
    const ViewDraw drawn = view.draw(32, 40, {1, 2, step}), other = first.draw(32, 40, {1, 2, step});
    CHECK(drawn.crop.width == other.crop.width);
    CHECK(drawn.flip == other.flip);
    CHECK_FALSE((drawn.gray || drawn.solarize || drawn.sigma > 0));
    for (const ColorChange change : drawn.change) CHECK(change == ColorChange::none);
    flipped = flipped || drawn.flip;
  }
  CHECK(flipped);
}

TEST_CASE("multi-crop: two large views and many small ones of small parts") {
  const MultiCrop crops = dino_multi_crop();
  CHECK(crops.first.size == 224);
  CHECK(crops.first.crop_min == 0.4);
  CHECK(crops.second.crop_max == 1.0);
  CHECK(crops.second.solarize == 0.2);
  CHECK(crops.local.size == 96);
  CHECK(crops.local.crop_min == 0.05);
  CHECK(crops.local.crop_max == 0.4);
  CHECK(crops.local.blur == 0.5);
  CHECK(crops.local.solarize == 0.0);
  const ImageViews views = multi_crop(crops);
  REQUIRE(views.size() == 10);
  CHECK(views[1].size() == 224);
  CHECK(views[9].size() == 96);
  MultiCrop wrong = crops;
  wrong.locals = -1;
  CHECK_THROWS_AS((void)multi_crop(wrong), Error);
}

TEST_CASE("impossible augmentations are errors") {
  CHECK_THROWS_AS((void)moco_v3_augmentation(0), Error);
  CHECK_THROWS_AS((void)two_views(moco_v3_augmentation(8).first, moco_v3_augmentation(9).second), Error);
  Augmentation a;
  a.crop_min = 0;
  CHECK_THROWS_AS(check_augmentation(a), Error);
  a = {};
  a.sigma_min = 0;
  CHECK_THROWS_AS(check_augmentation(a), Error);
  CHECK_THROWS_AS(view(nothing(4), Image{}), Error);
}

TEST_CASE("normalisation subtracts the mean and divides by the deviation, ImageNet's by default") {
  Augmentation a = nothing(2);
  a.normalize = {};
  const Image image{2, 2, std::vector<std::uint8_t>(12, 255)};
  const std::vector<float> out = view(a, image);
  CHECK(out[0] == doctest::Approx((1 - 0.485) / 0.229));
  CHECK(out[4] == doctest::Approx((1 - 0.456) / 0.224));
  CHECK(out[8] == doctest::Approx((1 - 0.406) / 0.225));
}

TEST_CASE("the centre view of an image of its own size is the image, of a larger one the middle 7/8") {
  CenterView center = center_view(8);
  center.normalize = {{0, 0, 0}, {1, 1, 1}};
  std::vector<float> out(192);
  const Image image = Computed{1}.image(0);
  center(image, out.data());
  CHECK(out == view(nothing(8), image));

  center = center_view(7);  // the shorter side becomes 7 * 256 / 224 = 8 pixels: exact, and its top left 7 x 7 are kept
  center.normalize = {{0, 0, 0}, {1, 1, 1}};
  out.resize(147);
  center(image, out.data());
  for (std::size_t y = 0; y < 7; ++y)
    for (std::size_t x = 0; x < 7; ++x) REQUIRE(out[y * 7 + x] == static_cast<float>(image.rgb[(y * 8 + x) * 3]) / 255);

  Image wide{4, 10, std::vector<std::uint8_t>(120, 0)};  // the centre of a wide image: columns 3 to 6
  for (std::size_t y = 0; y < 4; ++y)
    std::fill_n(wide.rgb.begin() + static_cast<long>(y * 30 + 9), 12, std::uint8_t{255});
  center = center_view(4);
  center.normalize = {{0, 0, 0}, {1, 1, 1}};
  out.resize(48);
  center(wide, out.data());
  CHECK(out == std::vector<float>(48, 1.0f));
  CHECK_THROWS_AS((void)center_view(0), Error);
}
