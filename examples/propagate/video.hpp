// Videos with masks of their objects: DAVIS 2017 or any folder in its layout, and shapes that are drawn on demand.
#pragma once

#include "propagate/moving_shapes.hpp"

#include <vitral/io/decode.hpp>
#include <vitral/io/file_name.hpp>
#include <vitral/io/label_png.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

struct Video {
  std::string name;
  std::vector<std::string> frames;  // their names, without an ending
  std::function<vitral::Image(int)> image;
  std::function<vitral::LabelMap(int)> mask;
};

/// The videos that ImageSets/2017/val.txt names, with JPEGImages/480p/VIDEO/FRAME.jpg and
/// Annotations/480p/VIDEO/FRAME.png. Images are read when they are asked for.
inline std::vector<Video> davis_videos(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  using vitral::check, vitral::legible;
  const fs::path list = folder / "ImageSets/2017/val.txt";
  std::ifstream names(list);
  check(names.is_open(), list.string(),
        ": cannot open; --data is the folder of DAVIS 2017 that holds ImageSets, "
        "JPEGImages and Annotations");
  std::vector<Video> videos;
  for (std::string name; std::getline(names, name);) {
    if (name.ends_with('\r')) name.pop_back();
    if (name.empty()) continue;
    vitral::check_file_name(name, list.string());  // masks are written under it
    const auto same = [&](const Video& video) { return video.name == name; };
    check(std::none_of(videos.begin(), videos.end(), same), list.string(), ": names the video ", legible(name),
          " twice");
    const fs::path images = folder / "JPEGImages/480p" / name, masks = folder / "Annotations/480p" / name;
    std::error_code ignored;
    check(fs::is_directory(images, ignored), legible(images.string(), 500), ": no such folder, but ", list.string(),
          " names the video");
    Video video{name, {}, {}, {}};
    for (const auto& entry : fs::directory_iterator(images))
      if (entry.path().extension() == ".jpg") video.frames.push_back(entry.path().stem().string());
    std::sort(video.frames.begin(), video.frames.end());
    const auto frames = video.frames;
    video.image = [=](int t) { return vitral::read_image(images / (frames[static_cast<std::size_t>(t)] + ".jpg")); };
    video.mask = [=](int t) { return vitral::read_label_png(masks / (frames[static_cast<std::size_t>(t)] + ".png")); };
    videos.push_back(std::move(video));
  }
  check(!names.bad() && !videos.empty(), list.string(), ": names no video");
  return videos;
}

/// Videos of moving shapes, the same ones for the same seed.
inline std::vector<Video> drawn_videos(int count, std::uint64_t seed) {
  std::vector<Video> videos;
  for (int v = 0; v < count; ++v) {
    const MovingShapes shapes{{seed, static_cast<std::uint64_t>(v)}};
    Video video{"shapes-" + std::to_string(v), {}, {}, {}};
    for (int t = 0; t < MovingShapes::frames; ++t) video.frames.push_back(std::to_string(100000 + t).substr(1));
    video.image = [=](int t) { return shapes.image(t); };
    video.mask = [=](int t) { return shapes.mask(t); };
    videos.push_back(std::move(video));
  }
  return videos;
}

}}}  // namespace vitral::programs
