// Videos whose masks are known exactly: three shapes with patterns of their own that move before a patterned wall,
// bounce off the border and cover each other.
#pragma once

#include <vitral/core/philox.hpp>
#include <vitral/eval/video/segmentation.hpp>
#include <vitral/io/image.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

struct MovingShapes {
  static constexpr int height = 96, width = 160, frames = 20, shapes = 3;
  vitral::Random random;  // another stream, another video

  /// Frame t, in pixels and in labels: 1 is the shape at the back.
  [[nodiscard]] vitral::Image image(int t) const {
    const vitral::LabelMap map = mask(t);
    vitral::Image out{height, width, std::vector<std::uint8_t>(3 * map.label.size())};
    for (std::size_t i = 0; i < map.label.size(); ++i) {
      const int label = map.label[i], y = static_cast<int>(i) / width, x = static_cast<int>(i) % width;
      const Place at = label == 0 ? Place{0, 0} : place(label, t);
      const double angle = 3.1416 * draw(label, 4), period = 5 + 6 * draw(label, 5);
      const double stripe = std::sin(((x - at.x) * std::cos(angle) + (y - at.y) * std::sin(angle)) * 6.2832 / period);
      for (int c = 0; c < 3; ++c)
        out.rgb[3 * i + static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(
            std::lround(40 + 175 * draw(label, 6 + c) + 40 * stripe * (draw(label, 9 + c) - 0.2)));
    }
    return out;
  }

  [[nodiscard]] vitral::LabelMap mask(int t) const {
    vitral::LabelMap out{height, width, std::vector<std::uint8_t>(std::size_t{height} * width)};
    for (int shape = 1; shape <= shapes; ++shape) {
      const Place at = place(shape, t);
      const double radius = 13 + 6 * draw(shape, 12);
      for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
          if (inside(shape, std::abs(x - at.x), std::abs(y - at.y), radius))
            out.label[static_cast<std::size_t>(y * width + x)] = static_cast<std::uint8_t>(shape);
    }
    return out;
  }

 private:
  struct Place {
    double x, y;
  };

  [[nodiscard]] double draw(int shape, int what) const {
    return random.uniform(static_cast<std::uint64_t>(16 * shape + what));
  }
  /// The centre, on a straight line that the border reflects.
  [[nodiscard]] Place place(int shape, int t) const {
    constexpr double margin = 15;
    const auto bounced = [](double at, double length) {
      const double turn = std::fmod(std::abs(at), 2 * length);
      return margin + (turn < length ? turn : 2 * length - turn);
    };
    const double angle = 6.2832 * draw(shape, 2), speed = 2 + 2 * draw(shape, 3), across = width - 2 * margin,
                 down = height - 2 * margin;
    return {bounced(across * draw(shape, 0) + t * speed * std::cos(angle), across),
            bounced(down * draw(shape, 1) + t * speed * std::sin(angle), down)};
  }
  /// A disk, a square or a rhombus.
  static bool inside(int shape, double x, double y, double radius) {
    if (shape == 1) return x * x + y * y < radius * radius;
    return shape == 2 ? std::max(x, y) < 0.9 * radius : x + y < 1.3 * radius;
  }
};

}}}  // namespace vitral::programs
