// What a file says about its ViT: the keys and words of its metadata. docs/checkpoints.md lists them.
#pragma once

#include <vitral/io/tensor_file.hpp>
#include <vitral/models/vit.hpp>

namespace vitral { inline namespace VITRAL_ABI {

/// Which network of a file that holds a student and its teacher.
enum class NetworkBranch { student, teacher };

namespace detail {

/// The key of files whose network gives its distillation token below the last layer (ViTOptions::distilled_layers).
inline constexpr const char* lower_token_key = "vitral.lower_token";

/// What a file says about the size of its network, by name.
struct ViTField {
  const char* name;
  int ViTSize::*member;
};
inline constexpr ViTField vit_fields[] = {{"image", &ViTSize::image},
                                          {"patch", &ViTSize::patch},
                                          {"width", &ViTSize::width},
                                          {"depth", &ViTSize::depth},
                                          {"heads", &ViTSize::heads}};

/// A choice of ViTOptions as text. A file says those that are not the first of their table.
template <class Choice>
struct ViTChoice {
  std::string_view name;
  Choice value;
};
/// What a file has such a text under, and what its words are.
inline constexpr const char *positions_key = "vitral.positions", *pooling_key = "vitral.pooling",
                            *final_norm_key = "vitral.final_norm", *gelu_key = "vitral.gelu";
inline constexpr ViTChoice<PositionKind> vit_positions[] = {{"moco-v3", PositionKind::moco_v3},
                                                            {"deit", PositionKind::deit},
                                                            {"dino", PositionKind::dino},
                                                            {"timm", PositionKind::timm}};
inline constexpr ViTChoice<Pooling> vit_poolings[] = {
    {"class-token", Pooling::class_token}, {"average", Pooling::average}, {"both", Pooling::both}};
inline constexpr ViTChoice<FinalNorm> vit_final_norms[] = {
    {"tokens", FinalNorm::tokens}, {"pooled", FinalNorm::pooled}, {"none", FinalNorm::none}};
inline constexpr ViTChoice<GeluForm> vit_gelus[] = {
    {"exact", GeluForm::exact}, {"tanh", GeluForm::tanh}, {"quick", GeluForm::quick}};

/// Calls f(key, table, option) for each choice.
void for_each_choice(auto& options, auto&& f) {
  f(positions_key, vit_positions, options.positions);
  f(pooling_key, vit_poolings, options.pooling);
  f(final_norm_key, vit_final_norms, options.final_norm);
  f(gelu_key, vit_gelus, options.gelu);
}

}  // namespace detail

/// The metadata by which load_vit knows a network: {"vitral.model": "vit", "vitral.image": "32", ...}. Of `options` it
/// says what the tensors do not show: distilled_layers, positions, pooling, final_norm and gelu, where they are not as
/// usual.
[[nodiscard]] inline Metadata describe(const ViTSize& size, const ViTOptions& options = {}) {
  Metadata out{{"vitral.model", "vit"}};
  if (options.distilled_layers) out[detail::lower_token_key] = "distillation";
  for (const auto& [name, member] : detail::vit_fields) out[join("vitral.", name)] = std::to_string(size.*member);
  detail::for_each_choice(options, [&](const char* key, const auto& table, auto choice) {
    for (const auto& [name, value] : table)
      if (value == choice && choice != table[0].value) out[key] = name;
  });
  return out;
}
/// The same of a network.
template <class B, class T, ViTSize Size>
[[nodiscard]] Metadata describe(const ViT<B, T, Size>& encoder) {
  return describe(encoder.size, {.distilled_layers = encoder.lower_token == 1,
                                 .positions = encoder.positions,
                                 .pooling = encoder.pooling,
                                 .final_norm = encoder.final_norm,
                                 .gelu = encoder.blocks.empty() ? GeluForm::exact : encoder.blocks[0].mlp.gelu});
}

}}  // namespace vitral
