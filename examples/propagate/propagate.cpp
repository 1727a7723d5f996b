// How well a layer's patches follow objects through a video (DAVIS 2017, with the rules of Jabri et al. 2020 and DINO):
// the masks of the first frame are carried on by similarity alone, and judged by J and F. Writes propagation.json,
// objects.csv, the masks that were found, and for each video an image of them below the true ones.
//
//   propagate out/checkpoint.safetensors --data DAVIS --out propagation
//   propagate out/checkpoint.safetensors --synthetic 4 --out propagation
#include "common/command_line.hpp"
#include "common/network.hpp"
#include "common/output.hpp"
#include "common/trained_network.hpp"
#include "propagate/video.hpp"

#include <vitral/data/augment.hpp>
#include <vitral/data/sheet.hpp>
#include <vitral/eval/features.hpp>
#include <vitral/eval/video/propagation.hpp>
#include <vitral/io/json.hpp>
#include <vitral/io/progress.hpp>

#include <cstdio>

using namespace vitral;
using namespace vitral::programs;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::string checkpoint, branch, data, device = "cpu", out = "propagation";
  int heads = 0, layer = 0, size = 0, synthetic = 0, threads = 0;
  std::uint64_t seed = 0;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Carries the masks of a video's first frame through the video by the similarity of a layer's patches."};
  add_network_options(app, o.checkpoint, o.branch, o.heads);
  auto* const data = app.add_option("--data", o.data, "A folder in the layout of DAVIS 2017");
  auto* const synthetic = app.add_option("--synthetic", o.synthetic, "Videos of moving shapes to draw instead")
                              ->check(CLI::PositiveNumber)
                              ->excludes(data);
  app.add_option("--seed", o.seed, "Seed of the moving shapes")->needs(synthetic)->capture_default_str();
  app.add_option("--layer", o.layer, "Layer whose patches are compared; 0 = the last")->check(CLI::NonNegativeNumber);
  app.add_option("--size", o.size, "Shorter side that frames get, in pixels; 0 = 480, of moving shapes 24 patches")
      ->check(CLI::NonNegativeNumber);
  add_device_option(app, o.device, "Where the patches' features are computed; labels are carried on by the CPU");
  app.add_option("--out", o.out, "Directory for propagation.json, objects.csv, masks and overlays")
      ->capture_default_str();
  app.add_option("--threads", o.threads, "Threads; 0 = all cores")->check(CLI::NonNegativeNumber);
  parse_command_line(app, argc, argv, "propagate");
  check(o.synthetic > 0 || !o.data.empty(),
        "--data DIR or --synthetic N names the videos (propagate --help explains every option)");
  return o;
}

/// The layers that --layer asks for.
Network first_blocks(const Options& o) {
  const NetworkFile file = open_network(o.checkpoint, o.heads);
  const NetworkBranch branch = chosen_branch(file, o.branch);
  return network_on(o.device, file, branch, chosen_layer(o.layer, vit_size(file, branch).depth, o.checkpoint));
}

/// A frame's patches. The shorter side becomes `size` pixels, less what makes no whole patch; the longer one is cut
/// down to a multiple of four patches, DINO's 64 pixels.
PatchFeatures features(const Network& network, const Image& frame, int size) {
  const int patch = network.size.patch, shorter = std::min(frame.height, frame.width),
            longer = std::max(frame.height, frame.width), few = size / patch;
  const long longest = static_cast<long>(size) * longer / shorter;
  check(longest <= max_pixels / size, "--size ", size, " makes ", size, " x ", longest, " pixels of a frame of ",
        frame.height, " x ", frame.width, ", and ", max_pixels, " are the most");
  const int many = static_cast<int>(longest / (4 * patch) * 4);
  check(few >= 1 && many >= 1, "--size ", size, " leaves no four patches of ", patch, " pixels along a frame of ",
        frame.height, " x ", frame.width);
  const bool upright = frame.height >= frame.width;
  const int rows = upright ? many : few, columns = upright ? few : many, height = rows * patch, width = columns * patch;
  std::vector<float> planes(static_cast<std::size_t>(3l * height * width));
  resize(frame, {0, 0, frame.height, frame.width}, {frame.height, height, 0, height}, {frame.width, width, 0, width},
         Interpolation::bilinear, false, planes.data());
  Normalization{}(planes.data(), height * width);
  const std::vector<float> tokens = network.tokens(HostImages::from(planes, {1, height, width})).to_vector();
  const long first = std::ssize(tokens) - long{rows} * columns * network.size.width;
  PatchFeatures out{rows, columns, network.size.width, {tokens.begin() + first, tokens.end()}};
  check_finite(out.values, out.width, join("layer ", network.depth()), 0, "patch");
  return out;
}

