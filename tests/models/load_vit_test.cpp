// A network and its file: save_vit, load_vit, and first_layers, which such a file often holds; and networks that
// compute as those of others do.
#include "../random_tensor.hpp"
#include "../temporary.hpp"
#include "sources.hpp"

#include <vitral/models/first_layers.hpp>
#include <vitral/models/load_vit.hpp>
#include <vitral/models/patch_size.hpp>

#include <doctest/doctest.h>

using namespace vitral_tests;

namespace {

using Net = ViT<Cpu, float>;

constexpr ViTSize small{8, 4, 16, 2, 2};

/// The description of `small`, changed.
Metadata described(const std::string& key, const std::string& value) {
  Metadata out = describe(small);
  out["vitral." + key] = value;
  return out;
}

/// A folder for files, and what is done with them.
struct Files {
  testing::TemporaryFolder folder;

  std::filesystem::path saved(const Net& net, const Metadata& metadata, const std::string& prefix = "") const {
    StateDict state;
    state.add_module(net, prefix);
    state.write(folder.path / "net", metadata);
    return folder.path / "net";
  }
  void refused(const Net& net, const Metadata& metadata, const char* message) const {
    CAPTURE(message);
    CHECK_THROWS_WITH_AS((void)(load_vit<Cpu, float>(saved(net, metadata))), doctest::Contains(message), Error);
  }
};

void same(const Net& a, const Net& b) {
  std::vector<std::pair<std::string, std::vector<float>>> all;
  for_each_tensor(a, [&](const std::string& name, const auto& p) { all.push_back({name, p.value.to_vector()}); });
  std::size_t i = 0;
  for_each_tensor(b, [&](const std::string& name, const auto& p) {
    REQUIRE(i < all.size());
    CHECK(all[i++] == std::pair(name, p.value.to_vector()));
  });
  CHECK(i == all.size());
}

}  // namespace

TEST_CASE("networks of other sources have the features and gradients that PyTorch finds, at any resolution") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/sources.safetensors");
  const ViTOptions timm{.positions = PositionKind::timm},
      dinov2{.positions = PositionKind::dino, .layer_scale = 1, .pooling = Pooling::both},
      deit{.distillation_token = true, .positions = PositionKind::deit};
  const auto with = [](ViTOptions options, auto&& change) {
    change(options);
    return options;
  };
  const Source sources[] = {
      quick_gelu,
      registers,
      {"timm", "class", timm},
      {"timm", "average", with(timm, [](auto& o) { o.pooling = Pooling::average; })},
      {"timm_tanh", "class", with(timm, [](auto& o) { o.gelu = GeluForm::tanh; })},
      {"deit", "class", deit},
      {"deit", "distillation", with(deit, [](auto& o) { o.distilled_layers = true; })},
      {"dino", "class", {.positions = PositionKind::dino}},
      {"dinov2", "both", dinov2, 14, 2, 3, {1, 3}},
      {"dinov2", "class", with(dinov2, [](auto& o) { o.pooling = Pooling::class_token; }), 14, 2, 3, {1, 3}},
      {"mae", "class", {.positions = PositionKind::deit}},
      {"mae",
       "average",
       {.positions = PositionKind::deit, .pooling = Pooling::average, .final_norm = FinalNorm::pooled}},
      {"moco_v3", "class", {}, 4, 4, 12},
  };
  for (const Source& source : sources)
    for (const int grid : {source.grid, source.others[0], source.others[1]}) {
      CAPTURE(source.name);
      CAPTURE(source.features);
      CAPTURE(grid);
      CHECK(distance_of_features<Cpu>(source, file, grid) < 1e-5);
    }
  CHECK(distance_of_gradients<Cpu>(quick_gelu, file) < 1e-4);
  CHECK(distance_of_gradients<Cpu>(registers, file) < 1e-4);
}

