#include "../../temporary.hpp"
#include "evaluation.hpp"

#include <vitral/autodiff/softmax.hpp>
#include <vitral/eval/classifiers/knn.hpp>
#include <vitral/eval/classifiers/probe.hpp>
#include <vitral/io/safetensors.hpp>
#include <vitral/models/vit.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <string>

using namespace vitral;

namespace {

Features features(const std::vector<float>& rows, int width, const std::vector<int>& labels, int classes) {
  const Tensor<float, Shape<dyn, dyn>> x =
      Tensor<float, Shape<dyn, dyn>>::from(rows, {static_cast<int>(rows.size()) / width, width});
  return {l2_normalize(x).to_vector(), width, labels, classes};
}

/// Images of one gray level each; the label is whether it is bright.
struct GrayLevels {
  long size() const { return 40; }
  Image image(long i) const { return {8, 8, std::vector<std::uint8_t>(8 * 8 * 3, static_cast<std::uint8_t>(6 * i))}; }
  int label(long i) const { return i >= 20; }
  std::vector<std::string> classes() const { return {"dark", "bright"}; }
  std::string name() const { return "gray levels"; }
};

/// 16 layers of 128 numbers that say one pixel.
struct Wide {
  using backend = Cpu;
  ViTSize size{8, 4};
  int width() const { return 128; }
  int depth() const { return 16; }
  std::vector<Tensor<float, Shape<dyn, dyn>>> layers(const Operand auto& images) const {
    Tensor<float, Shape<dyn, dyn>> x({images.extent(0), 128});
    for (long i = 0; i < x.size(); ++i) x.data()[i] = images.data()[i / 128 * 192] + static_cast<float>(i % 128);
    return std::vector(16, x);
  }
};

}  // namespace

TEST_CASE("k-NN predicts what the PyTorch oracle predicts") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/operations.safetensors");
  const int width = static_cast<int>(file.tensor("knn/train_x").shape[1]);
  const auto ints = [&](const char* name) {
    const auto values = file.values<std::int32_t>(name);
    return std::vector<int>(values.begin(), values.end());
  };
  const int classes = ints("knn/classes")[0];
  const Features train = features(file.values<float>("knn/train_x"), width, ints("knn/train_y"), classes);
  const Features test = features(file.values<float>("knn/test_x"), width, {}, classes);
  const KnnOptions options{ints("knn/k")[0], file.values<double>("knn/temperature")[0]};
  CHECK(knn_classify(train, test, options) == ints("knn/y"));
}

TEST_CASE("k-NN ranks the classes as scikit-learn does, label by label") {
  const Features train = vitral_tests::train_features(), test = vitral_tests::test_features();
  for (const int k : {1, 20, 200}) {
    CAPTURE(k);
    const std::string name = "knn" + std::to_string(k);
    const auto ranked = voted_classes(nearest_neighbours(train, test, k), train.labels, train.classes, k, 0.07, 5);
    CHECK(ranked == vitral_tests::numbers(name + "/ranked"));
    CHECK(knn_classify(train, train, {.k = k, .leave_one_out = true}) == vitral_tests::numbers(name + "/left_out"));
  }
}

TEST_CASE("the largest few come in order, of equals the earlier one first, without the one that is left out") {
  std::vector<float> numbers(100, 0.1f);
  for (const int i : {3, 40, 99}) numbers[static_cast<std::size_t>(i)] = 0.9f;
  numbers[50] = 0.5f;
  const auto places = [&](int left_out) {
    std::vector<float> value(4);
    std::vector<int> place(4);
    cpu::detail::LargestFew few(value.data(), place.data(), 4);
    few.take(numbers.data(), 60, 1000, left_out);
    few.take(numbers.data() + 60, 40, 1060, left_out);
    return place;
  };
  CHECK(places(-1) == std::vector<int>{1003, 1040, 1099, 1050});
  CHECK(places(1040) == std::vector<int>{1003, 1099, 1050, 1000});
}

