// What one layer of a pretrained network makes of every picture of a data set, for use in Python: features.npy, float32
// [images, width], each row of unit length; images.csv, the file, label and class of each row.
//
//   embed out/checkpoint.safetensors --layer 6 --out embedding
#include "command_line.hpp"
#include "report.hpp"
#include "trained_network.hpp"

#include <vitral/data/open.hpp>
#include <vitral/eval/features.hpp>
#include <vitral/io/npy.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/vitral.hpp>

#include <cstdio>

using namespace vitral;
using namespace vitral::programs;

namespace {

struct Options {
  std::string checkpoint, dataset, data, split = "test", out = "embedding";
  int layer = 0, threads = 0;
  long images = 0;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Writes the features of a data set's images for use in Python."};
  app.add_option("CHECKPOINT", o.checkpoint, "The network: a checkpoint of `pretrain` or `truncate`")->required();
  app.add_option("--layer", o.layer, "Layer whose class token is the feature; 0 = the last")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--dataset", o.dataset, "Layout of the images in --data [that of the run]")
      ->check(CLI::IsMember(CLI::detail::split(dataset_names, '|')));
  app.add_option("--data", o.data, "Directory of the data set [that of the run]");
  app.add_option("--split", o.split, "Which part of it")
      ->check(CLI::IsMember({"train", "test", "unlabeled"}))
      ->capture_default_str();
  app.add_option("--images", o.images, "The first images only; 0 = all")->check(CLI::NonNegativeNumber);
  app.add_option("--out", o.out, "Directory for features.npy and images.csv")->capture_default_str();
  app.add_option("--threads", o.threads, "Threads; 0 = all cores")->check(CLI::NonNegativeNumber);
  parse_command_line(app, argc, argv, "embed");
  return o;
}

/// The file below `root` (or the number, where pictures have no files), label and class of each of the first pictures.
report::Table rows(const Dataset& data, const std::filesystem::path& root, long count) {
  const std::vector<std::string> classes = data.classes();
  report::Table table{{"image", "label", "class"}};
  for (long i = 0; i < count; ++i) {
    const std::filesystem::path file = data.file(i);
    const int label = data.label(i);
    table.push_back({file.empty() ? std::to_string(i) : file.lexically_relative(root).string(), std::to_string(label),
                     label < 0 ? "" : classes[static_cast<std::size_t>(label)]});
  }
  return table;
}

void embed(const Options& o) {
  const SafetensorsFile file(o.checkpoint);
  const PretrainOptions run = run_of(file);
  const int layer = chosen_layer(o.layer, run, o.checkpoint);
  const DataPlace place = data_of(run, o.dataset, o.data);
  const Split split = o.split == "train" ? Split::train : o.split == "test" ? Split::test : Split::unlabeled;
  const Dataset all = open_dataset(place.dataset, place.path, split, run.image);
  const Dataset data = o.images > 0 ? subset(all, o.images) : all;
  const auto encoder = first_layers(network<Cpu>(file, run), layer);
  const std::filesystem::path out = o.out;
  make_folder(out);
  Progress progress(o.split, data.size(), 1);
  const Features features =
      extract_features(encoder, data, data.size(), 128, [&](long done) { progress.update(done, std::nan("")); }).back();
  progress.finish();
  write_npy(out / "features.npy", features.rows, std::vector<long>{features.images(), features.width});
  write_text(out / "images.csv", report::csv(rows(data, place.path, data.size())));
  std::printf("wrote features.npy [%d, %d] and images.csv in %s: layer %d of %d, %s images of %s\n", features.images(),
              features.width, o.out.c_str(), layer, run.depth, o.split.c_str(), data.name().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return exit_status([&] {
    const Options options = parse(argc, argv);
    if (options.threads > 0) cpu::set_threads(options.threads);
    embed(options);
  });
}
