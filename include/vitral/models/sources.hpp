// Whose weights a file holds, told by the names and shapes of its tensors, and what networks of that source have in
// common that a file of weights does not say. docs/weights.md has the table.
#pragma once

#include <vitral/models/describe.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace vitral { inline namespace VITRAL_ABI { namespace detail {

/// Someone whose networks are read.
struct WeightSource {
  const char* name;
  PositionKind positions;                             // how they become those of other grids
  std::array<std::pair<int, int>, 7> heads_by_width;  // of the networks that they have published
};

/// A head for each 64 channels, but for the largest networks: timm's, DeiT's, DINO's, DINOv2's and MAE's.
inline constexpr std::array<std::pair<int, int>, 7> heads_of_64{
    {{192, 3}, {384, 6}, {768, 12}, {1024, 16}, {1280, 16}, {1408, 16}, {1536, 24}}};
inline constexpr WeightSource timm{"timm", PositionKind::timm, heads_of_64},
    deit{"DeiT", PositionKind::deit, heads_of_64}, dino{"DINO", PositionKind::dino, heads_of_64},
    dinov2{"DINOv2", PositionKind::dino, heads_of_64},
    dinov2_registers{"DINOv2 with registers", PositionKind::timm, heads_of_64},
    mae{"MAE", PositionKind::deit, heads_of_64}, moco_v3{"MoCo v3", PositionKind::moco_v3, {{{384, 12}, {768, 12}}}},
    sdssl{"SDSSL's code", PositionKind::moco_v3, {{{192, 6}, {384, 12}, {768, 12}}}};

/// The attention heads of that source's network of that width; 0 where it has published none.
inline int usual_heads(const WeightSource& source, int width) {
  for (const auto& [known, heads] : source.heads_by_width)
    if (known == width) return heads;
  return 0;
}

/// What stands before "cls_token" at the end of a tensor's name; nothing where the name does not end so.
inline std::optional<std::string> prefix_of_token(std::string_view name) {
  constexpr std::string_view token = "cls_token";
  if (!name.ends_with(token)) return {};
  name.remove_suffix(token.size());
  if (!name.empty() && !name.ends_with('.')) return {};
  return std::string(name);
}

/// Whose encoder has this prefix, of a student and its teacher: DINO, DINOv2 and SDSSL call them so, MoCo v3 the base
/// and the momentum encoder.
inline std::optional<NetworkBranch> branch_of(std::string_view prefix) {
  const auto has = [&](const char* word) { return prefix.find(word) != std::string_view::npos; };
  if (has("teacher.") || has("momentum_encoder.")) return NetworkBranch::teacher;
  if (has("student.") || has("base_encoder.")) return NetworkBranch::student;
  return {};
}

/// ViT's name of a tensor whose name in its encoder is `name`: DINOv2 says register_tokens, counts blocks within chunks
/// ("blocks.0.11.norm1.weight"), DeiT III says gamma_1; networks that pool before their norm call it fc_norm.
inline std::string vit_name(std::string name) {
  if (name == "register_tokens") return "reg_token";
  if (name.starts_with("fc_norm.")) return name.substr(3);
  constexpr std::string_view blocks = "blocks.";
  if (name.starts_with(blocks)) {
    const auto number_ends = [&](std::size_t at) { return name.find_first_not_of("0123456789", at); };
    const std::size_t first = number_ends(blocks.size()),
                      second = first == std::string::npos ? first : number_ends(first + 1);
    if (second != std::string::npos && second > first + 1 && name[second] == '.')
      name.erase(blocks.size(), first + 1 - blocks.size());
    for (const auto& [theirs, ours] : {std::pair{".gamma_1", ".ls1.gamma"}, std::pair{".gamma_2", ".ls2.gamma"}})
      if (name.ends_with(theirs)) name.replace(name.size() - std::string_view(theirs).size(), std::string::npos, ours);
  }
  return name;
}

/// Whether ViT has a tensor of this name.
inline bool is_vit_name(const std::string& name) {
  for (const char* own : {"cls_token", "dist_token", "reg_token", "pos_embed", "patch_embed.proj.weight",
                          "patch_embed.proj.bias", "norm.weight", "norm.bias"})
    if (name == own) return true;
  if (!name.starts_with("blocks.")) return false;
  const std::size_t dot = name.find('.', 7);
  if (dot == std::string::npos || name.find_first_not_of("0123456789", 7) != dot) return false;
  const std::string_view part = std::string_view(name).substr(dot + 1);
  for (const char* layer : {"norm1", "norm2", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"})
    if (part == join(layer, ".weight") || part == join(layer, ".bias")) return true;
  return part == "ls1.gamma" || part == "ls2.gamma";
}

/// Whether positions are the fixed ones of MoCo v3's networks.
inline bool are_moco_positions(const std::vector<double>& positions, int grid, int width, int prefix) {
  if (width % 4 != 0) return false;
  const auto table = sincos_positions(grid, width, prefix);
  if (positions.size() != table.size()) return false;
  for (std::size_t i = 0; i < table.size(); ++i)
    if (!(std::abs(positions[i] - table[i]) < 1e-4)) return false;
  return true;
}

/// What tells a source.
struct SourceClues {
  std::string prefix;  // of the encoder's tensors
  std::string key;     // of the dictionary that holds them, in a file of torch.save; empty where there is none
  bool torch_file = false, decoder = false, mask_token = false, layer_scale = false, registers = false,
       distillation_token = false, classifier = false, moco_positions = false, pooled_norm = false;
  bool class_position = false;  // whether the class token's position is any but zero
};

inline const WeightSource& source_of(const SourceClues& c) {
  const auto in_prefix = [&](const char* word) { return c.prefix.find(word) != std::string::npos; };
  if (in_prefix("base_encoder.") || in_prefix("momentum_encoder.")) return moco_v3;
  if (in_prefix("student.net.") || in_prefix("teacher.net.")) return sdssl;
  if (c.decoder) return mae;
  if (c.registers) return dinov2_registers;
  if (c.layer_scale && c.mask_token) return dinov2;
  if (c.distillation_token) return deit;
  if (in_prefix("backbone.") || c.key == "teacher") return dino;
  if (c.moco_positions) return moco_v3;
  if (c.key == "model") return !c.class_position || c.pooled_norm ? mae : deit;
  return c.torch_file && !c.classifier ? dino : timm;
}

}  // namespace detail

}}  // namespace vitral
