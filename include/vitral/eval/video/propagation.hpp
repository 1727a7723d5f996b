// Carries the labels of a video's first frame through the video by the similarity of patches (Jabri et al. 2020,
// "Space-time correspondence as a contrastive random walk"), by the rules of DINO's evaluation on DAVIS (Caron et al.
// 2021).
#pragma once

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/eval/video/segmentation.hpp>

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// The patch tokens of one frame.
struct PatchFeatures {
  int rows = 0, columns = 0, width = 0;
  std::vector<float> values;  ///< [rows * columns, width]

  [[nodiscard]] long patches() const { return long{rows} * columns; }
};

/// Where labels come from, and how many patches vote.
struct PropagationOptions {
  int last_frames = 7;       ///< how many past frames are looked at beside the first
  int top = 5;               ///< how many patches a patch takes its labels from
  int radius = 12;           ///< how many rows and columns away these may be
  float temperature = 0.1f;  ///< weights are exp(cosine similarity / temperature)
};

/// What share of each patch belongs to each class: [rows * columns, classes].
using PatchLabels = std::vector<float>;

/// Carries labels from frame to frame.
///
///   LabelPropagation video(frames[0], labels, classes);
///   for (std::size_t i = 1; i < frames.size(); ++i) show(video.next(frames[i]));
class LabelPropagation {
 public:
  LabelPropagation(PatchFeatures first, PatchLabels labels, int classes, const PropagationOptions& options = {})
      : options_(options), classes_(classes) {
    check(first.rows >= 1 && first.columns >= 1 && first.width >= 1 && classes >= 1, "label propagation: ", first.rows,
          " x ", first.columns, " patches of width ", first.width, " and ", classes, " classes; expected some of each");
    check(static_cast<long>(labels.size()) == first.patches() * classes, "label propagation: ", labels.size(),
          " labels, expected ", classes, " for each of ", first.patches(), " patches");
    check(options.temperature > 0, "label propagation: the temperature must be above 0, not ", options.temperature);
    check(options.last_frames >= 1 && options.top >= 1 && options.radius >= 0,
          "label propagation needs one frame, one patch and a radius of 0 or more, not ", options.last_frames, ", ",
          options.top, " and ", options.radius);
    frames_.push_back({normalised(std::move(first)), std::move(labels)});
  }

  /// The labels of the next frame; the reference is valid until the next call.
  const PatchLabels& next(PatchFeatures features) {
    const PatchFeatures& first = frames_.front().features;
    check(features.rows == first.rows && features.columns == first.columns && features.width == first.width,
          "label propagation: a frame of ", features.rows, " x ", features.columns, " patches of width ",
          features.width, " follows one of ", first.rows, " x ", first.columns, " of width ", first.width);
    Frame frame{normalised(std::move(features)), {}};
    frame.labels.resize(static_cast<std::size_t>(first.patches() * classes_));
    for (int row = 0; row < first.rows; ++row) label_row(frame, row);
    if (static_cast<int>(frames_.size()) > options_.last_frames) frames_.erase(frames_.begin() + 1);  // never the first
    frames_.push_back(std::move(frame));
    return frames_.back().labels;
  }

 private:
  struct Frame {
    PatchFeatures features;
    PatchLabels labels;
  };
  /// A patch that another may take its labels from.
  struct Candidate {
    float similarity;
    const float* labels;
  };

  static PatchFeatures normalised(PatchFeatures x) {
    check(static_cast<long>(x.values.size()) == x.patches() * x.width, "label propagation: ", x.values.size(),
          " numbers, expected ", x.rows, " x ", x.columns, " patches of width ", x.width);
    for (auto row = x.values.begin(); row != x.values.end(); row += x.width) {
      float squares = 0;
      for (auto value = row; value != row + x.width; ++value) squares += *value * *value;
      check(std::isfinite(squares), "label propagation: a patch's features are not finite");
      const float scale = 1 / std::max(std::sqrt(squares), 1e-12f);
      for (auto value = row; value != row + x.width; ++value) *value *= scale;
    }
    return x;
  }

  /// Labels one row of patches, from the rows around it in all frames that are kept.
  void label_row(Frame& frame, int row) {
    const int rows = frame.features.rows, columns = frame.features.columns, width = frame.features.width;
    const int top = std::max(0, row - options_.radius), end = std::min(rows, row + options_.radius + 1);
    const long band = long{end - top} * columns, from = long{top} * columns;
    similarity_.resize(frames_.size() * static_cast<std::size_t>(columns * band));
    for (std::size_t f = 0; f < frames_.size(); ++f)
      Cpu::matmul(row_major<const float>(frame.features.values.data() + long{row} * columns * width, columns, width),
                  transposed(row_major<const float>(frames_[f].features.values.data() + from * width, band, width)),
                  row_major(similarity_.data() + static_cast<long>(f) * columns * band, columns, band), false);
    cpu::parallel_for(columns, [&](long column) {
      const long left = std::max(0l, column - options_.radius),
                 right = std::min<long>(columns, column + options_.radius + 1);
      std::vector<Candidate> candidates;
      for (std::size_t f = 0; f < frames_.size(); ++f)
        for (long line = 0; line < end - top; ++line)
          for (long x = left; x < right; ++x) {
            const long patch = line * columns + x;
            candidates.push_back({similarity_[f * static_cast<std::size_t>(columns * band) +
                                              static_cast<std::size_t>(column * band + patch)],
                                  frames_[f].labels.data() + (from + patch) * classes_});
          }
      take_labels(candidates, frame.labels.data() + (long{row} * columns + column) * classes_);
    });
  }

