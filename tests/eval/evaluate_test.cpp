// One call finds what the single functions find, tells how far it is, and its struct survives a file.
#include <vitral/eval/evaluate.hpp>
#include <vitral/eval/results_from_json.hpp>
#include <vitral/eval/results_to_json.hpp>

#include "../temporary.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>

using namespace vitral;

namespace {

/// Images of a gray that says their class, from dark to bright, with a pattern of their own.
struct Shades {
  long size() const { return 60; }
  Image image(long i) const {
    Image out{8, 8, std::vector<std::uint8_t>(192)};
    for (std::size_t k = 0; k < 192; ++k)
      out.rgb[k] = static_cast<std::uint8_t>(
          80 * label(i) + static_cast<int>(Random{7, 0, static_cast<std::uint64_t>(i)}.bits(k) % 60));
    return out;
  }
  int label(long i) const { return static_cast<int>(i % 3); }
  std::vector<std::string> classes() const { return {"dark", "gray", "bright"}; }
  std::string name() const { return "shades"; }
};

const ViT<Cpu, float>& encoder() {
  static const ViT<Cpu, float> network(ViTSize{8, 4, 16, 2, 2}, Seed{1});
  return network;
}

EvaluationOptions quick() {
  EvaluationOptions out;
  out.k = {5, 3};
  out.sgd.epochs = 3;
  out.speed_batch = 4;
  return out;
}

/// A network of two layers of a user's own: the mean of each channel, and its square.
struct Means {
  using backend = Cpu;
  int width() const { return 3; }
  int depth() const { return 2; }
  std::vector<Tensor<float, Shape<dyn, dyn>>> layers(const Operand auto& images) const {
    Tensor<float, Shape<dyn, dyn>> mean({images.extent(0), 3});
    const long pixels = long{images.extent(2)} * images.extent(3);
    for (long i = 0; i < mean.size(); ++i)
      mean.data()[i] = std::accumulate(images.data() + i * pixels, images.data() + (i + 1) * pixels, 3.0f);
    return {mean, eval(square(mean))};
  }
};

/// Images that are brighter to the right, twice as wide as high.
struct Bands : Shades {
  Image image(long i) const {
    Image out{8, 16, {}};
    for (int p = 0; p < 128; ++p)
      out.rgb.insert(out.rgb.end(), 3, static_cast<std::uint8_t>(40 * label(i) + p % 16 * 8));
    return out;
  }
};

/// Means that remember the first row of the first image.
struct Watching : Means {
  std::vector<float>* seen;
  auto layers(const Operand auto& images) const {
    seen->assign(images.data(), images.data() + 8);
    return Means::layers(images);
  }
};

}  // namespace

