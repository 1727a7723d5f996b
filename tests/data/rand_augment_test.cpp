// Each operation of RandAugment beside PIL's with the same arguments (tests/fixtures/make_rand_augment.py made the
// answers), and what is drawn against timm's definition of rand-m9-mstd0.5-inc1 (timm/data/auto_augment.py).
#include "../stored_image.hpp"
#include "temporary.hpp"

#include <vitral/data/sheet.hpp>
#include <vitral/data/views.hpp>

#include <map>

using namespace vitral;
using testing::image_of;

namespace {

const SafetensorsFile& answers() {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/rand_augment.safetensors");
  return file;
}

struct Difference {
  int bytes = 0, largest = 0;
};
Difference difference(const Image& a, const Image& b) {
  REQUIRE(a.rgb.size() == b.rgb.size());
  Difference d;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    d.bytes += a.rgb[i] != b.rgb[i];
    d.largest = std::max(d.largest, std::abs(int{a.rgb[i]} - int{b.rgb[i]}));
  }
  return d;
}

constexpr Color imagenet{124, 116, 104};
constexpr PhotoOperation all[] = {
    PhotoOperation::auto_contrast, PhotoOperation::equalize,    PhotoOperation::invert,       PhotoOperation::rotate,
    PhotoOperation::posterize,     PhotoOperation::solarize,    PhotoOperation::solarize_add, PhotoOperation::color,
    PhotoOperation::contrast,      PhotoOperation::brightness,  PhotoOperation::sharpness,    PhotoOperation::shear_x,
    PhotoOperation::shear_y,       PhotoOperation::translate_x, PhotoOperation::translate_y};
constexpr const char* names[] = {"auto_contrast", "equalize",     "invert",  "rotate",      "posterize",
                                 "solarize",      "solarize_add", "color",   "contrast",    "brightness",
                                 "sharpness",     "shear_x",      "shear_y", "translate_x", "translate_y"};

}  // namespace

TEST_CASE("each operation makes what PIL makes, but for 1 of 255 at single bytes where fractions are cut off") {
  std::map<std::string, int> cases;
  for (const std::string& stored : answers().names()) {
    if (stored.ends_with(".argument") || stored == "image" || stored == "flat") continue;
    CAPTURE(stored);
    const std::string name = stored.substr(0, stored.find('.'));
    const auto which = static_cast<std::size_t>(std::find(std::begin(names), std::end(names), name) - names);
    REQUIRE(which < 15);
    ++cases[name];
    Image image = image_of(answers(), stored.ends_with(".flat") ? "flat" : "image");
    if (stored.ends_with(".large")) image = enlarged(image, 10);
    const bool argued = answers().contains(stored + ".argument");
    const double argument = argued ? answers().values<double>(stored + ".argument")[0] : 0;
    const auto kind = stored.find("bicubic") == std::string::npos ? Interpolation::bilinear : Interpolation::bicubic;
    change(image, {all[which], argument}, kind, imagenet);
    if (stored.ends_with(".large")) {
      Image corner = blank_image(60, 60);
      for (int y = 0; y < 60; ++y)
        std::copy_n(image.rgb.begin() + 3l * y * image.width, 180, corner.rgb.begin() + 180l * y);
      image = corner;
    }
    const Difference d = difference(image, image_of(answers(), stored));
    CAPTURE(d.largest);
    // PIL rounds each product; a processor that multiplies and adds at once cuts off another fraction here and there.
    const bool cuts = all[which] == PhotoOperation::auto_contrast || all[which] == PhotoOperation::rotate || which > 10;
    CHECK(d.bytes <= (cuts ? 10 : 0));
    CHECK(d.largest <= 1);
  }
  CHECK(cases.size() == 15);
}

