// A ViT and its file: the file's metadata says what network its tensors are, so nothing else is needed to load it.
// Relies on nlohmann::json, by io/. docs/checkpoints.md lists the keys.
#pragma once

#include <vitral/io/checkpoint.hpp>
#include <vitral/io/json.hpp>
#include <vitral/io/nearest.hpp>
#include <vitral/models/network_file.hpp>

#if !defined(__CUDACC__)
#include <vitral/backend/cpu/cpu.hpp>
#endif

#include <charconv>
#include <limits>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The number that `text` stands for; Error, beginning with `where`, unless it is whole and 1 or more.
inline int vit_extent(const std::string& where, const std::string& text) {
  int number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  check(error == std::errc() && end == last && number >= 1, where, " must be a whole number from 1 to ",
        std::numeric_limits<int>::max(), ", not ", legible(text));
  return number;
}

/// The size that the file names, under the keys of describe or, in older files of `pretrain`, in the JSON object
/// "options".
inline ViTSize named_size(const TensorFile& file) {
  const Metadata& metadata = file.metadata();
  ViTSize size;
  if (const auto model = metadata.find("vitral.model"); model != metadata.end()) {
    check(model->second == "vit", file.path(), " holds a network of the kind ", legible(model->second),
          " (\"vitral.model\" in its metadata); load_vit reads the kind vit");
    for (const auto& [name, member] : vit_fields) {
      const std::string key = join("vitral.", name);
      size.*member = vit_extent(join(file.path(), ": \"", key, "\" in its metadata"), file.metadata(key));
    }
    return size;
  }
  const auto options = metadata.find("options");
  check(options != metadata.end(), file.path(),
        ": its metadata has no \"vitral.model\", so what network its tensors are is not known; expected a file of "
        "save_vit, or of Trainer::save with describe(encoder) in its metadata");
  const std::string where = file.path() + ": its metadata \"options\"";
  const auto json = parse_json(options->second, where);
  check(json.is_object(), where, " is no JSON object");
  for (const auto& [name, member] : vit_fields) {
    check(json.contains(name), where, " names no ", name);
    size.*member = vit_extent(join(where, ": ", name), json_text(json[name]));
  }
  return size;
}

/// What stands before the names of the encoder's tensors: methods of ssl/ keep theirs as "student.encoder", and
/// "teacher.encoder".
inline std::string vit_prefix(const TensorFile& file, NetworkBranch branch) {
  if (branch == NetworkBranch::teacher) {
    check(file.contains("teacher.encoder.cls_token"), file.path(),
          " holds no teacher: it has no tensor teacher.encoder.cls_token; take the student");
    return "teacher.encoder.";
  }
  for (const char* prefix : {"student.encoder.", "encoder.", ""})
    if (file.contains(prefix + std::string("cls_token"))) return prefix;
  fail(file.path(), " holds no ViT: it has no tensor cls_token, encoder.cls_token or student.encoder.cls_token");
}

/// How many register tokens the file's network has.
inline long register_tokens(const TensorFile& file, const std::string& prefix) {
  if (!file.contains(prefix + "reg_token")) return 0;
  const std::vector<long>& shape = file.tensor(prefix + "reg_token").shape;
  return shape.size() == 3 ? shape[1] : 1;
}

/// Holds the size against the file's tensors, so that a network is made only of what the file has.
inline void check_tensors(const TensorFile& file, const ViTSize& size, const std::string& prefix) {
  std::string whose = "the network of its metadata (";
  for (const auto& [name, member] : vit_fields)
    whose += join(member == &ViTSize::image ? "" : ", ", name, " ", size.*member);
  whose += ")";
  const auto expect = [&](const std::string& name, std::initializer_list<long> shape) {
    check_shape(file, prefix + name, std::span(shape.begin(), shape.size()), whose);
  };
  const long width = size.width, patch = size.patch, grid = size.image / size.patch;
  const long first = file.contains(prefix + "dist_token") ? 2 : 1;
  expect("cls_token", {1, 1, width});
  if (const long registers = register_tokens(file, prefix); registers > 0) expect("reg_token", {1, registers, width});
  expect("pos_embed", {1, first + grid * grid, width});
  expect("patch_embed.proj.weight", {width, 3, patch, patch});
  const auto weight = [](int block) { return join("blocks.", block, ".attn.qkv.weight"); };
  for (int block = 0; block < size.depth; ++block) {
    check(file.contains(prefix + weight(block)), file.path(), ": its metadata says depth ", size.depth,
          ", but it has no tensor ", prefix, weight(block));
    expect(weight(block), {3 * width, width});
  }
  check(!file.contains(prefix + weight(size.depth)), file.path(), ": its metadata says depth ", size.depth,
        ", but its tensors are of a network with more blocks");
}

}  // namespace detail