/// A frame with its objects in their colours: half transparent, with a full border.
Image overlay(Image frame, const LabelMap& map) {
  const auto at = [&](int y, int x) {
    const long row = std::clamp(y, 0, map.height - 1), column = std::clamp(x, 0, map.width - 1);
    return map.label[static_cast<std::size_t>(row * map.width + column)];
  };
  std::uint8_t* value = frame.rgb.data();
  for (int y = 0; y < map.height; ++y)
    for (int x = 0; x < map.width; ++x) {
      const int label = at(y, x);
      const bool border =
          at(y - 1, x) != label || at(y + 1, x) != label || at(y, x - 1) != label || at(y, x + 1) != label;
      for (const std::uint8_t channel : label_color(label)) {
        if (label != 0) *value = border ? channel : static_cast<std::uint8_t>((*value + channel) / 2);
        ++value;
      }
    }
  return frame;
}

/// What a video shows at a few moments, side by side: the true masks above those that were found.
struct Overlays {
  static constexpr int moments = 4, gap = 4;
  Image sheet;

  /// Whether frame t of `frames` is one of them; if so, where it stands, else -1.
  static int place(int t, int frames) {
    for (int i = 0; i < moments; ++i)
      if (t == 1 + (frames - 2) * i / (moments - 1)) return i;
    return -1;
  }
  void add(int column, int row, const Image& frame) {
    if (sheet.rgb.empty()) sheet = blank_image(2 * frame.height + gap, moments * (frame.width + gap) - gap);
    vitral::place(sheet, row * (frame.height + gap), column * (frame.width + gap), frame);
  }
};

/// J and F of one object in every frame that is judged.
struct ObjectScores {
  std::string video;
  int object;
  std::vector<double> j, f;
};

/// The scores of a video's objects, and those of the first frame's masks if nothing moved. The first frame, which is
/// given, and the last one are not judged, as DAVIS has it.
void follow(const Video& video, const Network& network, int size, const std::filesystem::path& out,
            std::vector<ObjectScores>& found, std::vector<ObjectScores>& unmoved, Progress& progress, long& done) {
  const int frames = static_cast<int>(video.frames.size());
  const std::string name = legible(video.name);
  check(frames >= 3, "the video ", name, " has ", frames, " frames, expected 3 or more");
  const LabelMap first = video.mask(0);
  const auto shapes_fit = [&](int height, int width, const char* what, int t) {
    check(height == first.height && width == first.width, "frame ", legible(video.frames[static_cast<std::size_t>(t)]),
          " of ", name, ": ", what, " of ", height, " x ", width, " pixels, but the first mask has ", first.height,
          " x ", first.width);
  };
  int objects = 0;
  for (const int label : first.label)
    if (label != LabelMap::void_label) objects = std::max(objects, label);
  check(objects > 0, "the video ", name, " has no object in its first mask");
  const auto begin = found.size();
  for (int object = 1; object <= objects; ++object)
    for (auto* scores : {&found, &unmoved}) scores->push_back({video.name, object, {}, {}});

  const Image frame = video.image(0);
  shapes_fit(frame.height, frame.width, "an image", 0);
  PatchFeatures patches = features(network, frame, size);
  const int rows = patches.rows, columns = patches.columns, classes = objects + 1;
  LabelPropagation propagation(std::move(patches), one_hot(resize_nearest(first, rows, columns), classes), classes);
  make_folder(out / "overlays");
  make_folder(out / "masks" / video.name);
  const auto write = [&](int t, const LabelMap& map) {
    write_label_png(out / "masks" / video.name / (video.frames[static_cast<std::size_t>(t)] + ".png"), map);
  };
  write(0, first);
  Overlays overlays;
  progress.update(++done, std::nan(""));
  for (int t = 1; t < frames; ++t) {
    const Image image = video.image(t);
    shapes_fit(image.height, image.width, "an image", t);
    const PatchLabels& labels = propagation.next(features(network, image, size));
    const LabelMap map =
        resize_nearest(label_map(labels, rows, columns, classes, network.size.patch), first.height, first.width);
    write(t, map);
    const LabelMap truth = video.mask(t);
    shapes_fit(truth.height, truth.width, "a mask", t);
    if (t + 1 < frames)
      for (int object = 1; object <= objects; ++object) {
        const auto judge = [&](ObjectScores& scores, const LabelMap& judged) {
          scores.j.push_back(region_similarity(judged, truth, object));
          scores.f.push_back(contour_accuracy(judged, truth, object));
        };
        const auto at = begin + static_cast<std::size_t>(object - 1);
        judge(found[at], map);
        judge(unmoved[at], first);
      }
    if (const int column = Overlays::place(t, frames); column >= 0) {
      overlays.add(column, 0, overlay(image, truth));
      overlays.add(column, 1, overlay(image, map));
    }
    progress.update(++done, std::nan(""));
  }
  write_png(out / "overlays" / (video.name + ".png"), overlays.sheet);
}

