#include <vitral/eval/analyses/attention_maps.hpp>
#include <vitral/io/checkpoint.hpp>

#include <doctest/doctest.h>

using namespace vitral;

namespace {

const SafetensorsFile& file() {
  static const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/attention.safetensors");
  return file;
}

/// The weights that PyTorch's network and images lead to (tests/fixtures/make_attention.py).
std::vector<AttentionWeights> computed() {
  ViT<Cpu, float> encoder({12, 4, 16, 3, 2});
  load_module(file(), encoder, "network");
  return attention_weights(encoder,
                           Tensor<float, Shape<dyn, 3, dyn, dyn>>::from(file().values<float>("images"), {5, 12, 12}));
}

template <class T>
double largest_difference(const std::vector<T>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) largest = std::max(largest, std::abs(found[i] - expected[i]));
  return largest;
}

/// Every query gives all of its weight to the key that `seen` names, one head, a grid of three by three patches.
AttentionWeights one_key_each(const std::vector<int>& seen) {
  AttentionWeights weights{1, 1, 10, std::vector<float>(100)};
  for (std::size_t query = 0; query < 10; ++query) weights.rows[10 * query + static_cast<std::size_t>(seen[query])] = 1;
  return weights;
}

}  // namespace

TEST_CASE("attention's weights, distances and the class token's part are PyTorch's in every block") {
  const auto layers = computed();
  REQUIRE(layers.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string layer = "layer" + std::to_string(i + 1);
    CAPTURE(layer);
    CHECK(largest_difference(layers[i].rows, file().values<double>(layer + "/weights")) < 2e-5);
    CHECK(largest_difference(mean_attention_distance(layers[i], 4), file().values<double>(layer + "/distance")) < 2e-4);
    std::vector<float> seen;
    for (int image = 0; image < 5; ++image)
      for (const float weight : class_attention(layers[i], image)) seen.push_back(weight);
    CHECK(largest_difference(seen, file().values<double>(layer + "/class")) < 2e-5);
  }
}

TEST_CASE("the weights explain what a block's attention gives back") {
  const ViT<Cpu, float> encoder(ViTSize{8, 4, 16, 1, 2}, Seed{1});
  Tensor<float, Shape<dyn, 3, dyn, dyn>> images({4, 8, 8});
  for (long i = 0; i < images.size(); ++i)
    images.data()[i] = static_cast<float>(Random{2, 0, 0}.normal(static_cast<std::uint64_t>(i)));
  const auto qkv = encoder.blocks[0].attn.qkv(encoder.blocks[0].norm1(encoder.tokens(images)));
  const AttentionWeights weights = attention_weights(qkv.data(), 4, 2, 5, 16);
  const auto fused = attention(qkv, 2);
  for (int image = 0; image < 4; ++image)
    for (int query = 0; query < 5; ++query)
      for (int channel = 0; channel < 16; ++channel) {
        double mixed = 0;
        for (int key = 0; key < 5; ++key)
          mixed += weights.row(image, channel / 8, query)[key] * qkv(image, key, 32 + channel);
        CHECK(fused(image, query, channel) == doctest::Approx(mixed).epsilon(1e-4));
      }
}

TEST_CASE("a head that looks at its own patch reaches 0 pixels, one that looks a row up or down a patch's side") {
  CHECK(mean_attention_distance(one_key_each({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), 4)[0] == 0);
  CHECK(mean_attention_distance(one_key_each({0, 4, 5, 6, 7, 8, 9, 4, 5, 6}), 4)[0] == doctest::Approx(4));
}

TEST_CASE("what patches give to the class token does not shorten the distance") {
  AttentionWeights weights = one_key_each({0, 4, 5, 6, 7, 8, 9, 4, 5, 6});
  for (std::size_t query = 1; query < 10; ++query)
    for (std::size_t key = 0; key < 10; ++key)
      weights.rows[10 * query + key] = (key == 0 ? 0.75f : 0.0f) + 0.25f * weights.rows[10 * query + key];
  CHECK(mean_attention_distance(weights, 4)[0] == doctest::Approx(4));
}

TEST_CASE("attention's weights do not depend on the number of threads") {
  const int before = cpu::threads();
  cpu::set_threads(1);
  const auto one = computed();
  cpu::set_threads(3);
  const auto three = computed();
  cpu::set_threads(before);
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(one[i].rows == three[i].rows);
}

TEST_CASE("attention weights that are too few are refused") {
  CHECK_THROWS_AS((void)mean_attention_distance({0, 1, 5, {}}, 4), Error);
  CHECK_THROWS_AS((void)mean_attention_distance({1, 1, 5, {1, 2}}, 4), Error);
  CHECK_THROWS_AS((void)class_attention({1, 1, 1, {1}}, 1), Error);
  CHECK_THROWS_AS((void)attention_weights(nullptr, 1, 3, 5, 8), Error);
}