TEST_CASE("operations are drawn evenly, half of them are done, and strengths are timm's at 9 with deviation 0.5") {
  const RandAugment two{.operations = 2};
  constexpr int n = 30000;
  std::map<PhotoOperation, std::vector<double>> drawn;
  for (std::uint64_t i = 0; i < n; ++i) {
    const OperationDraw d = two.draw(static_cast<int>(i % 2), {3, 1, i});
    drawn[d.operation].push_back(d.argument);
  }
  CHECK(drawn[PhotoOperation::none].size() == doctest::Approx(n / 2.0).epsilon(0.03));
  struct Range {
    PhotoOperation operation;
    double mean, largest;  // of the argument's size, or of its distance from 1; at 9 and at 10
    bool signs;
  };
  // _LEVEL_DENOM is 10: rotation by up to 30 degrees, shear 0.3, translation 0.45, factors 1 +- 0.9 (0.1 at least).
  for (const Range& r :
       {Range{PhotoOperation::rotate, 27, 30, true}, Range{PhotoOperation::shear_x, 0.27, 0.3, true},
        Range{PhotoOperation::shear_y, 0.27, 0.3, true}, Range{PhotoOperation::translate_x, 0.405, 0.45, true},
        Range{PhotoOperation::translate_y, 0.405, 0.45, true}, Range{PhotoOperation::color, 0.81, 0.9, true},
        Range{PhotoOperation::contrast, 0.81, 0.9, true}, Range{PhotoOperation::brightness, 0.81, 0.9, true},
        Range{PhotoOperation::sharpness, 0.81, 0.9, true}, Range{PhotoOperation::posterize, 0.97, 4, false},
        Range{PhotoOperation::solarize, 26, 256, false}, Range{PhotoOperation::solarize_add, 98.4, 110, false}}) {
    const std::vector<double>& arguments = drawn[r.operation];
    const double shift = r.mean == 0.81 ? 1 : 0;
    CAPTURE(static_cast<int>(r.operation));
    CHECK(arguments.size() == doctest::Approx(n / 30.0).epsilon(0.15));
    double mean = 0, positive = 0, largest = 0;
    for (const double a : arguments) {
      mean += std::abs(a - shift) / static_cast<double>(arguments.size());
      positive += a > shift ? 1.0 / static_cast<double>(arguments.size()) : 0;
      largest = std::max(largest, std::abs(a - shift));
    }
    CHECK(mean == doctest::Approx(r.mean).epsilon(0.03));
    CHECK(largest <= r.largest + 1e-9);
    if (r.signs) CHECK(positive == doctest::Approx(0.5).epsilon(0.07));
  }
  CHECK(detail::operation_argument(PhotoOperation::posterize, 9, false) == 1);  // 4 - int(3.6)
  CHECK(detail::operation_argument(PhotoOperation::posterize, 10, false) == 0);
  CHECK(detail::operation_argument(PhotoOperation::solarize, 9, false) == 26);  // 256 - int(230.4)
  CHECK(detail::operation_argument(PhotoOperation::solarize_add, 9, false) == 99);
  CHECK(detail::operation_argument(PhotoOperation::color, 10, true) == doctest::Approx(0.1));
  CHECK_THROWS_WITH_AS(ImageView(ClassifierView{crop_and_flip(8), {.operations = 2, .magnitude = 11}}),
                       doctest::Contains("a magnitude of 11"), Error);
}

TEST_CASE("a classifier's view is the crop, changed as bytes before it is normalised, and erased last") {
  const Image image = testing::Computed{1, 40}.image(0);
  const Augmentation crop = crop_and_flip(16);
  const auto view = [&](const ImageView& how, std::uint64_t step) {
    std::vector<float> out(3 * 16 * 16);
    how(image, {1, 2, step}, out.data());
    return out;
  };
  CHECK(view(ClassifierView{crop}, 5) == view(crop, 5));
  const ClassifierView changed{crop, {.operations = 2}};
  int same = 0;
  for (std::uint64_t step = 0; step < 200; ++step) {
    CHECK(view(changed, step) == view(changed, step));
    double largest = 0;
    const std::vector<float> a = view(changed, step), b = view(crop, step);
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, static_cast<double>(std::abs(a[i] - b[i])));
    same += largest < 0.5 / 255 / 0.224 + 1e-6;  // what bytes round
  }
  CHECK(same == doctest::Approx(50).epsilon(0.3));  // neither of two is done in a quarter of all draws
  const std::vector<float> erased = view(ClassifierView{crop, {}, {.probability = 1}}, 5), whole = view(crop, 5);
  const PixelBox box = RandomErasing{.probability = 1}.draw(16, {1, 2, 5});
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16; ++x) {
      const auto at = static_cast<std::size_t>(y * 16 + x);
      const bool inside = y >= box.top && y < box.top + box.height && x >= box.left && x < box.left + box.width;
      CHECK((erased[at] == whole[at]) == !inside);
    }
}
