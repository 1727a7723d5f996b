// How good every layer of a pretrained network is: k-NN, linear classifiers on frozen features by L-BFGS and by SGD,
// and what it costs to stop there; and what its features are like: similarities, maps, attention, nearest neighbours.
// Writes results.json, CSV tables, images and a report that a browser shows.
//
//   evaluate out/checkpoint.safetensors --out evaluation
//   evaluate out/checkpoint.safetensors --against other/checkpoint.safetensors --out evaluation
#include "common/command_line.hpp"
#include "evaluate/features.hpp"
#include "evaluate/images.hpp"
#include "evaluate/report.hpp"
#include "pretrain/saved_run.hpp"

#include <vitral/eval/evaluate.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <limits>
#include <optional>

using namespace vitral;
using namespace vitral::programs;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::string checkpoint, dataset, data, tar_image, branch, device = "cpu", out = "evaluation";
  ImageChoice choice;
  Preparation preparation;
  std::string features_file, feature_type = "f32";
  std::vector<int> layers;
  std::vector<std::string> classifiers = EvaluationOptions{}.classifiers;
  std::vector<int> k{10, 20, 100, 200};
  double c = 1;
  int heads = 0, sgd_epochs = 90, threads = 0, batch = 64;
  bool no_analyses = false;
  long points = 2000;
  std::vector<int> tsne_layers;
  std::string against, against_branch;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Evaluates every layer of a network."};
  add_network_options(app, o.checkpoint, o.branch, o.heads);
  add_data_options(app, o.dataset, o.data, o.tar_image);
  add_preparation_options(app, o.preparation, "that of the run's k-NN");
  app.add_option("--out", o.out, "Directory for results.json, tables and report.html")->capture_default_str();
  app.add_option("--train", o.choice.train, "Images that classifiers learn from, spread over the classes; 0 = all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--test", o.choice.test, "Images that they classify, likewise; 0 = all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--holdout", o.choice.holdout, holdout_help)->check(CLI::Range(0.0, 0.999));
  app.add_option("--seed", o.choice.seed, "Seed by which these images are drawn")->capture_default_str();
  app.add_option("--layers", o.layers, "Numbers of the layers that are evaluated, such as 3,6,9,12 [all]")
      ->delimiter(',');
  app.add_option("--classifiers", o.classifiers, "Which classifiers are tried on them")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--k", o.k, "Neighbours that k-NN asks")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--c", o.c, "Logistic regression's inverse regularisation, as scikit-learn's C")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--sgd-epochs", o.sgd_epochs, "Epochs of the linear classifiers by SGD")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI::Option* const file =
      app.add_option("--features-file", o.features_file,
                     "Directory in which a temporary file holds the features of all layers, which then need not fit "
                     "into memory");
  app.add_option("--feature-type", o.feature_type, "Type of the numbers in that file")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}))
      ->needs(file)
      ->capture_default_str();
  add_device_option(app, o.device,
                    "Where features and their neighbours are computed, and classifiers trained by SGD; the rest and "
                    "all times are the CPU's");
  app.add_option("--batch", o.batch, "Images at a time when speed is measured")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--points", o.points, "Test images whose features are analysed and mapped")
      ->check(CLI::Range(20L, std::numeric_limits<long>::max()))
      ->capture_default_str();
  app.add_option("--tsne-layers", o.tsne_layers, "Layers that t-SNE maps beside the last, such as 3,6,9")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  CLI::Option* const against =
      app.add_option("--against", o.against, "Another network, whose layers are compared with the first's by CKA");
  app.add_option("--against-branch", o.against_branch, "Network of that one's student and teacher [the teacher]")
      ->check(CLI::IsMember({"student", "teacher"}))
      ->needs(against);
  app.add_flag("--no-analyses", o.no_analyses, "Accuracy and speed alone: no similarities, maps and images")
      ->excludes(against);
  app.add_option("--threads", o.threads, "Threads; 0 = all cores")->check(CLI::NonNegativeNumber);
  parse_command_line(app, argc, argv, "evaluate");
  return o;
}

/// A bar for each part of the work.
class Bars {
 public:
  void operator()(const EvaluationStep& step) {
    if (step.done == 0) {
      finish();
      bar_.emplace(std::string(step.part), step.all, step.images);
      return;
    }
    bar_->update(step.done, std::nan(""));
    if (step.done == step.all) finish();
  }
  void finish() {
    if (bar_) bar_->finish();
    bar_.reset();
  }

 private:
  std::optional<Progress> bar_;
};

/// Where the features of all layers lie.
FeatureStorage storage_of(const Options& o) {
  return {o.features_file, o.feature_type == "f16"    ? ScalarType::f16
                           : o.feature_type == "bf16" ? ScalarType::bf16
                                                      : ScalarType::f32};
}

/// train_sweeps on the GPU.
RateSweeps<> sweeps_on_gpu(const std::vector<Features>& layers, const std::vector<long>& rows, const ProbeOptions& o,
                           const std::function<void(int)>& epoch_done) {
  std::vector<PlainFeatures> plain;
  for (const Features& layer : layers) {
    const StoredRows& file = layer.stored;
    const auto* const numbers = file.numbers ? file.numbers.get() : std::as_bytes(std::span(layer.rows)).data();
    plain.emplace_back(numbers, static_cast<int>(file.type), layer.images(), layer.width, layer.labels, layer.classes);
  }
  const auto weights = sweeps_on_cuda(plain, rows, o.rates, o.epochs, o.batch, o.momentum, o.seed.value, epoch_done);
  RateSweeps<> out;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const RateSweep<> sweep(o.rates.size(), layers[i].classes, layers[i].width, o.seed);
    auto from = weights[i].begin();
    for (const auto& weight : sweep.weights) {
      std::copy_n(from, weight.value.size(), weight.value.data());
      from += weight.value.size();
    }
    out.layers.push_back(sweep);
  }
  return out;
}