TEST_CASE("patches of another size are resampled as timm does it, and all else is shared") {
  const SafetensorsFile file(VITRAL_TESTS_DIR "/fixtures/sources.safetensors");
  auto weights = file.values<double>("[24, 3, 4, 4]/patch_embed.proj.weight");
  weights.resize(2 * 3 * 4 * 4);
  for (const int patch : {3, 6, 8}) {
    CAPTURE(patch);
    CHECK(distance(resampled_patches(weights, 4, patch), file.values<double>(join("patches/", patch))) < 1e-9);
  }
  const Net net(small, Seed{3}, {.positions = PositionKind::timm});
  const Net coarse = at_patch_size(net, 8, 32);
  CHECK(coarse.pos_embed.value.to_vector() == at_resolution(net, 16).pos_embed.value.to_vector());
  CHECK(coarse.blocks[0].attn.qkv.weight.value.data() == net.blocks[0].attn.qkv.weight.value.data());
  CHECK(to_string(coarse.tokens(normal<float>(Dyn<4>{2, 3, 32, 32}, 1)).shape()) == "[2, 17, 16]");
  CHECK_THROWS_WITH_AS((void)(at_patch_size(net, 5, 32)), doctest::Contains("at_patch_size: an image size of 32"),
                       Error);
}

TEST_CASE_FIXTURE(Files, "a network that was saved is loaded bit by bit, with its size and the options of now") {
  const Net net(small, Seed{3});
  const auto path = folder.path / "net";
  save_vit(path, net, {{"note", "kept"}, {"vitral.depth", "7"}});
  const Net back = load_vit<Cpu, float>(path, {.drop_path = 0.5, .recompute = Recompute::block});
  same(net, back);
  CHECK(back.size.heads == 2);
  CHECK(back.blocks[1].drop_path.p == 0.5);
  CHECK(back.blocks[1].recompute == Recompute::block);
  const SafetensorsFile file(path);
  CHECK(file.metadata() == Metadata{{"note", "kept"},
                                    {"vitral.model", "vit"},
                                    {"vitral.image", "8"},
                                    {"vitral.patch", "4"},
                                    {"vitral.width", "16"},
                                    {"vitral.depth", "2"},
                                    {"vitral.heads", "2"}});
  const auto images = normal<float>(Dyn<4>{2, 3, 8, 8}, 1);
  CHECK(load_vit<Cpu, float>(file)(images).to_vector() == net(images).to_vector());

  const Net two_tokens(small, Seed{4}, {.distillation_token = true});
  save_vit(path, two_tokens);
  same(two_tokens, load_vit<Cpu, float>(path));
}

TEST_CASE_FIXTURE(Files, "a file says what its network computes, where that is not as usual") {
  const Net net(small, Seed{4},
                {.positions = PositionKind::timm,
                 .register_tokens = 3,
                 .layer_scale = 0.5,
                 .pooling = Pooling::both,
                 .final_norm = FinalNorm::none,
                 .gelu = GeluForm::quick});
  const auto path = folder.path / "net";
  save_vit(path, net);
  const Net back = load_vit<Cpu, float>(path);
  same(net, back);
  CHECK(describe(back) == describe(net));
  CHECK(describe(net).at("vitral.positions") == "timm");
  CHECK(back.pos_embed.trainable);
  CHECK(back.width() == 32);
  const auto images = normal<float>(Dyn<4>{2, 3, 8, 8}, 1);
  CHECK(back(images).to_vector() == net(images).to_vector());

  const Net usual(small, Seed{4});
  refused(usual, described("gelu", "quik"), "unknown vitral.gelu in the metadata of ");
  refused(usual, described("pooling", "all"), "\"all\" (did you mean both? known: class-token, average, both)");
  StateDict state;
  state.add_module(usual);
  state.add("reg_token", Tensor<float, Shape<dyn, dyn>>({2, 16}));
  state.write(path, describe(usual));
  CHECK_THROWS_WITH_AS((void)(load_vit<Cpu, float>(path)), doctest::Contains("reg_token has shape [2, 16]"), Error);
}