TEST_CASE("neighbours do not depend on the blocks they are looked for in") {
  constexpr int width = 8, rows = 5000, queries = 700, k = 7;
  const auto noise = [](int count, std::uint64_t stream) {
    std::vector<float> x(static_cast<std::size_t>(count * width));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(Random{1, stream, 0}.normal(i));
    return x;
  };
  const Features train = features(noise(rows, 1), width, {}, 2), test = features(noise(queries, 2), width, {}, 2);
  const Neighbours found = nearest_neighbours(train, test, k);
  for (const int query : {0, 511, 512, 699}) {
    std::vector<std::pair<double, int>> all;
    for (int row = 0; row < rows; ++row) {
      double dot = 0;
      for (int c = 0; c < width; ++c)
        dot += static_cast<double>(train.rows[static_cast<std::size_t>(row * width + c)]) *
               static_cast<double>(test.rows[static_cast<std::size_t>(query * width + c)]);
      all.push_back({-dot, row});
    }
    std::sort(all.begin(), all.end());
    for (int i = 0; i < k; ++i) {
      CAPTURE(query);
      CHECK(found.place[static_cast<std::size_t>(query * k + i)] == all[static_cast<std::size_t>(i)].second);
    }
  }
}

TEST_CASE("with one left out no image is its own neighbour") {
  const Features pairs = features({1, 0, 0.9f, 0.1f, 0, 1, 0.1f, 0.9f}, 2, {0, 1, 2, 3}, 4);
  CHECK(knn_classify(pairs, pairs, {.k = 1}) == std::vector<int>{0, 1, 2, 3});
  CHECK(knn_classify(pairs, pairs, {.k = 1, .leave_one_out = true}) == std::vector<int>{1, 0, 3, 2});
}

TEST_CASE("the label may be any of the first classes that a query's neighbours vote for") {
  const std::vector<int> ranked{2, 0, 1, 1, 2, 0}, labels{0, 0};
  CHECK(top_accuracy(ranked, labels, 1) == 0);
  CHECK(top_accuracy(ranked, labels, 2) == 0.5);
  CHECK(top_accuracy(ranked, labels, 3) == 1);
}

TEST_CASE("the nearest neighbour outvotes two farther ones at a low temperature, not at a high one") {
  const Features train = features({1, 0, 0.6f, 0.8f, 0.6f, -0.8f}, 2, {0, 1, 1}, 2);
  const Features test = features({1, 0}, 2, {0}, 2);
  CHECK(knn_classify(train, test, {3, 0.07}) == std::vector<int>{0});
  CHECK(knn_classify(train, test, {3, 10.0}) == std::vector<int>{1});
}

TEST_CASE("k-NN says when there are fewer features than neighbours") {
  const Features two = features({1, 0, 0, 1}, 2, {0, 1}, 2);
  CHECK_THROWS_WITH_AS(static_cast<void>(knn_classify(two, two, {3})),
                       doctest::Contains("k is 3, but there are 2 training features"), Error);
}

TEST_CASE("features of every layer have unit length and do not depend on the batch they are computed in") {
  const ViT<Cpu, float> encoder(ViTSize{8, 4, 16, 3, 2}, Seed{1});
  std::vector<long> told;  // how many images have passed
  const auto one = extract_features(encoder, GrayLevels{}, 40,
                                    {.batch = 7, .done = [&](long images) { told.push_back(images); }}),
             other = extract_features(encoder, GrayLevels{}, 40, {.batch = 40});
  CHECK(told == std::vector<long>{7, 14, 21, 28, 35, 40});
  REQUIRE(one.size() == 3);
  for (std::size_t layer = 0; layer < one.size(); ++layer) {
    CHECK(one[layer].labels[19] == 0);
    CHECK(one[layer].labels[20] == 1);
    for (int i = 0; i < 40; ++i) {
      float length = 0, difference = 0;
      for (int j = 0; j < 16; ++j) {
        const auto at = static_cast<std::size_t>(16 * i + j);
        length += one[layer].rows[at] * one[layer].rows[at];
        difference += std::abs(one[layer].rows[at] - other[layer].rows[at]);
      }
      CHECK(length == doctest::Approx(1).epsilon(1e-5));
      CHECK(difference < 1e-4f);
    }
  }
}

