// A file that holds a ViT, whoever wrote it: Vitral, or timm, DeiT, DINO, DINOv2, MAE, MoCo v3 and SDSSL's code, as
// safetensors or by torch.save. Relies on nlohmann::json, by io/. docs/weights.md has the table.
#pragma once

#include <vitral/io/safetensors.hpp>
#include <vitral/io/state_dict.hpp>
#include <vitral/io/torch_file.hpp>
#include <vitral/models/describe.hpp>
#include <vitral/models/sources.hpp>

#include <fstream>
#include <map>
#include <memory>

namespace vitral { inline namespace VITRAL_ABI {

/// The tensors of such a file in memory. Those of Vitral's own files are as they are; others get the names and the
/// metadata that Vitral's would have: "cls_token", or "student.encoder.cls_token" and "teacher.encoder.cls_token" where
/// there are both. What belongs to no encoder is left out. Throws Error, with the file's name, where there is no ViT,
/// where its blocks are of another kind, and where it does not say how many attention heads they have.
///
///   const NetworkFile file("dino_deitsmall16_pretrain.pth");
///   std::puts(file.found().c_str());
///   const auto encoder = load_vit<Cpu, float>(file);
class NetworkFile : public TensorFile {
 public:
  /// `heads`: how many attention heads the network has, where the file does not say it; 0: as many as the networks of
  /// its source and width have.
  explicit NetworkFile(const std::filesystem::path& path, int heads = 0) : TensorFile(path.string()) {
    open(path);
    metadata_ = parts_[0].file->metadata();
    if (metadata_.contains("vitral.model") || metadata_.contains("options")) {
      for (const std::string& name : parts_[0].file->names()) put(name, parts_[0].file->tensor(name));
      return;
    }
    metadata_.clear();
    for (const Part& part : parts_) rename(part);
    if (prefixes_.empty())
      broken(" holds no ViT: it has no tensor cls_token, and none whose name ends with .cls_token");
    describe_as(prefixes_[0], heads);
  }

  /// A line about weights that are not Vitral's own: whose they are, what was assumed and what was left out. Empty for
  /// Vitral's files.
  [[nodiscard]] const std::string& found() const { return found_; }

 private:
  /// Tensors of the file: all, or those of one dictionary of a file of torch.save.
  struct Part {
    std::string key;
    std::unique_ptr<TensorFile> file;
  };

  static bool holds_vit(const PickleValue& value) {
    const auto* items = value.as<PickleDictionary>();
    return items != nullptr && std::ranges::any_of(items->items, [](const auto& item) {
             const auto* name = item.first.template as<std::string_view>();
             return name != nullptr && detail::prefix_of_token(*name) &&
                    item.second.template as<StoredTensor>() != nullptr;
           });
  }

  /// Reads the parts that hold networks: student and teacher, or one.
  void open(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    char head[9] = {};
    // A safetensors file begins with 8 bytes that count its header's, any bytes, and the header with a brace.
    clues_.torch_file =
        stream.read(head, sizeof head) && head[8] != '{' && (std::string_view(head, 2) == "PK" || head[0] == '\x80');
    if (!clues_.torch_file) return parts_.push_back({"", std::make_unique<SafetensorsFile>(path)});

    const TorchFile file = read_torch(path);
    if (holds_vit(file.root())) return parts_.push_back({"", std::make_unique<TorchTensors>(file, file.root())});
    std::vector<std::string> keys;
    if (const auto* items = file.root().as<PickleDictionary>())
      for (const auto& [key, value] : items->items)
        if (const auto* name = key.as<std::string_view>(); name != nullptr && holds_vit(value))
          keys.emplace_back(*name);
    if (keys.empty()) broken(" holds no ViT: none of its dictionaries has a tensor whose name ends with cls_token");
    const auto there = [&](const std::string& key) { return std::ranges::find(keys, key) != keys.end(); };
    std::vector<std::string> taken{keys[0]};
    for (const char* usual : {"state_dict", "model"})
      if (there(usual)) taken = {usual};
    if (there("student") && there("teacher")) taken = {"student", "teacher"};
    for (const std::string& key : keys)
      if (std::ranges::find(taken, key) == taken.end())
        ++left_out_["\"" + legible(key) + "\""];
      else
        parts_.push_back({key, std::make_unique<TorchTensors>(file, *file.root().find(key))});
  }