TEST_CASE("evaluate finds what the single functions find, and JSON keeps all of it") {
  const Dataset train = Shades{}, test = select_images(train, spread_places(train, 30, Seed{2}));
  EvaluationOptions options = quick();
  options.mean_per_class = true;
  options.analyses = AnalysisOptions{two_views(simclr_augmentation(8)), 25};
  options.analyses->against = [](const Dataset& images) {
    return extract_features(ViT<Cpu, float>(ViTSize{8, 4, 8, 3, 2}, Seed{2}), images, images.size());
  };
  int searches = 0;
  options.neighbours = [&](const Features& from, const Features& to, int k) {
    ++searches;
    return nearest_neighbours(from, to, k);
  };
  std::vector<std::string> parts;
  options.progress = [&](const EvaluationStep& step) {
    if (step.done == 0) parts.emplace_back(step.part);
    CHECK(step.done <= step.all);
  };
  const EvaluationResults found = evaluate(encoder(), train, test, options);
  CHECK(parts == std::vector<std::string>{"train", "test", "SGD", "layers", "two views", "attention", "t-SNE"});
  CHECK(searches == 2);  // one for each layer
  CHECK(found.dataset == "shades");
  CHECK(found.train_images == 60);
  CHECK(found.test_images == 30);
  CHECK(found.classes == 3);

  const auto known = extract_features(encoder(), train, 60), asked = extract_features(encoder(), test, 30);
  const auto probes = sgd_probes(known, asked, {.epochs = 3});
  std::vector<std::vector<double>> probabilities;
  REQUIRE(found.layers.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const LayerEvaluation& layer = found.layers[i];
    CHECK(layer.knn.size() == 2);
    for (const auto& [k, accuracy] : layer.knn) {
      CHECK(accuracy.top1 == knn_accuracy(known[i], asked[i], {.k = k}));
      CHECK(accuracy.top5 == 1);  // of three classes
    }
    probabilities.push_back(class_probabilities(logistic_regression(known[i]), asked[i]));
    CHECK(layer.logistic->top1 == top_accuracy(ranked_classes(probabilities[i], 3), asked[i].labels, 1));
    CHECK(layer.sgd->rate == probes[i].best.rate);
    double mean = 0;  // of the classes
    for (int c = 0; c < 3; ++c) {
      double right = 0, images = 0;
      for (std::size_t row = 0; row < 30; ++row) {
        if (asked[i].labels[row] != c) continue;
        ++images;
        right += ranked_classes(probabilities[i], 3)[3 * row] == c;
      }
      mean += right / images / 3;
    }
    CHECK(layer.logistic->mean_per_class.value() == doctest::Approx(mean));
    CHECK(layer.sgd->test.mean_per_class == probes[i].best.test.mean_per_class());
    CHECK(layer.knn.begin()->second.mean_per_class.has_value());
    CHECK(layer.sgd->test.top1 == probes[i].best.test.top1());
    REQUIRE(layer.sgd->rates.size() == 6);
    CHECK(layer.sgd->rates[2].held_out_top1 == probes[i].rates[2].held_out.top1());
    CHECK(layer.cost->multiply_adds == multiply_adds(encoder().size, static_cast<int>(i + 1)));
    CHECK(layer.cost->milliseconds > 0);
  }
  REQUIRE(found.adaptive_exit.size() == 21);
  const AdaptiveExit half = adaptive_exits(probabilities, asked[0].labels, 3, encoder().size, {0.5})[0];
  CHECK(found.adaptive_exit[10].accuracy == half.accuracy);
  CHECK(found.adaptive_exit[10].multiply_adds == half.multiply_adds);

  const Analyses& analyses = found.analyses.value();
  CHECK(analyses.images == 25);
  CHECK(analyses.cka_against.size() == 2);
  CHECK(analyses.cka_against[0].size() == 3);
  CHECK(analyses.layers[1].attention_distance.size() == 2);
  CHECK(analyses.tsne.size() == 50);
  REQUIRE(analyses.neighbours.size() == 3);
  CHECK(analyses.attention_images ==
        std::vector<long>{analyses.neighbours[0].image, analyses.neighbours[1].image, analyses.neighbours[2].image});
  for (const NearestImages& query : analyses.neighbours) {
    CHECK(test.label(query.image) == query.label);
    CHECK(query.nearest.size() == 8);
    for (const NearImage& near : query.nearest) CHECK(train.label(near.image) == near.label);
  }
  CHECK(analyses.neighbours[0].nearest[0].similarity == doctest::Approx(1));  // the test images are training images

  EvaluationResults named = found;
  named.analyses->against = "other";
  const auto json = to_json(named);
  const std::string text = json_text(json);
  CHECK(json_text(to_json(results_from_json(parse_json(text, "text"), "text"))) == text);
  CHECK(json["layers"][1]["knn"]["5"]["top1"].get<double>() == found.layers[1].knn.at(5).top1);
  CHECK(json["analyses"]["tsne"].size() == 25);
}