TEST_CASE("views of the same images are extracted side by side, other ones for each view and seed") {
  const ViT<Cpu, float> encoder(ViTSize{8, 4, 16, 2, 2}, Seed{1});
  const ImageView still = center_view(8);
  const ImageView random = simclr_augmentation(8).first;
  long last = 0;
  const auto views = extract_features(encoder, GrayLevels{}, 40, {still, random, random},
                                      {.seed = 5, .batch = 7, .done = [&](long done) {
                                         CHECK(done > last);
                                         last = done;
                                       }});
  CHECK(last == 40);
  REQUIRE(views.size() == 3);
  const auto plain = extract_features(encoder, GrayLevels{}, 40, {.batch = 7});
  for (std::size_t layer = 0; layer < 2; ++layer) {
    CHECK(views[0][layer].rows == plain[layer].rows);
    CHECK(views[2][layer].labels == plain[layer].labels);
    CHECK(views[1][layer].rows != views[2][layer].rows);
  }
  const auto again = extract_features(encoder, GrayLevels{}, 40, {still, random}, {.seed = 5, .batch = 40}),
             other = extract_features(encoder, GrayLevels{}, 40, {still, random}, {.seed = 6, .batch = 40});
  double same = 0, changed = 0;
  for (std::size_t i = 0; i < again[1][1].rows.size(); ++i) {
    same += std::abs(again[1][1].rows[i] - views[1][1].rows[i]);
    changed += std::abs(other[1][1].rows[i] - views[1][1].rows[i]);
  }
  CHECK(same < 0.01 * changed);
}

TEST_CASE("even an untrained network tells dark images from bright ones") {
  const ViT<Cpu, float> encoder(ViTSize{8, 4, 16, 2, 2}, Seed{1});
  for (const double accuracy : knn_accuracy(encoder, GrayLevels{}, 40, GrayLevels{}, 40, {3})) CHECK(accuracy > 0.85);
}

TEST_CASE("k-NN writes nowhere, whatever it is given, and says what is wrong") {
  const float nan = std::nanf(""), large = 3e38f;
  const Features good{{1, 0, 0, 1}, 2, {0, 1}, 2}, bad{{1, 0, nan, 1}, 2, {0, 1}, 2};
  const auto refuses = [](const char* message, auto&& call) {
    CAPTURE(message);
    CHECK_THROWS_WITH_AS(call(), doctest::Contains(message), Error);
  };
  refuses("number 0 of the features of image 1 is nan", [&] { (void)nearest_neighbours(bad, good, 1); });
  refuses("number 0 of the features of image 1 is nan", [&] { (void)nearest_neighbours(good, bad, 1); });
  const Features huge{{large, large}, 2, {0}, 2};
  refuses("too large to be multiplied", [&] { (void)nearest_neighbours(huge, huge, 1); });
  refuses("k is 3, but there are 2", [&] { (void)nearest_neighbours(good, good, 3); });
  refuses("k is 0", [&] { (void)nearest_neighbours(good, good, 0); });
  refuses("k is 2, but there are 1", [&] { (void)nearest_neighbours(good, good, 2, true); });
  refuses("training features: there are no features", [&] { (void)nearest_neighbours({{}, 2, {}, 2}, good, 1); });
  refuses("there are no features", [&] { (void)nearest_neighbours({}, {}, 1); });
  refuses("to classify: there are no features", [&] { (void)nearest_neighbours(good, {{}, 2, {}, 2}, 1); });
  refuses("3 numbers are no rows of width 2", [&] { (void)nearest_neighbours({{1, 2, 3}, 2, {}, 2}, good, 1); });

  const Neighbours near = nearest_neighbours(good, good, 1);
  refuses("label 2 is not one of 0 to 1", [&] { (void)voted_classes(near, {0, 2}, 2, 1, 0.07, 1); });
  refuses("label -1 is not one of 0 to 1", [&] { (void)voted_classes(near, {-1, 0}, 2, 1, 0.07, 1); });
  refuses("training image 1, and there are labels of 1", [&] { (void)voted_classes(near, {0}, 2, 1, 0.07, 1); });
  refuses("a neighbour is training image -1", [&] { (void)voted_classes({1, {1}, {-1}}, {0, 1}, 2, 1, 0.07, 1); });
  refuses("2 of 1 neighbours", [&] { (void)voted_classes(near, {0, 1}, 2, 2, 0.07, 1); });
  refuses("asked for 3 of 2 classes", [&] { (void)voted_classes(near, {0, 1}, 2, 1, 0.07, 3); });
  refuses("temperature", [&] { (void)voted_classes(near, {0, 1}, 2, 1, 0, 1); });
  refuses("0 guesses for 0 images", [&] { (void)top_accuracy({}, {}, 1); });
  refuses("the first 2 of 1 guesses", [&] { (void)top_accuracy({0, 1}, {0, 1}, 2); });
  refuses("1 labels of 2 images", [&] { (void)knn_accuracy(good, {good.rows, 2, {0}, 2}, {.k = 1}); });
}

