// Files of weights as their sources write them (tests/fixtures/make_weights.py): whose they are, under which names and
// with which metadata they come in, and that the networks have the features that PyTorch finds.
#include "../message_of.hpp"
#include "../temporary.hpp"
#include "sources.hpp"

#include <vitral/backend/cpu/cpu.hpp>
#include <vitral/models/load_vit.hpp>

#include <doctest/doctest.h>

using namespace vitral;
using testing::has, testing::message_of;

namespace {

const std::filesystem::path weights = VITRAL_TESTS_DIR "/fixtures/weights";

/// A file whose tensors have these names and shapes, all zeros.
std::filesystem::path zeros(const std::filesystem::path& path,
                            const std::vector<std::pair<std::string, std::vector<long>>>& tensors) {
  const std::vector<float> numbers(1 << 20);
  std::vector<NamedTensor> all;
  for (const auto& [name, shape] : tensors)
    all.push_back(
        named_tensor(name, shape, std::span(numbers).first(static_cast<std::size_t>(*element_count(shape, 4)))));
  write_safetensors(path, all);
  return path;
}
/// What is looked at of a network of this width, in patches of 4 of images of 8.
std::vector<std::pair<std::string, std::vector<long>>> network(long width, const std::string& prefix = "",
                                                               long rows = 5) {
  return {{prefix + "cls_token", {1, 1, width}},
          {prefix + "pos_embed", {1, rows, width}},
          {prefix + "patch_embed.proj.weight", {width, 3, 4, 4}},
          {prefix + "blocks.0.attn.qkv.weight", {3 * width, width}}};
}

}  // namespace

#if defined(VITRAL_HAS_LIBZIP)
TEST_CASE("the files of every source have the features that PyTorch finds, at any resolution") {
  const SafetensorsFile expected(VITRAL_TESTS_DIR "/fixtures/sources.safetensors");
  const struct {
    const char *file, *source, *network, *features;
    int heads, patch;
    std::vector<int> grids;
    NetworkBranch branch = NetworkBranch::student;
  } files[] = {
      {"timm.pth", "timm", "timm", "class", 3, 4, {4, 3, 6}},
      {"deit.pth", "DeiT", "dino", "class", 3, 4, {4}},
      {"deit_distilled.pth", "DeiT", "deit", "class", 3, 4, {4, 3, 6}},
      {"dino.pth", "DINO", "dino", "class", 3, 4, {4, 3, 6}},
      {"dino_full.pth", "DINO", "dino", "class", 3, 4, {4, 3, 6}, NetworkBranch::teacher},
      {"dinov2.pth", "DINOv2", "dinov2", "class", 3, 14, {2, 1, 3}},
      {"dinov2_registers.pth", "DINOv2 with registers", "dinov2_registers", "class", 3, 14, {2, 1, 3}},
      {"mae.pth", "MAE", "mae", "class", 3, 4, {4, 3, 6}},
      {"mae_decoder.pth", "MAE", "mae", "class", 3, 4, {4, 3, 6}},
      {"mae_finetuned.pth", "MAE", "mae", "average", 3, 4, {4, 3, 6}},
      {"moco_v3.pth", "MoCo v3", "moco_v3", "class", 12, 4, {4, 3, 6}},
      {"sdssl.ckpt", "SDSSL's code", "moco_v3", "class", 12, 4, {4, 3, 6}, NetworkBranch::teacher},
  };
  for (const auto& f : files) {
    CAPTURE(f.file);
    const NetworkFile file(weights / f.file, f.heads);
    CHECK_MESSAGE(has(file.found(), f.source), file.found());
    const auto encoder = load_vit<Cpu, float>(file, {}, f.branch);
    for (const int grid : f.grids) {
      const int side = grid * f.patch;
      std::vector<float> found;
      for (const auto& layer : at_resolution(encoder, side).layers(vitral_tests::images_of<Cpu>(side)))
        for (const float x : layer.to_vector()) found.push_back(x);
      CAPTURE(grid);
      CHECK(vitral_tests::largest_difference(
                found, expected.values<double>(join(f.network, "/", side, "/", f.features))) < 1e-5);
    }
  }
}