TEST_CASE_FIXTURE(Files, "tensors stand under a prefix of the library, and the student goes first") {
  const Net student(small, Seed{3}), teacher(small, Seed{4});
  for (const char* prefix : {"", "encoder", "student.encoder"})
    same(student, load_vit<Cpu, float>(saved(student, describe(student), prefix)));
  StateDict state;
  state.add_module(teacher, "teacher.encoder");
  state.add_module(teacher, "encoder");
  state.add_module(student, "student.encoder");
  state.write(folder.path / "both", describe(student));
  same(student, load_vit<Cpu, float>(folder.path / "both"));
  same(teacher, load_vit<Cpu, float>(folder.path / "both", {}, NetworkBranch::teacher));
  CHECK_THROWS_WITH_AS(
      (void)(load_vit<Cpu, float>(saved(student, describe(student), "encoder"), {}, NetworkBranch::teacher)),
      doctest::Contains("holds no teacher: it has no tensor teacher.encoder.cls_token; take the student"), Error);
  CHECK_THROWS_WITH_AS((void)(load_vit<Cpu, float>(saved(student, describe(student), "other"))),
                       doctest::Contains("holds no ViT: it has no tensor cls_token, encoder.cls_token or "), Error);
}

TEST_CASE_FIXTURE(Files, "a file from before the library's keys says its size in the options of its run") {
  const Net net(small, Seed{3});
  const auto with = [](const char* options) { return Metadata{{"options", options}, {"step", "10"}}; };
  same(net, load_vit<Cpu, float>(
                saved(net, with(R"({"method":"byol","width":16,"depth":2,"heads":2,"patch":4,"image":8,"lr":0.1})"),
                      "student.encoder")));
  refused(net, {}, "does not say how many attention heads its network has");
  refused(net, with("{"), "\"options\" is no valid JSON");
  refused(net, with("[1]"), "\"options\" is no JSON object");
  refused(net, with(R"({"width":16,"depth":2,"heads":2,"image":8})"), "\"options\" names no patch");
  refused(net, with(R"({"width":"16","depth":2,"heads":2,"patch":4,"image":8})"),
          "\"options\": width must be a whole number from 1 to 2147483647, not \"16\"");
  refused(net, with(R"({"width":16,"depth":4294967298,"heads":2,"patch":4,"image":8})"), "not 4294967298");
}

TEST_CASE_FIXTURE(Files,
                  "a description that cannot be, or not of these tensors, is an error before memory is asked for") {
  const Net net(small, Seed{3});
  refused(net, described("model", "resnet"), "a network of the kind resnet");
  refused(net, described("heads", "3"), "a width of 16 cannot be divided among 3 heads");
  refused(net, described("image", "9"), "an image size of 9 is not a multiple of the patch size 4");
  refused(net, described("image", "2147483644"),
          "pos_embed has shape [1, 5, 16], but the network of its metadata "
          "(image 2147483644, patch 4, width 16, depth 2, heads 2) needs "
          "[1, 288230375077969922, 16]");
  refused(net, described("patch", "2"), "pos_embed has shape [1, 5, 16]");
  refused(net, described("width", "32"), "cls_token has shape [1, 1, 16], but the network of its metadata (");
  refused(net, described("depth", "1"), "says depth 1, but its tensors are of a network with more blocks");
  refused(net, described("depth", "2147483647"), "it has no tensor blocks.2.attn.qkv.weight");
  for (const char* text : {"0", "-2", "2.0", " 2", "2 ", "", "two", "99999999999"})
    refused(net, described("depth", text), "\"vitral.depth\" in its metadata must be a whole number from 1");
  Metadata missing = describe(small);
  missing.erase("vitral.heads");
  refused(net, missing, "its metadata has no \"vitral.heads\"");
}

