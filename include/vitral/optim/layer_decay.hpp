// What fine-tuning changes about single parameters. Rates decay by layer (Clark et al. 2020, ELECTRA; Bao et al. 2022,
// BEiT): the nearer a layer is to the images, the less it may change. Tokens and positions have no weight decay (DeiT).
#pragma once

#include <vitral/optim/parameters.hpp>

#include <cctype>
#include <cmath>
#include <string_view>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Whether a parameter's name, whatever stands before it, is that of a token or of the positions.
inline bool is_token(std::string_view name) {
  for (const std::string_view token : {"cls_token", "dist_token", "reg_token", "pos_embed"})
    if (name.ends_with(token)) return true;
  return false;
}

}  // namespace detail

/// The layer of a parameter by its timm name, whatever stands before it: 0 for what makes tokens of images, i + 1 for
/// block i, and depth + 1 for what comes after the blocks.
[[nodiscard]] inline int layer_of(std::string_view name, int depth) {
  if (detail::is_token(name) || name.find("patch_embed") != std::string_view::npos) return 0;
  constexpr std::string_view blocks = "blocks.";
  std::size_t at = name.find(blocks);
  if (at == std::string_view::npos) return depth + 1;
  int block = 0;
  for (at += blocks.size(); at < name.size() && std::isdigit(static_cast<unsigned char>(name[at])); ++at)
    block = 10 * block + (name[at] - '0');
  check(block < depth, "layer decay: ", name, " is in block ", block, " of a network of ", depth, " blocks");
  return block + 1;
}

/// Multiplies the rate of each parameter by decay ^ (depth + 1 - layer): what comes after the blocks keeps its own.
///
///   auto parameters = trainable_parameters(encoder);
///   decay_rates(parameters, encoder.depth(), 0.65);
///   Optimizer<float, Cpu> optimizer(AdamW{.lr = 1e-3}, parameters);
template <class P, class B>
void decay_rates(std::vector<ParameterRef<P, B>>& parameters, int depth, double decay) {
  check(decay > 0 && decay <= 1,
        "layer decay: the factor from a layer to the one before must be above 0 and at most 1, not ", decay);
  for (auto& p : parameters) p.rate *= std::pow(decay, depth + 1 - layer_of(p.name, depth));
}

/// Takes the class token, the distillation token and the positions out of weight decay, as DeiT and MAE do when they
/// learn from labels (no_weight_decay() in their code). MoCo v3's pretraining decays its tokens.
template <class P, class B>
void exempt_tokens(std::vector<ParameterRef<P, B>>& parameters) {
  for (auto& p : parameters) p.exempt = p.exempt || detail::is_token(p.name);
}

}}  // namespace vitral