  void put(const std::string& name, const TensorEntry& entry) {
    if (!entries_.emplace(name, entry).second) broken(" holds ", name, " twice, under two names");
    names_.push_back(name);
  }

  /// Takes the encoders of a part, under Vitral's names.
  void rename(const Part& part) {
    struct Encoder {
      std::string theirs, ours;
    };
    std::vector<Encoder> encoders;
    bool student = part.key == "student", teacher = part.key == "teacher";
    for (const std::string& name : part.file->names())
      if (const auto prefix = detail::prefix_of_token(name)) {
        encoders.push_back({*prefix, ""});
        const auto branch = detail::branch_of(*prefix);
        student = student || branch == NetworkBranch::student;
        teacher = teacher || branch == NetworkBranch::teacher;
      }
    for (Encoder& encoder : encoders) {
      const auto branch = detail::branch_of(part.key + "." + encoder.theirs);
      if (parts_.size() > 1 || (student && teacher))
        encoder.ours = branch == NetworkBranch::teacher ? "teacher.encoder." : "student.encoder.";
      if (std::ranges::find(prefixes_, encoder.ours) != prefixes_.end())
        broken(" holds several networks; write the tensors of one of them, such as ", legible(encoder.theirs),
               "cls_token, to a file of its own");
      prefixes_.push_back(encoder.ours);
    }
    if (clues_.key.empty()) clues_.key = part.key;
    if (!encoders.empty()) clues_.prefix = encoders[0].theirs;
    for (const std::string& name : part.file->names()) {
      const auto in = std::ranges::find_if(encoders, [&](const Encoder& e) { return name.starts_with(e.theirs); });
      const std::string own = in == encoders.end() ? name : name.substr(in->theirs.size());
      const std::string here = detail::vit_name(own);
      if (in != encoders.end() && detail::is_vit_name(here)) {
        put(in->ours + here, part.file->tensor(name));
        clues_.pooled_norm = clues_.pooled_norm || own == "fc_norm.weight";
        continue;
      }
      for (const char* needed : {"blocks.", "patch_embed.", "norm_pre.", "dis_token"})
        if (in != encoders.end() && own.starts_with(needed))
          broken(": tensor ", legible(name),
                 " belongs to a network of another kind; a ViT has a patch_embed.proj, and ",
                 "in its blocks norm1, attn.qkv, attn.proj, norm2, mlp.fc1, mlp.fc2 and perhaps ls1 and ls2");
      clues_.mask_token = clues_.mask_token || own == "mask_token";
      clues_.decoder = clues_.decoder || own.starts_with("decoder_");
      clues_.classifier = clues_.classifier || own.starts_with("head.");
      // "head.weight" is of head, "module.predictor.0.weight" of module.predictor.
      const std::size_t dot = name.find('.', in == encoders.end() ? name.find('.') + 1 : in->theirs.size());
      ++left_out_[legible(name.substr(0, dot))];
    }
  }

  /// The axes of a tensor, of which there must be `rank`.
  const std::vector<long>& axes(const std::string& name, std::size_t rank) const {
    const std::vector<long>& shape = tensor(name).shape;
    if (shape.size() != rank) broken(": tensor ", name, " has ", shape.size(), " axes, expected ", rank);
    return shape;
  }