TEST_CASE("features that are not finite are named by their layer where they come out of the network") {
  ViT<Cpu, float> encoder({8, 4, 8, 2, 2});
  encoder.blocks[1].mlp.fc2.bias.value.data()[0] = std::nanf("");
  CHECK_THROWS_WITH_AS((void)extract_features(encoder, Dataset(GrayLevels{}), 4),
                       doctest::Contains("layer 2: number 0 of the features of image "), Error);
}

TEST_CASE("images that cannot be read have no features, and fewer images are spread over all") {
  struct Gaps : GrayLevels {
    Image image(long i) const {
      if (i % 10 == 3) fail("damaged");
      return GrayLevels::image(i);
    }
  };
  const ViT<Cpu, float> encoder(ViTSize{8, 4, 16, 2, 2}, Seed{1});
  const auto found = extract_features(encoder, Gaps{}, 40, {.batch = 7}),
             whole = extract_features(encoder, GrayLevels{}, 40, {.batch = 7});
  REQUIRE(found[1].images() == 36);
  const testing::TemporaryFolder temporary;
  const auto stored = extract_features(encoder, Gaps{}, 40, {.batch = 7, .storage = {temporary.path}});
  std::vector<long> rows(36);
  std::iota(rows.begin(), rows.end(), 0);
  REQUIRE(stored[1].images() == 36);
  CHECK(select_rows(stored[1], rows).rows == found[1].rows);
  REQUIRE(found[1].labels.size() == 36);
  for (std::size_t row = 0; row < 36; ++row) {
    const auto place = static_cast<std::size_t>(found[1].places[row]);
    CHECK(place % 10 != 3);
    CHECK(found[1].labels[row] == whole[1].labels[place]);
    for (std::size_t j = 0; j < 16; ++j)
      CHECK(std::abs(found[1].rows[row * 16 + j] - whole[1].rows[place * 16 + j]) < 1e-5f);
  }
  const auto few = extract_features(encoder, GrayLevels{}, 10, {.batch = 7});
  CHECK(std::count(few[0].labels.begin(), few[0].labels.end(), 0) == 5);
  struct Nothing : GrayLevels {
    Image image(long) const { fail("damaged"); }
  };
  CHECK_THROWS_WITH_AS(static_cast<void>(extract_features(encoder, Nothing{}, 40)),
                       doctest::Contains("none of the 40 images"), Error);
}