  /// The weighted mean of the labels of the most similar candidates; one that ties with the last of these counts, too.
  void take_labels(const std::vector<Candidate>& candidates, float* labels) const {
    std::vector<float> similarity;
    for (const Candidate& candidate : candidates) similarity.push_back(candidate.similarity);
    const auto last = similarity.begin() + std::min<std::ptrdiff_t>(options_.top, std::ssize(similarity)) - 1;
    std::nth_element(similarity.begin(), last, similarity.end(), std::greater<>{});
    const float most = *std::max_element(similarity.begin(), last + 1);
    float sum = 0;
    std::fill_n(labels, classes_, 0.0f);
    for (const Candidate& candidate : candidates) {
      if (candidate.similarity < *last) continue;
      const float weight = std::exp((candidate.similarity - most) / options_.temperature);
      sum += weight;
      for (int c = 0; c < classes_; ++c) labels[c] += weight * candidate.labels[c];
    }
    for (int c = 0; c < classes_; ++c) labels[c] /= sum;
  }

  PropagationOptions options_;
  int classes_;
  std::deque<Frame> frames_;  // the first of the video, then its last ones
  std::vector<float> similarity_;
};

/// Resizes a mask as PIL does by nearest neighbours: each new pixel takes the label of the pixel under its centre.
[[nodiscard]] inline LabelMap resize_nearest(const LabelMap& map, int height, int width) {
  check_label_map(map);
  check(height >= 1 && width >= 1, "a mask cannot be resized to ", height, " x ", width, " pixels");
  LabelMap out{height, width, {}};
  out.label.reserve(static_cast<std::size_t>(long{height} * width));
  for (int y = 0; y < height; ++y) {
    const long row = static_cast<long>((y + 0.5) * map.height / height) * map.width;
    for (int x = 0; x < width; ++x)
      out.label.push_back(map.label[static_cast<std::size_t>(row + static_cast<long>((x + 0.5) * map.width / width))]);
  }
  return out;
}

/// 1 for the class of each pixel and 0 for the others: [pixels, classes]. Void pixels count as background.
[[nodiscard]] inline PatchLabels one_hot(const LabelMap& map, int classes) {
  PatchLabels out(map.label.size() * static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < map.label.size(); ++i) {
    const int label = map.label[i] == LabelMap::void_label ? 0 : map.label[i];
    check(label < classes, "label propagation: label ", label, " is not one of 0 to ", classes - 1);
    out[i * static_cast<std::size_t>(classes) + static_cast<std::size_t>(label)] = 1;
  }
  return out;
}

/// The class of every pixel. Labels of patches are enlarged by `factor` (bilinear, pixel centres aligned), each class
/// is stretched to the range from 0 to 1, and the largest wins; of equals the lower class.
[[nodiscard]] inline LabelMap label_map(const PatchLabels& labels, int rows, int columns, int classes, int factor) {
  check(rows >= 1 && columns >= 1 && factor >= 1 && classes >= 1 && classes <= LabelMap::void_label &&
            static_cast<long>(labels.size()) == long{rows} * columns * classes,
        "label map: ", labels.size(), " labels of ", classes, " classes for ", rows, " x ", columns, " patches of ",
        factor, " pixels");
  LabelMap out{rows * factor, columns * factor, {}};
  const std::size_t pixels = static_cast<std::size_t>(out.height) * static_cast<std::size_t>(out.width);
  std::vector<float> best(pixels, -1), value(pixels);
  out.label.resize(pixels);
  /// The two patches between which a pixel lies.
  struct Between {
    int first, second;
    float weight;  // of the second
  };
  const auto between = [&](int x, int extent) {
    const float at = std::max(0.0f, (static_cast<float>(x) + 0.5f) / static_cast<float>(factor) - 0.5f);
    const int first = static_cast<int>(at);
    return Between{first, std::min(first + 1, extent - 1), at - static_cast<float>(first)};
  };
  for (int c = 0; c < classes; ++c) {
    const auto at = [&](int row, int column) {
      return labels[static_cast<std::size_t>((long{row} * columns + column) * classes + c)];
    };
    cpu::parallel_for(out.height, [&](long y) {
      const Between down = between(static_cast<int>(y), rows);
      for (int x = 0; x < out.width; ++x) {
        const Between across = between(x, columns);
        const auto line = [&](int row) {
          return (1 - across.weight) * at(row, across.first) + across.weight * at(row, across.second);
        };
        value[static_cast<std::size_t>(y * out.width + x)] =
            (1 - down.weight) * line(down.first) + down.weight * line(down.second);
      }
    });
    const auto [least, most] = std::minmax_element(value.begin(), value.end());
    // A class that is the same everywhere becomes 0.
    const float low = *least, range = *most > low ? *most - low : 1;
    for (std::size_t i = 0; i < pixels; ++i)
      if (const float stretched = (value[i] - low) / range; stretched > best[i]) {
        best[i] = stretched;
        out.label[i] = static_cast<std::uint8_t>(c);
      }
  }
  return out;
}

}}  // namespace vitral