/// What results.json says of the network, of the run that it is from, where that is known, and of the choice of images.
Json about(const Options& o, const TensorFile& file, NetworkBranch branch, const std::optional<PretrainOptions>& run,
           double holdout) {
  Json out{{"checkpoint", o.checkpoint}};
  note_branch(out, file, branch);
  if (run) out["run"] = to_json(*run);
  for (const auto& [key, value] : history_of(file))
    if (key != "options") out[key] = value;
  out["resize"] = o.preparation.resize;
  out["interpolation"] = o.preparation.interpolation;
  if (const Json knn = evaluation::knn_of_run(o.checkpoint, branch == NetworkBranch::teacher); !knn.is_null())
    out["knn_of_run"] = knn;
  out["holdout"] = holdout;
  out["seed"] = o.choice.seed;
  return out;
}

EvaluationResults evaluate(Options o) {
  const NetworkFile file = open_network(o.checkpoint, o.heads);
  std::optional<PretrainOptions> run;
  if (file.metadata().contains("options")) run = run_of(file);
  o.preparation = o.preparation.over(run_preparation(file));
  const NetworkBranch branch = chosen_branch(file, o.branch);
  const auto encoder = load_vit<Cpu, float>(file, {}, branch);
  const DataPlace place = data_of(file, o.dataset, o.data, o.tar_image);
  std::optional<ViT<Cpu, float>> other;
  Json other_notes = Json::object();
  if (const std::string& path = o.against; !path.empty()) {
    const NetworkFile against = open_network(path);
    const NetworkBranch other_branch = chosen_branch(against, o.against_branch, "--against-branch");
    other = load_vit<Cpu, float>(against, {}, other_branch);
    note_branch(other_notes, against, other_branch, "against_branch");
  }
  EvaluationOptions options;
  options.layers = chosen_layers(o.layers, encoder.depth());
  for (const int layer : o.tsne_layers)
    check(std::find(options.layers.begin(), options.layers.end(), layer) != options.layers.end(), "--tsne-layers ",
          layer, ": ", o.checkpoint, " has ", encoder.depth(), " layers, and ",
          o.layers.empty() ? "all of them are" : "those of --layers are", " evaluated; choose of these");
  options.classifiers = o.classifiers;
  options.k = o.k;
  options.logistic_c = o.c;
  options.sgd.epochs = o.sgd_epochs;
  options.mean_per_class = known_dataset(place.dataset).mean_per_class;
  options.speed_batch = o.batch;
  check_options(options);
  const SplitFeatures found = split_features(
      o.device == "cpu" ? network_of(encoder) : network_on(o.device, file, branch, encoder.depth()), network_name(file),
      {place, o.choice, most_neighbours(options), options.layers, o.preparation, storage_of(o)});
  make_folder(o.out);  // what is wrong with it is said before the longest part of the work
  check(o.no_analyses || found.test[0].images() >= 20, "the analyses need 20 test images or more, not ",
        found.test[0].images(), "; use more (--test), or --no-analyses");

  Bars bars;
  const EvaluationProgress progress = std::ref(bars);
  Json subject = about(o, file, branch, run, found.holdout);
  subject.update(other_notes);
  options.progress = progress;
  if (o.device == "cuda") {
    options.train_sweeps = sweeps_on_gpu;
    options.neighbours = [](const Features& train, const Features& test, int most) {
      return nearest_neighbours(train, test, most, false, [](auto known, auto asked, int width, int k, bool) {
        auto [similarity, place] = nearest_rows_on_cuda(known, asked, width, k);
        return Neighbours{k, std::move(similarity), std::move(place)};
      });
    };
  }
  EvaluationResults out = evaluate_features(encoder, found.train, found.test, options);
  out.dataset = found.dataset;
  write_evaluation(o.out, subject, out);  // stands, whatever becomes of the rest
  if (o.no_analyses) return out;
  const int side = encoder.size.image;
  const AugmentationPair views = run ? augmentations(run->views, run->image) : moco_v3_augmentation(side);
  const int enough = std::max(least_side(views), other ? center_view(other->size.image).least_side() : 0);
  const Dataset train = place.open(Split::train, center_view(side).least_side()),
                test = place.open(Split::test, enough);
  AnalysisOptions analyses{two_views(views), o.points, options.layers, o.preparation.view(side), o.tsne_layers};
  if (other)
    analyses.against = [&](const Dataset& images) {
      bars({"other network", 0, images.size(), 1});
      const auto done = [&](long seen) { bars({"other network", seen, images.size(), 1}); };
      const ImageViews seen{o.preparation.view(other->size.image)};
      return std::move(extract_features(*other, images, images.size(), seen, {.done = done})[0]);
    };
  out.analyses = analyse(encoder, found.train, found.test, test, analyses, progress);
  out.analyses->against = o.against;
  bars.finish();
  evaluation::draw_images(o.out, encoder, *out.analyses, train, test, analyses.view);
  write_evaluation(o.out, subject, out);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program(argc, argv, parse, [](const Options& options) {
    const EvaluationResults results = evaluate(options);
    std::fputs(layer_table(results).c_str(), stdout);
    std::printf("wrote results.json, layers.csv, adaptive_exit.csv%s and report.html in %s\n",
                options.no_analyses ? "" : ", attention.png, neighbours.png", escape_text(options.out).c_str());
  });
}
