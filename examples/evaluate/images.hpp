// The images of `evaluate`: what the class token looks at, and the nearest neighbours of test images.
#pragma once

#include <vitral/data/augment.hpp>
#include <vitral/data/loader.hpp>
#include <vitral/data/sheet.hpp>
#include <vitral/eval/analyses/attention_maps.hpp>
#include <vitral/eval/results.hpp>
#include <vitral/io/png.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::evaluation {

constexpr int gap = 4;  // pixels between images

/// What a network sees of images, as the data set has them: not normalised. Large ones are shrunk, small ones get
/// larger pixels.
struct Thumbnail {
  vitral::CenterView view;
  int size, side, factor;

  explicit Thumbnail(const vitral::CenterView& seen)
      : view(seen), size(view.size), side(std::min(size, 112)), factor(std::max(1, 64 / side)) {
    view.normalize = {{0, 0, 0}, {1, 1, 1}};
  }
  [[nodiscard]] int pixels() const { return side * factor; }
  [[nodiscard]] vitral::Image operator()(const vitral::Image& image) const {
    std::vector<float> planes(3 * static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
    view(image, planes.data());
    vitral::Image seen = vitral::image_from_floats(planes.data(), size);
    if (side < size) {
      resize(seen, {0, 0, size, size}, side, vitral::Interpolation::bilinear, false, planes.data());
      seen = vitral::image_from_floats(planes.data(), side);
    }
    return enlarged(seen, factor);
  }
};

/// The colour of a share between 0 and 1, from black over violet and orange to pale yellow, ever lighter: it reads in
/// gray and to colour-blind eyes, too.
inline std::array<float, 3> heat(float share) {
  static constexpr float stops[5][3] = {{0, 0, 4}, {87, 16, 110}, {188, 55, 84}, {249, 142, 9}, {252, 255, 164}};
  const float at = 4 * std::clamp(share, 0.0f, 1.0f);
  const int low = std::min(static_cast<int>(at), 3);
  std::array<float, 3> color{};
  for (int c = 0; c < 3; ++c)
    color[static_cast<std::size_t>(c)] =
        stops[low][c] + (at - static_cast<float>(low)) * (stops[low + 1][c] - stops[low][c]);
  return color;
}

/// A square image in gray under the weights of its patches [grid, grid], whose largest gets the lightest colour.
inline vitral::Image under_heat(vitral::Image image, const std::vector<float>& weight) {
  const int grid = static_cast<int>(std::lround(std::sqrt(static_cast<double>(weight.size()))));
  const float most = *std::max_element(weight.begin(), weight.end());
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const auto patch = static_cast<std::size_t>(y * grid / image.height * grid + x * grid / image.width);
      std::uint8_t* const pixel = image.rgb.data() + 3 * (long{y} * image.width + x);
      const float gray = 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
      const auto color = heat(most > 0 ? weight[patch] / most : 0);
      for (std::size_t c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(0.25f * gray + 0.75f * color[c]);
    }
  return image;
}

/// A block of rows for each example: the image and the mean of all heads in every layer from left to right, then below
/// them each head. `layers`: attention of the examples in each block; `view`: what the network sees.
inline vitral::Image attention_sheet(const vitral::Dataset& data, const std::vector<long>& examples,
                                     const std::vector<vitral::AttentionWeights>& layers,
                                     const vitral::CenterView& view) {
  using namespace vitral;
  const int heads = layers[0].heads, depth = static_cast<int>(layers.size()), count = static_cast<int>(examples.size());
  const Thumbnail thumbnail(view);
  const int step = thumbnail.pixels() + gap, block = (1 + heads) * step + 2 * gap;
  Image sheet = blank_image(gap + count * block, gap + (1 + depth) * step);
  for (int i = 0; i < count; ++i) {
    const Image image = thumbnail(readable_image(data, examples[static_cast<std::size_t>(i)]));
    const int top = gap + i * block;
    place(sheet, top, gap, image);
    for (int layer = 0; layer < depth; ++layer) {
      const std::vector<float> seen = class_attention(layers[static_cast<std::size_t>(layer)], i);
      const std::size_t patches = seen.size() / static_cast<std::size_t>(heads);
      std::vector<float> mean(patches);
      for (std::size_t at = 0; at < seen.size(); ++at) mean[at % patches] += seen[at];
      const int left = gap + (1 + layer) * step;
      place(sheet, top, left, under_heat(image, mean));
      for (int head = 0; head < heads; ++head) {
        const auto from = seen.begin() + head * static_cast<long>(patches);
        place(sheet, top + (1 + head) * step, left, under_heat(image, {from, from + static_cast<long>(patches)}));
      }
    }
  }
  return sheet;
}

/// A row for each query: the test image, then its nearest training images from left to right, in a blue frame where the
/// class is the same and in an orange one where it is not.
inline vitral::Image neighbour_sheet(const vitral::Dataset& test, const vitral::Dataset& train,
                                     const std::vector<vitral::NearestImages>& queries,
                                     const vitral::CenterView& view) {
  using namespace vitral;
  constexpr Color right{0, 114, 178}, wrong{213, 94, 0}, neutral{160, 160, 160};
  constexpr int border = 4;
  const Thumbnail thumbnail(view);
  const int framed = thumbnail.pixels() + 2 * border, step = framed + gap;
  const int rows = static_cast<int>(queries.size()), columns = 1 + static_cast<int>(queries[0].nearest.size());
  Image sheet = blank_image(gap + rows * step, 3 * gap + columns * step);
  const auto put = [&](int row, int left, const Image& image, const Color& color) {
    place(sheet, gap + row * step, left, blank_image(framed, framed, color));
    place(sheet, gap + row * step + border, left + border, thumbnail(image));
  };
  for (int row = 0; row < rows; ++row) {
    const NearestImages& query = queries[static_cast<std::size_t>(row)];
    put(row, gap, readable_image(test, query.image), neutral);
    int left = 3 * gap;
    for (const NearImage& near : query.nearest)
      put(row, left += step, readable_image(train, near.image), near.label == query.label ? right : wrong);
  }
  return sheet;
}

/// Writes attention.png and neighbours.png, which show what the analyses name, to `folder`.
inline void draw_images(const std::filesystem::path& folder, const vitral::ViT<vitral::Cpu, float>& encoder,
                        const vitral::Analyses& found, const vitral::Dataset& train, const vitral::Dataset& test,
                        const vitral::CenterView& view) {
  using namespace vitral;
  const auto weights = attention_weights(encoder, images_for(encoder, test, found.attention_images, view));
  write_png(folder / "attention.png", attention_sheet(test, found.attention_images, weights, view));
  write_png(folder / "neighbours.png", neighbour_sheet(test, train, found.neighbours, view));
}

}}}  // namespace vitral::programs::evaluation
