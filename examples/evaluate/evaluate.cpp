// How good every layer of a pretrained network is: k-NN, linear classifiers on frozen features by L-BFGS and by SGD,
// and what it costs to stop there; and what its features are like: similarities, maps, attention, nearest neighbours.
// Writes results.json, CSV tables, images and a report that a browser shows.
//
//   evaluate out/checkpoint.safetensors --out evaluation
//   evaluate out/checkpoint.safetensors --against other/checkpoint.safetensors --out evaluation
#include "common/command_line.hpp"
#include "evaluate/analyses.hpp"
#include "evaluate/features.hpp"
#include "evaluate/report.hpp"
#include "pretrain/saved_run.hpp"
#include "pretrain/views.hpp"

#include <vitral/eval/classifiers/early_exit.hpp>
#include <vitral/eval/classifiers/knn.hpp>
#include <vitral/eval/classifiers/probe.hpp>
#include <vitral/models/first_layers.hpp>

#include <chrono>
#include <cstdio>
#include <limits>
#include <optional>

using namespace vitral;
using namespace vitral::programs;
using Json = nlohmann::ordered_json;

namespace {

struct Options {
  std::string checkpoint, dataset, data, tar_image, device = "cpu", out = "evaluation";
  ImageChoice choice;
  std::vector<int> k{10, 20, 100, 200};
  double c = 1;
  int sgd_epochs = 90, threads = 0, batch = 64;
  bool no_analyses = false;
  long points = 2000;
  std::string against;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app{"Evaluates every layer of a network."};
  app.add_option("CHECKPOINT", o.checkpoint, "The network: a checkpoint, such as `pretrain` writes")->required();
  add_data_options(app, o.dataset, o.data, o.tar_image);
  app.add_option("--out", o.out, "Directory for results.json, tables and report.html")->capture_default_str();
  app.add_option("--train", o.choice.train, "Images that classifiers learn from, spread over the classes; 0 = all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--test", o.choice.test, "Images that they classify, likewise; 0 = all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--holdout", o.choice.holdout, holdout_help)->check(CLI::Range(0.0, 0.999));
  app.add_option("--seed", o.choice.seed, "Seed by which these images are drawn")->capture_default_str();
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
  app.add_option("--device", o.device, "Where features are computed; the rest and all times are the CPU's")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--batch", o.batch, "Images at a time when speed is measured")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--points", o.points, "Test images whose features are analysed and mapped")
      ->check(CLI::Range(20L, std::numeric_limits<long>::max()))
      ->capture_default_str();
  CLI::Option* const against =
      app.add_option("--against", o.against, "Another network, whose layers are compared with the first's by CKA");
  app.add_flag("--no-analyses", o.no_analyses, "Accuracy and speed alone: no similarities, maps and images")
      ->excludes(against);
  app.add_option("--threads", o.threads, "Threads; 0 = all cores")->check(CLI::NonNegativeNumber);
  parse_command_line(app, argc, argv, "evaluate");
  std::sort(o.k.begin(), o.k.end());
  return o;
}