TEST_CASE("a line says whose weights they are, what was assumed and what was left out") {
  CHECK(
      NetworkFile(weights / "dino_full.pth", 3).found() ==
      join((weights / "dino_full.pth").string(),
           ": weights as DINO writes them: width 24, depth 2, patches of 4 and images of 16 pixels, 3 heads (as told), "
           "student and teacher; left out: head.mlp, module.head"));
  CHECK(has(NetworkFile(weights / "mae_decoder.pth", 3).found(), "left out: decoder_embed, mask_token"));
  CHECK(has(NetworkFile(weights / "timm.pth", 3).found(), "left out: head (2 tensors)"));
  CHECK(message_of([] { NetworkFile(weights / "moco_v3.pth"); }) ==
        join("vitral: ", (weights / "moco_v3.pth").string(),
             " does not say how many attention heads its network has, and no network of MoCo v3 of width 24 is known ",
             "here; say it (heads)"));
  const NetworkFile moco(weights / "moco_v3.pth", 12);
  CHECK(moco.tensor("student.encoder.cls_token").bytes.size() == 48);
  CHECK(moco.contains("teacher.encoder.blocks.1.mlp.fc2.bias"));
}
#endif

TEST_CASE("heads follow from the source and the width") {
  const testing::TemporaryFolder folder;
  const auto heads = [&](long width, const char* prefix) {
    return NetworkFile(zeros(folder.path / "zeros", network(width, prefix))).metadata("vitral.heads");
  };
  CHECK(heads(192, "") == "3");
  CHECK(heads(384, "backbone.") == "6");
  CHECK(heads(384, "module.base_encoder.") == "12");
  CHECK(heads(192, "student.net.") == "6");
  CHECK(NetworkFile(zeros(folder.path / "zeros", network(384)), 8).metadata("vitral.heads") == "8");
}

TEST_CASE("names of other sources become ViT's") {
  using detail::vit_name;
  CHECK(vit_name("blocks.0.11.norm1.weight") == "blocks.11.norm1.weight");  // DINOv2's chunks
  CHECK(vit_name("blocks.11.norm1.weight") == "blocks.11.norm1.weight");
  CHECK(vit_name("blocks.3.gamma_2") == "blocks.3.ls2.gamma");  // DeiT III
  CHECK(vit_name("register_tokens") == "reg_token");
  const testing::TemporaryFolder folder;
  // timm's no_embed_class: zeros are put before the patches' positions.
  const NetworkFile patches_alone(zeros(folder.path / "zeros", network(8, "", 4)), 2);
  CHECK(patches_alone.tensor("pos_embed").shape == std::vector<long>{1, 5, 8});
  CHECK(patches_alone.values<float>("pos_embed") == std::vector<float>(40));
}

TEST_CASE("whatever a safetensors file begins with, it is one") {
  const testing::TemporaryFolder folder;
  bool as_a_pickle = false;
  for (std::size_t n = 0; n < 256; n += 8) {  // headers of all lengths, so all first bytes that a count can have
    const std::vector<float> numbers(4);
    const auto path = folder.path / "weights";
    write_safetensors(path, std::vector{named_tensor("fc.weight", {2, 2}, std::span(numbers))},
                      {{"note", std::string(n, ' ')}});
    as_a_pickle = as_a_pickle || std::ifstream(path, std::ios::binary).get() == 0x80;
    CHECK(has(message_of([&] { NetworkFile{path}; }), "it has no tensor cls_token"));
  }
  CHECK(as_a_pickle);
}

TEST_CASE("files without a ViT, and networks of another kind, are refused by name") {
  const testing::TemporaryFolder folder;
  const auto message = [&](auto tensors, const std::vector<std::pair<std::string, std::vector<long>>>& more) {
    tensors.insert(tensors.end(), more.begin(), more.end());
    return message_of([&] { NetworkFile(zeros(folder.path / "zeros", tensors), 2); });
  };
  const decltype(network(8)) nothing;
  CHECK(has(message(nothing, {{"fc.weight", {2, 2}}}), "holds no ViT: it has no tensor cls_token"));
  CHECK(has(message(network(8), {{"blocks.0.mlp.w12.weight", {2, 2}}}),
            "tensor blocks.0.mlp.w12.weight belongs to a network of another kind"));
  CHECK(has(message(network(8), {{"patch_embed.backbone.conv.weight", {2, 2}}}), "of another kind"));
  CHECK(has(message(network(8), {{"register_tokens", {1, 4, 8}}, {"reg_token", {1, 4, 8}}}),
            "holds reg_token twice, under two names"));
  CHECK(has(
      message(nothing, {{"cls_token", {1, 1, 8}}, {"pos_embed", {1, 5, 4}}, {"patch_embed.proj.weight", {8, 3, 4, 4}}}),
      "pos_embed has shape [1, 5, 4], but a network of its cls_token needs [1, 5, 8]"));
  CHECK(has(message(network(8, "", 7), {}), "pos_embed has 7 positions, expected 1 and those of a square of patches"));
  CHECK(has(message(network(8, "one."), network(8, "two.")), "holds several networks"));
  CHECK(has(message(nothing, {{"cls_token", {8}}}), "tensor cls_token has 1 axes, expected 3"));
}
