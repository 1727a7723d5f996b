// Each operation beside torchvision's on PIL images with the same parameters: tests/fixtures/make_images.py made the
// answers.
#include "../stored_image.hpp"

#include <vitral/data/augment.hpp>

#include <algorithm>
#include <cmath>

using namespace vitral;
using testing::image_of;

namespace {

const SafetensorsFile& answers() {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/augmentations.safetensors");
  return file;
}

std::vector<float> planes_of(const Image& image) {
  const std::size_t count = image.rgb.size() / 3;
  std::vector<float> planes(3 * count);
  for (std::size_t p = 0; p < count; ++p)
    for (std::size_t c = 0; c < 3; ++c) planes[c * count + p] = static_cast<float>(image.rgb[3 * p + c]) / 255;
  return planes;
}

struct Difference {
  double mean = 0, largest = 0;  // of 255
};

Difference difference(const std::vector<float>& planes, const Image& expected) {
  const std::size_t count = expected.rgb.size() / 3;
  REQUIRE(planes.size() == 3 * count);
  Difference d;
  for (std::size_t p = 0; p < count; ++p)
    for (std::size_t c = 0; c < 3; ++c) {
      const double x = std::abs(255.0 * static_cast<double>(planes[c * count + p]) - expected.rgb[3 * p + c]);
      d.mean += x / (3 * static_cast<double>(count));
      d.largest = std::max(d.largest, x);
    }
  return d;
}

/// Calls test(case, its parameters) for each case whose name begins so; there must be some.
template <class Test>
void for_cases(const std::string& prefix, const Test& test) {
  int found = 0;
  for (const std::string& name : answers().names()) {
    if (!name.starts_with(prefix) || name.ends_with(".parameters")) continue;
    ++found;
    CAPTURE(name);
    test(name, answers().values<double>(name + ".parameters"));
  }
  REQUIRE(found > 0);
}

void check_close(const std::vector<float>& planes, const std::string& name, double mean = 2, double largest = 8) {
  const Difference d = difference(planes, image_of(answers(), name));
  CAPTURE(d.mean);
  CAPTURE(d.largest);
  CHECK(d.mean <= mean);
  CHECK(d.largest <= largest);
}

/// A colour operation on the whole image.
template <class Operation>
void check_operation(const std::string& prefix, const Operation& operation) {
  const Image image = image_of(answers(), "image");
  for_cases(prefix, [&](const std::string& name, const std::vector<double>& parameters) {
    std::vector<float> planes = planes_of(image);
    operation(planes.data(), static_cast<int>(planes.size() / 3),
              parameters.empty() ? 0.0f : static_cast<float>(parameters[0]));
    check_close(planes, name);
  });
}

Interpolation kind_of(const std::string& name) {
  return name.find("bicubic") == std::string::npos ? Interpolation::bilinear : Interpolation::bicubic;
}

}  // namespace

TEST_CASE("resized crops, flips and centre views agree with torchvision's") {
  const Image image = image_of(answers(), "image");
  const auto crop = [&](bool flip) {
    return [&image, flip](const std::string& name, const std::vector<double>& p) {
      const auto at = [&](std::size_t i) { return static_cast<int>(p[i]); };
      std::vector<float> planes(static_cast<std::size_t>(3 * at(4) * at(4)));
      resize(image, {at(0), at(1), at(2), at(3)}, at(4), kind_of(name), flip, planes.data());
      check_close(planes, name);
    };
  };
  for_cases("resized_crop.", crop(false));
  for_cases("flip", crop(true));
  const auto center = [&](bool squash) {
    return [&image, squash](const std::string& name, const std::vector<double>& p) {
      CenterView view = center_view(static_cast<int>(p[0]));
      view.interpolation = kind_of(name);
      view.squash = squash;
      view.normalize = {{0, 0, 0}, {1, 1, 1}};
      std::vector<float> planes(static_cast<std::size_t>(3 * view.size * view.size));
      view(image, planes.data());
      check_close(planes, name, 0.5, 2);  // PIL rounds to whole numbers after each of two passes
    };
  };
  for_cases("center.", center(false));  // MoCo v3's view, and bicubic DINO's
  for_cases("squash.", center(true));   // bicubic: that of SDSSL's val_transform (pl_train_moco.py)
}

TEST_CASE("colour operations agree with torchvision's") {
  check_operation("brightness.", adjust_brightness);
  check_operation("contrast.", adjust_contrast);
  check_operation("saturation.", adjust_saturation);
  check_operation("hue.", adjust_hue);
  check_operation("gray", [](float* planes, int count, float) { to_grayscale(planes, count); });
  check_operation("solarize", [](float* planes, int count, float) { solarize(planes, count, 128.0f / 255); });
}

TEST_CASE("blur is a true Gaussian, and differs from PIL's only as far as PIL's boxes do") {
  const Image whole = image_of(answers(), "image");
  Image square{60, 60, {}};
  for (int y = 0; y < 60; ++y)
    for (int x = 0; x < 180; ++x) square.rgb.push_back(whole.rgb[static_cast<std::size_t>(y * whole.width * 3 + x)]);
  for_cases("blur.gaussian.", [&](const std::string& name, const std::vector<double>& p) {
    std::vector<float> planes = planes_of(square);
    gaussian_blur(planes.data(), 3, 60, p[0]);
    check_close(planes, name, 0.5, 1.5);
    const Image pil = image_of(answers(), "blur.pil." + name.substr(std::string("blur.gaussian.").size()));
    const Difference boxes = difference(planes_of(image_of(answers(), name)), pil), ours = difference(planes, pil);
    MESSAGE("PIL's blur beside a true Gaussian of sigma ", p[0], ": ", boxes.mean, " of 255 on average, ",
            boxes.largest, " at most");
    CHECK(ours.mean <= boxes.mean + 0.5);
    CHECK(ours.largest <= boxes.largest + 1.5);
  });
}