TEST_CASE("features in a file are those in memory, and the classifiers find the same with them") {
  const ViT<Cpu, float> encoder(ViTSize{8, 4, 16, 3, 2}, Seed{1});
  const testing::TemporaryFolder temporary;
  const auto memory = extract_features(encoder, GrayLevels{}, 40, {.batch = 7});
  const auto file = extract_features(encoder, GrayLevels{}, 40, {.batch = 7, .storage = {temporary.path}});
  CHECK(std::filesystem::is_empty(temporary.path));  // it has no name
  std::vector<long> all(40);
  std::iota(all.begin(), all.end(), 0);
  REQUIRE(file.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(file[i].rows.empty());
    CHECK(file[i].images() == 40);
    CHECK(select_rows(file[i], all).rows == memory[i].rows);
    CHECK(file[i].labels == memory[i].labels);
    CHECK(file[i].places == memory[i].places);
    const Neighbours found = nearest_neighbours(file[i], file[i], 5, true),
                     same = nearest_neighbours(memory[i], memory[i], 5, true);
    CHECK(found.place == same.place);
    CHECK(found.similarity == same.similarity);
    CHECK(logistic_regression(file[i]).weight == logistic_regression(memory[i]).weight);
  }
  const ProbeOptions quick{.rates = {0.1, 1}, .epochs = 3, .batch = 16};
  CHECK(sgd_probes(file, file, quick)[2].rates[1].test.first ==
        sgd_probes(memory, memory, quick)[2].rates[1].test.first);
  CHECK_THROWS_WITH_AS(check_features(file[0], "t-SNE"),
                       doctest::Contains("t-SNE: the features lie in a file; select_rows brings them into memory"),
                       Error);

  for (const ScalarType type : {ScalarType::f16, ScalarType::bf16}) {
    const auto rounded = extract_features(encoder, GrayLevels{}, 40, {.storage = {temporary.path, type}});
    const auto rows = select_rows(rounded[2], all).rows;
    double most = 0;
    for (std::size_t i = 0; i < rows.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(rows[i] - memory[2].rows[i])));
    CHECK(most > 0);
    CHECK(most < (type == ScalarType::f16 ? 0.0003 : 0.0025));  // half of the last bit of a number up to 1
    const Neighbours found = nearest_neighbours(rounded[2], rounded[2], 5),
                     same = nearest_neighbours(memory[2], memory[2], 5);
    for (std::size_t i = 0; i < same.similarity.size(); ++i)
      CHECK(found.similarity[i] == doctest::Approx(same.similarity[i]).epsilon(0.01));
  }
  CHECK_THROWS_WITH_AS(
      (void)extract_features(encoder, GrayLevels{}, 40, {.storage = {temporary.path, ScalarType::f64}}),
      doctest::Contains("FeatureStorage::type is F64; expected F32, F16 or BF16"), Error);
  const std::filesystem::path nowhere = temporary.path / "nowhere";
  CHECK_THROWS_WITH_AS((void)extract_features(encoder, GrayLevels{}, 40, {.storage = {nowhere}}),
                       doctest::Contains((nowhere.native() + ": cannot make a temporary file there").c_str()), Error);
}

#if !defined(VITRAL_ASAN)  // which holds back memory that was released
TEST_CASE("features in a file take no memory of their own") {
  struct Many : GrayLevels {
    long size() const { return 4000; }
    Image image(long i) const { return GrayLevels::image(i % 40); }
    int label(long i) const { return GrayLevels::label(i % 40); }
  };
  const auto private_bytes = [] {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word)
      if (word == "RssAnon:") break;
    long kilobytes = 0;
    status >> kilobytes;
    return 1024 * kilobytes;
  };
  const auto growth = [&](const FeatureStorage& storage) {
    long first = 0, last = 0;
    (void)extract_features(Wide{}, Many{}, 4000,
                           {.done = [&](long) { (first ? last : first) = private_bytes(); }, .storage = storage});
    return last - first;
  };
  const testing::TemporaryFolder temporary;
  REQUIRE(private_bytes() > 0);
  constexpr long all = 4000l * 16 * 128 * 4;  // 33 MB
  CHECK(growth({temporary.path}) < all / 4);
  CHECK(growth({}) > all / 2);
}
#endif
