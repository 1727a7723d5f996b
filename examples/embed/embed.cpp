// What one layer of a pretrained network makes of every image of a data set, for use in Python and by `retrieve`:
// features.npy, float32 [images, width], rows of unit length (with --whole as the network gives them);
// features.flags.npy, uint8 [images], 1 where the image could not be read and the row is NaN; images.csv, the file,
// label and class of each row.
//
//   embed out/checkpoint.safetensors --layer 6 --out embedding
//   embed out/checkpoint.safetensors --dataset images --data originals --whole --resize squash --size 320 --gem
#include "common/command_line.hpp"
#include "common/network.hpp"
#include "common/output.hpp"
#include "common/table.hpp"
#include "common/trained_network.hpp"

#include <vitral/eval/features.hpp>
#include <vitral/eval/retrieval/whole_image.hpp>
#include <vitral/io/npy.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/vitral.hpp>

#include <algorithm>
#include <cstdio>
#include <limits>

using namespace vitral;
using namespace vitral::programs;

namespace {

struct Options {
  std::string checkpoint, branch, dataset, data, tar_image, split = "test", device = "cpu", out = "embedding";
  Preparation preparation;
  int heads = 0, layer = 0, size = 0, threads = 0;
  long images = 0;
  bool whole = false, gem = false;
  std::vector<double> scales{1};
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Writes the features of a data set's images for use in Python."};
  add_network_options(app, o.checkpoint, o.branch, o.heads);
  app.add_option("--layer", o.layer, "Layer whose class token is the feature; 0 = the last")
      ->check(CLI::NonNegativeNumber);
  add_data_options(app, o.dataset, o.data, o.tar_image);
  add_preparation_options(app, o.preparation);
  CLI::Option* const whole = app.add_flag(
      "--whole", o.whole,
      "The whole image in its own shape, or with --resize squash as a square; nothing is cut off to reach the centre");
  app.add_option("--size", o.size,
                 "With --whole: pixels of the longer side, at most, or of the square's sides; 0 = the "
                 "network's")
      ->check(CLI::NonNegativeNumber)
      ->needs(whole);
  app.add_option("--scales", o.scales,
                 "With --whole: the mean of the features at these scales of that size, such as 1,0.7071,0.5")
      ->delimiter(',')
      ->check(CLI::Range(0.01, 4.0))
      ->capture_default_str()
      ->needs(whole);
  app.add_flag("--gem", o.gem, "With --whole: behind the class token the patches' generalised mean (exponent 4)")
      ->needs(whole);
  app.add_option("--split", o.split, "Which part of it")
      ->check(CLI::IsMember({"train", "test", "unlabeled"}))
      ->capture_default_str();
  app.add_option("--images", o.images, "So many images alone, spread over the classes; 0 = all")
      ->check(CLI::NonNegativeNumber);
  add_device_option(app, o.device, "Where features are computed");
  app.add_option("--out", o.out, "Directory for features.npy, features.flags.npy and images.csv")
      ->capture_default_str();
  app.add_option("--threads", o.threads, "Threads; 0 = all cores")->check(CLI::NonNegativeNumber);
  parse_command_line(app, argc, argv, "embed");
  return o;
}

/// The file below `root` (or the number, where images have no files), label and class of each of the images.
report::Table rows(const Dataset& data, const std::filesystem::path& root, const std::vector<long>& places) {
  const std::vector<std::string> classes = data.classes();
  report::Table table{{"image", "label", "class"}};
  for (const long i : places) {
    const std::filesystem::path file = data.file(i);
    const int label = data.label(i);
    table.push_back({file.empty() ? std::to_string(i) : file.lexically_relative(root).string(), std::to_string(label),
                     label < 0 ? "" : classes[static_cast<std::size_t>(label)]});
  }
  return table;
}

void embed(const Options& o) {
  const NetworkFile file = open_network(o.checkpoint, o.heads);
  const NetworkBranch branch = chosen_branch(file, o.branch);
  const int depth = vit_size(file, branch).depth, layer = chosen_layer(o.layer, depth, o.checkpoint);
  const Network network = network_on(o.device, file, branch, layer);
  const DataPlace place = data_of(file, o.dataset, o.data, o.tar_image);
  const Split split = o.split == "train" ? Split::train : o.split == "test" ? Split::test : Split::unlabeled;
  const Dataset all = place.open(split, o.whole ? 0 : center_view(network.size.image).least_side());
  const std::vector<long> places = spread_places(all, o.images > 0 ? o.images : all.size(), Seed{});
  const Dataset data = select_images(all, places);
  const CenterView seen = o.preparation.view(network.size.image);
  const WholeImage whole{o.size > 0 ? o.size : network.size.image, seen.squash, seen.interpolation, o.scales, o.gem};
  const double least = whole.size * *std::min_element(o.scales.begin(), o.scales.end());
  check(least >= network.size.patch, "--size ", whole.size, " at the smallest of --scales is ", least,
        " pixels, less than a patch of ", network.size.patch, "; choose larger ones");
  const std::filesystem::path out = o.out;
  make_folder(out);
  Progress progress(o.split, data.size(), 1);
  const auto done = [&](long images) { progress.update(images, std::nan("")); };
  const Features features = o.whole ? whole_image_features(network, data, whole, done)
                                    : extract_features(network, data, data.size(), {seen}, {.done = done})[0].back();
  progress.finish();
  const auto width = static_cast<std::size_t>(features.width);
  std::vector<float> all_rows(places.size() * width, std::numeric_limits<float>::quiet_NaN());
  std::vector<std::uint8_t> flags(places.size(), 1);
  for (std::size_t row = 0; row < features.places.size(); ++row) {
    const auto at = static_cast<std::size_t>(features.places[row]);
    std::copy_n(features.rows.data() + row * width, width, all_rows.data() + at * width);
    flags[at] = 0;
  }
  write_npy(out / "features.npy", all_rows, std::vector<long>{data.size(), features.width});
  write_npy(out / "features.flags.npy", flags, std::vector<long>{data.size()});
  write_text(out / "images.csv", report::csv(rows(all, place.path, places)));
  std::printf(
      "wrote features.npy [%ld, %d], features.flags.npy and images.csv in %s: layer %d of %d, %s images of %s\n",
      data.size(), features.width, escape_text(o.out).c_str(), layer, depth, o.split.c_str(),
      escape_text(data.name()).c_str());
  if (const long missing = data.size() - features.images(); missing > 0)
    std::printf("%ld images could not be read: their rows are NaN, and flagged\n", missing);
}

}  // namespace

int main(int argc, char** argv) { return run_program(argc, argv, parse, embed); }