/// Milliseconds of one batch through the network, the median of seven.
double milliseconds(const ViT<Cpu, float>& encoder, int batch) {
  const int side = encoder.size.image;
  const Tensor<float, Shape<dyn, 3, dyn, dyn>> images({batch, side, side});
  std::vector<double> times;
  for (int i = 0; i < 8; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto token = encoder(images);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    if (i > 0) times.push_back(time.count());  // the first prepares
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

/// Linear classifiers by SGD for every layer.
std::vector<LayerProbe> sgd(const std::vector<Features>& known, const std::vector<Features>& asked, int epochs) {
  Progress progress("SGD", epochs, known[0].images());
  auto probes = sgd_probes(known, asked, {.epochs = epochs}, [&](int done) { progress.update(done, std::nan("")); });
  progress.finish();
  return probes;
}

Json to_json(const LayerProbe& probe) {
  Json out{{"top1", probe.best.test.top1()}, {"top5", probe.best.test.top5()}, {"rate", probe.best.rate}};
  for (const RateScores& scores : probe.rates)
    out["rates"].push_back({{"rate", scores.rate},
                            {"held_out_top1", scores.held_out.top1()},
                            {"top1", scores.test.top1()},
                            {"top5", scores.test.top5()}});
  return out;
}

Json evaluate(const Options& o) {
  const SafetensorsFile file(o.checkpoint);
  std::optional<PretrainOptions> run;
  if (file.metadata().contains("options")) run = run_of(file);
  const auto encoder = load_vit<Cpu, float>(file);
  const ViTSize& size = encoder.size;
  const DataPlace place = data_of(file, o.dataset, o.data, o.tar_image);
  std::optional<evaluation::Network> other;
  if (!o.against.empty()) other = load_vit<Cpu, float>(o.against);
  const FeatureRequest request{o.checkpoint, place, o.choice, o.k.back()};
  const SplitFeatures found =
      o.device == "cuda" ? splits_of(features_on_cuda(plain(request))) : features_on<Cpu>(request);
  const std::vector<Features>&known = found.train, &asked = found.test;
  make_folder(o.out);  // what is wrong with it is said before the longest part of the work
  check(o.no_analyses || asked[0].images() >= 20, "the analyses need 20 test images or more, not ", asked[0].images(),
        "; use more (--test), or --no-analyses");

  Json out;
  out["checkpoint"] = o.checkpoint;
  if (run) out["run"] = to_json(*run);
  for (const auto& [key, value] : history_of(file))
    if (key != "options") out[key] = value;
  out["dataset"] = found.dataset;
  out["train_images"] = known[0].images();
  out["test_images"] = asked[0].images();
  out["holdout"] = found.holdout;
  out["seed"] = o.choice.seed;
  out["classes"] = known[0].classes;
  out["temperature"] = KnnOptions{}.temperature;
  out["logistic_c"] = o.c;
  out["sgd_epochs"] = o.sgd_epochs;
  out["speed_batch"] = o.batch;
  out["threads"] = cpu::threads();
  const int classes = known[0].classes, five = std::min(5, classes);
  const std::vector<LayerProbe> probes = sgd(known, asked, o.sgd_epochs);
  std::vector<std::vector<double>> probabilities;
  Progress progress("layers", size.depth, 0);
  for (int layer = 1; layer <= size.depth; ++layer) {
    const Features &from = known[static_cast<std::size_t>(layer - 1)], &to = asked[static_cast<std::size_t>(layer - 1)];
    const auto scores = [&](const std::vector<int>& ranked) {
      return Json{{"top1", top_accuracy(ranked, to.labels, 1)}, {"top5", top_accuracy(ranked, to.labels, five)}};
    };
    Json row{{"layer", layer}};
    const Neighbours near = nearest_neighbours(from, to, o.k.back());
    for (const int k : o.k)
      row["knn"][std::to_string(k)] =
          scores(voted_classes(near, from.labels, classes, k, KnnOptions{}.temperature, five));
    probabilities.push_back(class_probabilities(logistic_regression(from, o.c), to));
    row["logistic"] = scores(ranked_classes(probabilities.back(), classes));
    row["sgd"] = to_json(probes[static_cast<std::size_t>(layer - 1)]);
    const auto shorter = first_layers(encoder, layer);  // it really stops there
    row["multiply_adds"] = multiply_adds(shorter.size, layer);
    const double batch = milliseconds(shorter, o.batch);
    row["milliseconds"] = milliseconds(shorter, 1);
    row["images_per_second"] = 1000 * o.batch / batch;
    out["layers"].push_back(row);
    progress.update(layer, std::nan(""));
  }
  progress.finish();
  std::vector<double> confidences;
  for (int i = 0; i <= 20; ++i) confidences.push_back(i / 20.0);
  for (const AdaptiveExit& exit : adaptive_exits(probabilities, asked[0].labels, classes, size, confidences))
    out["adaptive_exit"].push_back({{"confidence", exit.confidence},
                                    {"accuracy", exit.accuracy},
                                    {"multiply_adds", exit.multiply_adds},
                                    {"layers", exit.layers}});
  if (o.no_analyses) return out;
  write_evaluation(o.out, out);  // stands, whatever becomes of the rest
  const AugmentationPair views = run ? augmentations(*run) : moco_v3_augmentation(size.image);
  const int least_side = std::max(views.first.least_side(), other ? center_view(other->size.image).least_side() : 0);
  const evaluation::AnalysedSplit train{place.open(Split::train, center_view(size.image).least_side()),
                                        found.train_places},
      test{place.open(Split::test, least_side), found.test_places};
  out["analyses"] =
      evaluation::analyse({encoder, two_views(views), train, test, known.back(), asked, o.points, other}, o.out);
  if (other) out["analyses"]["against"] = o.against;
  return out;
}

}  // namespace

#if !defined(VITRAL_HAS_CUDA)
PlainSplits features_on_cuda(const PlainRequest&) {
  fail("--device cuda: this program was built without CUDA: install the CUDA Toolkit, configure with -DVITRAL_CUDA=ON "
       "and build again, or use --device cpu");
}
#endif

int main(int argc, char** argv) {
  wait_politely(argv);
  return exit_status([&] {
    const Options options = parse(argc, argv);
    if (options.threads > 0) cpu::set_threads(options.threads);
    const Json results = evaluate(options);
    write_evaluation(options.out, results);
    std::fputs(layer_table(results).c_str(), stdout);
    std::printf("wrote results.json, layers.csv, adaptive_exit.csv%s and report.html in %s\n",
                options.no_analyses ? "" : ", attention.png, neighbours.png", escape_text(options.out).c_str());
  });
}