/// The size of the network in the file. Throws Error where the file does not say it, or has other tensors than it says.
[[nodiscard]] inline ViTSize vit_size(const TensorFile& file, NetworkBranch branch = NetworkBranch::student) {
  const ViTSize size = detail::named_size(file);
  check_size(size, file.path());
  detail::check_tensors(file, size, detail::vit_prefix(file, branch));
  return size;
}

/// What the network in the file computes: its tokens, LayerScale, positions, pooling, norm and GELU, and whether
/// layers() gives the distillation token. The rest of `options` stays. Throws Error for a word that it does not know.
[[nodiscard]] inline ViTOptions vit_options(const TensorFile& file, NetworkBranch branch = NetworkBranch::student,
                                            ViTOptions options = {}) {
  const std::string prefix = detail::vit_prefix(file, branch);
  options.distillation_token = file.contains(prefix + "dist_token");
  const auto token = file.metadata().find(detail::lower_token_key);
  options.distilled_layers = token != file.metadata().end();
  check(!options.distilled_layers || (token->second == "distillation" && options.distillation_token), file.path(),
        ": \"", detail::lower_token_key, "\" in its metadata is ",
        options.distilled_layers ? legible(token->second) : "", "; expected distillation, and a tensor ", prefix,
        "dist_token");
  options.register_tokens = static_cast<int>(detail::register_tokens(file, prefix));
  options.layer_scale = file.contains(prefix + "blocks.0.ls1.gamma") ? 1 : 0;
  detail::for_each_choice(options, [&](const char* key, const auto& table, auto& choice) {
    const auto named = file.metadata().find(key);
    choice = named == file.metadata().end()
                 ? table[0].value
                 : line_of(table, join(key, " in the metadata of ", file.path()), named->second).value;
  });
  return options;
}

/// The encoder of a file that save_vit or Trainer::save has written; of a student and its teacher, `branch` chooses.
/// What the network computes follows from the file (vit_options), whatever `options` say; of these hold
/// train_patch_embed, drop_path and recompute.
/// Throws Error, naming the file, for a file of another network, tensors that do not fit, and numbers that are not
/// finite.
///
///   const auto encoder = load_vit<Cpu, float>("out/checkpoint.safetensors");
///   const auto features = encoder(images);  // [batch, width]
///   save_vit("half.safetensors", first_layers(encoder, encoder.depth() / 2));
template <class B, class T>
[[nodiscard]] ViT<B, T> load_vit(const TensorFile& file, const ViTOptions& options = {},
                                 NetworkBranch branch = NetworkBranch::student) {
  const ViTSize size = vit_size(file, branch);
  ViT<B, T> encoder(size, Seed{0}, vit_options(file, branch, options));
  const std::string prefix = detail::vit_prefix(file, branch);
  for_each_tensor(encoder,
                  [&](const std::string& name, auto& member) { load_tensor(file, prefix + name, member.value); });
  return encoder;
}
/// The same of the file at `path`, whoever wrote it (NetworkFile).
template <class B, class T>
[[nodiscard]] ViT<B, T> load_vit(const std::filesystem::path& path, const ViTOptions& options = {},
                                 NetworkBranch branch = NetworkBranch::student) {
  return load_vit<B, T>(NetworkFile(path), options, branch);
}

/// Writes a network alone, under timm's names, for load_vit. `metadata` is kept beside its description.
template <class B, class T, ViTSize Size>
void save_vit(const std::filesystem::path& path, const ViT<B, T, Size>& encoder, const Metadata& metadata = {}) {
  Metadata all = describe(encoder);
  all.insert(metadata.begin(), metadata.end());  // what describes the network stays
  StateDict state;
  state.add_module(encoder);
  state.write(path, all);
}

}}  // namespace vitral