TEST_CASE("the layers and classifiers that are chosen are found as among all, and nothing else is") {
  const Dataset train = Shades{}, test = select_images(train, spread_places(train, 30, Seed{2}));
  const ViT<Cpu, float> network(ViTSize{8, 4, 16, 4, 2}, Seed{1});
  EvaluationOptions options = quick();
  options.analyses = AnalysisOptions{two_views(simclr_augmentation(8)), 25};
  const EvaluationResults all = evaluate(network, train, test, options);
  options.layers = {4, 2, 2};  // in any order
  const EvaluationResults some = evaluate(network, train, test, options);
  REQUIRE(some.layers.size() == 2);
  REQUIRE(some.analyses->layers.size() == 2);
  for (const std::size_t i : {0u, 1u}) {
    const LayerEvaluation &chosen = some.layers[i], &same = all.layers[2 * i + 1];
    CHECK(chosen.layer == static_cast<int>(2 * i + 2));
    CHECK(chosen.knn.at(5).top1 == same.knn.at(5).top1);
    CHECK(chosen.logistic->top1 == same.logistic->top1);
    CHECK(chosen.sgd->rates[3].test.top1 == same.sgd->rates[3].test.top1);
    CHECK(chosen.cost->multiply_adds == same.cost->multiply_adds);
    CHECK(some.analyses->layers[i].layer == chosen.layer);
    CHECK(some.analyses->layers[i].uniformity == all.analyses->layers[2 * i + 1].uniformity);
    CHECK(some.analyses->layers[i].attention_distance == all.analyses->layers[2 * i + 1].attention_distance);
  }
  CHECK(some.analyses->cka[0][1] == all.analyses->cka[1][3]);
  CHECK(some.adaptive_exit[0].layers == 2);  // all leave after the first that is chosen ...
  CHECK(some.adaptive_exit[0].accuracy == some.layers[0].logistic->top1);
  CHECK(some.adaptive_exit[0].multiply_adds == multiply_adds(network.size, 2, true));
  CHECK(some.adaptive_exit.back().layers <= 4);  // ... and at the latest after the last
  const auto json = to_json(some);
  CHECK(json["layers"][0]["layer"] == 2);
  CHECK(json_text(to_json(results_from_json(json, "file"))) == json_text(json));

  options.analyses.reset();
  options.classifiers = {"knn"};
  options.progress = [](const EvaluationStep& step) { CHECK(step.part != "SGD"); };
  const EvaluationResults votes = evaluate(network, train, test, options);
  CHECK(votes.layers[1].knn.at(3).top1 == all.layers[3].knn.at(3).top1);
  CHECK(votes.adaptive_exit.empty());
  const std::string text = json_text(to_json(votes));
  CHECK(text.find("logistic\"") == std::string::npos);
  CHECK(text.find("\"sgd\"") == std::string::npos);
  CHECK(json_text(to_json(results_from_json(parse_json(text, "text"), "text"))) == text);
}

TEST_CASE("the view that the options name is what the network sees") {
  EvaluationOptions options = quick();
  options.classifiers = {"knn"};
  options.view = {.size = 8, .interpolation = Interpolation::bicubic, .squash = true};
  std::vector<float> seen;
  (void)evaluate(Watching{{}, &seen}, Bands{}, Bands{}, options);
  std::vector<float> expected(3 * 64);
  options.view(Bands{}.image(0), expected.data());
  CHECK(seen == std::vector<float>(expected.begin(), expected.begin() + 8));
  CHECK(seen.back() - seen[0] > 1);  // the whole width, not its half
}

TEST_CASE("a network of one's own is evaluated by its layers alone") {
  EvaluationOptions options = quick();
  options.view.size = 8;
  options.analyses = AnalysisOptions{two_views(simclr_augmentation(8)), 20};
  const EvaluationResults found = evaluate(Means{}, Shades{}, Shades{}, options);
  REQUIRE(found.layers.size() == 2);
  CHECK(found.layers[0].knn.at(3).top1 > 0.9);
  CHECK_FALSE(found.layers[0].cost.has_value());
  CHECK(found.adaptive_exit.empty());
  CHECK(found.analyses->layers[0].attention_distance.empty());
  const std::string text = json_text(to_json(found));
  CHECK(json_text(to_json(results_from_json(parse_json(text, "text"), "text"))) == text);
  options.view.size = 0;
  CHECK_THROWS_WITH_AS((void)evaluate(Means{}, Shades{}, Shades{}, options),
                       doctest::Contains("say it in EvaluationOptions::view"), Error);
}

TEST_CASE("the lines that docs/evaluation.md shows do what it says") {
  const testing::TemporaryFolder temporary;
  const std::filesystem::path& folder = temporary.path;
  const Dataset train = Shades{}, test = Shades{};
  const ViT<Cpu, float, ViTSize{8, 4, 16, 2, 2}> encoder(Seed{1});  // fixed at compile time
  const ViT<Cpu, float> other(ViTSize{8, 4, 8, 3, 2}, Seed{2});

  const EvaluationResults found = evaluate(encoder, subset(train, 2000), subset(test, 500), {.k = {1, 20}});
  for (const LayerEvaluation& layer : found.layers)
    std::printf("%.3f %.3f %.3f\n", layer.knn.at(20).top1, layer.logistic->top1, layer.sgd->test.top1);
  std::ofstream(folder / "results.json") << to_json(found).dump(2);
  CHECK(results_from_json(read_json(folder / "results.json"), "it").layers[1].knn.at(20).top1 ==
        found.layers[1].knn.at(20).top1);

  EvaluationOptions options{.k = {20}};
  options.analyses = AnalysisOptions{two_views(byol_augmentation(8))};
  options.analyses->against = [&](const Dataset& images) { return extract_features(other, images, images.size()); };
  const EvaluationResults whole = evaluate(encoder, train, test, options);
  std::printf("%.1f directions\n", whole.analyses->layers.back().effective_rank);
  CHECK(whole.analyses->cka_against[1].size() == 3);
}