/// The means over all objects, each with the same weight.
Json means(const std::vector<ObjectScores>& objects) {
  Json out{{"j_and_f", 0.0}};
  for (const auto& [name, frames] : {std::pair{"j", &ObjectScores::j}, std::pair{"f", &ObjectScores::f}}) {
    SegmentationScore sum;
    for (const ObjectScores& object : objects) {
      const SegmentationScore score = segmentation_score(object.*frames);
      sum.mean += score.mean;
      sum.recall += score.recall;
      sum.decay += score.decay;
    }
    const auto count = static_cast<double>(objects.size());
    out[name] = {{"mean", sum.mean / count}, {"recall", sum.recall / count}, {"decay", sum.decay / count}};
    out["j_and_f"] = out["j_and_f"].get<double>() + sum.mean / count / 2;
  }
  return out;
}

std::string csv(const std::vector<ObjectScores>& objects) {
  std::string out = "video,object,J mean,J recall,J decay,F mean,F recall,F decay\n";
  for (const ObjectScores& object : objects) {
    out += join(escape_csv(object.video), ",", object.object);
    for (const auto* frames : {&object.j, &object.f}) {
      const SegmentationScore score = segmentation_score(*frames);
      out += join(",", score.mean, ",", score.recall, ",", score.decay);
    }
    out += '\n';
  }
  return out;
}

void run(const Options& o) {
  const Network net = first_blocks(o);
  const auto videos = o.synthetic > 0 ? drawn_videos(o.synthetic, o.seed) : davis_videos(o.data);
  const int size = o.size > 0 ? o.size : o.synthetic > 0 ? 24 * net.size.patch : 480;
  const std::filesystem::path out = o.out;
  long frames = 0, done = 0;
  for (const Video& video : videos) frames += static_cast<long>(video.frames.size());
  std::vector<ObjectScores> found, unmoved;
  Progress progress("frames", frames, 1);
  for (const Video& video : videos) follow(video, net, size, out, found, unmoved, progress, done);
  progress.finish();

  const PropagationOptions rules;
  Json results{{"checkpoint", o.checkpoint},
               {"videos", videos.size()},
               {"objects", found.size()},
               {"layer", net.depth()},
               {"size", size},
               {"last_frames", rules.last_frames},
               {"top", rules.top},
               {"radius", rules.radius},
               {"temperature", rules.temperature},
               {"found", means(found)},
               {"first_mask_kept", means(unmoved)}};
  write_text(out / "propagation.json", json_text(results, 2) + "\n");
  write_text(out / "objects.csv", csv(found));
  std::printf("layer %d, %zu objects of %zu videos, percent\n                     J&F      J      F\n", net.depth(),
              found.size(), videos.size());
  for (const auto& [label, name] : {std::pair{"found", "found"}, std::pair{"first mask kept", "first_mask_kept"}}) {
    const Json& mean = results[name];
    std::printf("%-17s %6.2f %6.2f %6.2f\n", label, 100 * mean["j_and_f"].get<double>(),
                100 * mean["j"]["mean"].get<double>(), 100 * mean["f"]["mean"].get<double>());
  }
  std::printf("wrote propagation.json, objects.csv, masks and overlays in %s\n", escape_text(o.out).c_str());
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, parse, run); }