  /// Adds the metadata of the networks, whose tensors begin with `prefix`.
  void describe_as(const std::string& prefix, int heads) {
    const auto extent = [](long value) { return static_cast<int>(std::clamp(value, 0L, 1L << 24)); };
    ViTSize size{.depth = 0};
    size.width = extent(axes(prefix + "cls_token", 3)[2]);
    size.patch = extent(axes(prefix + "patch_embed.proj.weight", 4)[2]);
    while (contains(join(prefix, "blocks.", size.depth, ".attn.qkv.weight"))) ++size.depth;
    const int tokens = contains(prefix + "dist_token") ? 2 : 1, rows = extent(axes(prefix + "pos_embed", 3)[1]);
    if (size.width == 0) broken(": tensor ", prefix, "cls_token is empty");
    check_shape(*this, prefix + "pos_embed", std::vector<long>{1, rows, size.width}, "a network of its cls_token");
    const int grid = side_of(rows - tokens);
    if (const int all = side_of(rows); grid == 0 && all > 0) {  // timm's no_embed_class: patches alone have positions
      for (const std::string& one : prefixes_) add_positions_of_tokens(one + "pos_embed", tokens);
      return describe_as(prefix, heads);
    }
    if (grid == 0)
      broken(": tensor ", prefix, "pos_embed has ", rows, " positions, expected ", tokens,
             " and those of a square of patches");
    size.image = grid * size.patch;
    clues_.distillation_token = tokens == 2;
    clues_.registers = contains(prefix + "reg_token");
    clues_.layer_scale = contains(prefix + "blocks.0.ls1.gamma");
    const std::vector<double> positions = values<double>(prefix + "pos_embed");
    clues_.moco_positions = detail::are_moco_positions(positions, grid, size.width, tokens);
    clues_.class_position =
        std::any_of(positions.begin(), positions.begin() + size.width, [](double x) { return x != 0; });

    const detail::WeightSource& source = detail::source_of(clues_);
    size.heads = heads > 0 ? heads : detail::usual_heads(source, size.width);
    if (size.heads == 0)
      broken(" does not say how many attention heads its network has, and no network of ", source.name, " of width ",
             size.width, " is known here; say it (heads)");
    ViTOptions options{.positions = source.positions};
    if (clues_.pooled_norm) options.pooling = Pooling::average, options.final_norm = FinalNorm::pooled;
    metadata_ = describe(size, options);
    found_ = join(path_, ": weights as ", source.name, " writes them: width ", size.width, ", depth ", size.depth,
                  ", patches of ", size.patch, " and images of ", size.image, " pixels, ", size.heads, " heads (",
                  heads > 0 ? "as told" : "assumed from the width", ")",
                  prefixes_.size() > 1 ? ", student and teacher" : "");
    std::string list;
    for (const auto& [name, count] : left_out_)
      list += join(list.empty() ? "; left out: " : ", ", name, count > 1 ? join(" (", count, " tensors)") : "");
    found_ += list;
  }

  /// The side of a square of so many patches; 0 where they make none.
  static int side_of(int patches) {
    const int side = static_cast<int>(std::lround(std::sqrt(static_cast<double>(std::max(patches, 0)))));
    return side * side == patches ? side : 0;
  }

  /// Puts positions of zero for `tokens` tokens before those of the patches.
  void add_positions_of_tokens(const std::string& name, int tokens) {
    TensorEntry& entry = entries_.at(name);
    const std::size_t row = entry.shape[1] > 0 ? entry.bytes.size() / static_cast<std::size_t>(entry.shape[1]) : 0;
    std::vector<std::byte>& all = made_.emplace_back(row * static_cast<std::size_t>(tokens));
    all.insert(all.end(), entry.bytes.begin(), entry.bytes.end());
    entry.shape[1] += tokens;
    entry.bytes = all;
  }

  std::vector<Part> parts_;                  // whose bytes the entries are
  std::deque<std::vector<std::byte>> made_;  // and these
  std::vector<std::string> prefixes_;
  std::map<std::string, int> left_out_;
  detail::SourceClues clues_;
  std::string found_;
};

}}  // namespace vitral