TEST_CASE("what cannot be evaluated is refused with the field that says so") {
  const auto features = extract_features(encoder(), Shades{}, 60);
  const auto refuses = [&](const char* message, const EvaluationOptions& options) {
    CAPTURE(message);
    CHECK_THROWS_WITH_AS((void)evaluate_features(encoder(), features, features, options), doctest::Contains(message),
                         Error);
  };
  refuses("EvaluationOptions::k asks 61 neighbours of 60", {.k = {3, 61}});
  refuses("EvaluationOptions::k is empty", {.k = {}});
  refuses("layer 3 was asked for, and the network has layers 1 to 2", {.layers = {1, 3}});
  refuses("layer 0 was asked for", {.layers = {0}});
  refuses("unknown classifier \"knm\" (did you mean knn? known: knn, logistic, sgd)", {.classifiers = {"knm"}});
  refuses("EvaluationOptions::classifiers is empty; expected some of knn, logistic, sgd", {.classifiers = {}});
  refuses("features of 2 and of 2 layers for EvaluationOptions::layers, which are 1", {.layers = {2}});
  CHECK_THROWS_WITH_AS((void)evaluate_features(encoder(), {features[0]}, features),
                       doctest::Contains("features of 1 and of 2 layers for a network of 2"), Error);
  AnalysisOptions analyses;
  CHECK_THROWS_WITH_AS((void)analyse(encoder(), features, features, Shades{}, analyses),
                       doctest::Contains("AnalysisOptions::views holds 0 views"), Error);
  analyses = {two_views(simclr_augmentation(8)), 19};
  CHECK_THROWS_WITH_AS((void)analyse(encoder(), features, features, Shades{}, analyses),
                       doctest::Contains("expected 20 or more"), Error);
}

TEST_CASE("damaged results say where they are damaged") {
  EvaluationResults results;
  results.dataset = "images";
  results.layers.resize(2);
  for (int i : {0, 1}) {
    LayerEvaluation& layer = results.layers[static_cast<std::size_t>(i)];
    layer.layer = i + 1;
    layer.logistic = Accuracy{};
    layer.sgd = SgdAccuracy{0, {}, {{0.1, 0.5, {0.5, 0.75}}}};
  }
  results.layers[0].knn[20] = results.layers[1].knn[20] = {0.5, 0.75};
  results.adaptive_exit = {{0.5, 0.5, 1e6, 1.5}};
  const auto whole = to_json(results);
  CHECK(json_text(to_json(results_from_json(whole, "file"))) == json_text(whole));
  const auto refuses = [&](const char* message, const char* place, const nlohmann::ordered_json& value) {
    CAPTURE(message);
    auto damaged = whole;
    damaged[nlohmann::ordered_json::json_pointer(place)] = value;
    CHECK_THROWS_WITH_AS((void)results_from_json(damaged, "file"), doctest::Contains(message), Error);
  };
  refuses("file: it has no number \"top1\" from 0 to 1 of k-NN of layer 1;", "/layers/0/knn/20/top1", "0.5");
  refuses("it has no number \"top5\" from 0 to 1 of logistic regression of layer 2", "/layers/1/logistic/top5", 50);
  refuses("it has no number \"rate\" of the linear classifier by SGD of layer 1", "/layers/0/sgd/rate", nullptr);
  refuses("\"../../x\" is no number of neighbours of layer 1", "/layers/0/knn", {{"../../x", 1}});
  refuses("it has no number \"accuracy\" from 0 to 1 of an adaptive exit", "/adaptive_exit/0/accuracy", -1);
  refuses("\"train_images\" is no number of images", "/train_images", 1e30);
  refuses("\"dataset\" is no text", "/dataset", 1);
  refuses("\"layers\" is an empty list", "/layers", nlohmann::ordered_json::array());
  refuses("\"layers\" has layer 1 after layer 1", "/layers/1/layer", 1);
  refuses("it has no classifier of layer 1", "/layers/0", {{"layer", 1}});
  auto fewer = whole;
  fewer["layers"][1].erase("sgd");
  CHECK_THROWS_WITH_AS((void)results_from_json(fewer, "file"),
                       doctest::Contains("layer 2 was tried with other classifiers than layer 1"), Error);
  CHECK_THROWS_WITH_AS((void)results_from_json(nlohmann::ordered_json::array(), "file"),
                       doctest::Contains("it is no object"), Error);
}