TEST_CASE_FIXTURE(Files, "a tensor that is missing, of another shape or not finite is named") {
  const Net net(small, Seed{3});
  const SafetensorsFile whole(saved(net, describe(net)));
  const auto changed = [&](const std::string& name, auto change) {
    std::vector<NamedTensor> tensors;
    for (const std::string& each : whole.names()) {
      tensors.push_back({each, whole.tensor(each)});
      if (each == name) change(tensors.back());
    }
    write_safetensors(folder.path / "changed", tensors, whole.metadata());
    return folder.path / "changed";
  };
  const auto refuses = [&](const std::filesystem::path& path, const char* message) {
    CHECK_THROWS_WITH_AS((void)(load_vit<Cpu, float>(path)), doctest::Contains(message), Error);
  };
  refuses(changed("blocks.1.norm2.bias", [](NamedTensor& t) { t.name = "blocks.1.norm2.bais"; }),
          "has no tensor blocks.1.norm2.bias; the nearest names are blocks.0.norm2.bias");
  refuses(changed("blocks.1.mlp.fc1.weight",
                  [](NamedTensor& t) {
                    t.tensor.shape = {16, 64};
                  }),
          "blocks.1.mlp.fc1.weight has shape [16, 64], but the network needs [64, 16]");
  std::vector<float> numbers(16);
  numbers[5] = std::numeric_limits<float>::infinity();
  refuses(changed("norm.bias", [&](NamedTensor& t) { t.tensor.bytes = std::as_bytes(std::span(numbers)); }),
          "number 5 of tensor norm.bias is inf");
}

TEST_CASE_FIXTURE(Files, "the first layers are a network of their own, whose features are the whole's at that layer") {
  const Net net(ViTSize{8, 4, 16, 3, 2}, Seed{3});
  const auto images = normal<float>(Dyn<4>{2, 3, 8, 8}, 1);
  const Net two = first_layers(net, 2);
  CHECK(two.depth() == 2);
  CHECK(net.depth() == 3);
  CHECK(distance(doubles(two(images)), doubles(net.layers(images)[1])) < 1e-5);
  CHECK(two.norm.weight.value.data() == net.norm.weight.value.data());
  save_vit(folder.path / "two", two);
  CHECK(vit_size(SafetensorsFile(folder.path / "two")).depth == 2);
  CHECK_THROWS_WITH_AS((void)(first_layers(net, 4)), doctest::Contains("first_layers: 4 is not one of 1 to 3"), Error);
  CHECK_THROWS_WITH_AS((void)(first_layers(net, 0)), doctest::Contains("first_layers: 0"), Error);
}

TEST_CASE_FIXTURE(Files, "a network whose lower layers give their distillation token stays one, in its file and cut") {
  const Net net(ViTSize{8, 4, 16, 3, 2}, Seed{3}, {.distillation_token = true, .distilled_layers = true});
  assign(net.cls_token.value, normal<float>(net.cls_token.shape(), 7));
  assign(net.pos_embed.value, normal<float>(net.pos_embed.shape(), 8));
  const auto images = normal<float>(Dyn<4>{2, 3, 8, 8}, 1);
  const auto layers = net.layers(images);
  save_vit(folder.path / "net", net);
  CHECK(load_vit<Cpu, float>(folder.path / "net").layers(images)[0].to_vector() == layers[0].to_vector());
  const Net two = first_layers(net, 2);
  CHECK(distance(doubles(two(images)), doubles(layers[1])) < 1e-5);
  save_vit(folder.path / "two", two);
  CHECK(distance(doubles(load_vit<Cpu, float>(folder.path / "two").layers(images)[0]), doubles(layers[0])) < 1e-5);
  CHECK(first_layers(net, 3)(images).to_vector() == layers[2].to_vector());
  Metadata other = describe(net);
  other["vitral.lower_token"] = "patches";
  CHECK_THROWS_WITH_AS((void)(load_vit<Cpu, float>(saved(net, other, "encoder"))),
                       doctest::Contains("\"vitral.lower_token\" in its metadata is patches; expected distillation"),
                       Error);
}
