// What self-distillation (SDSSL, arXiv 2111.12958) adds to a method: which layers learn, from what, and by which heads.
#pragma once

#include <vitral/optim/schedule.hpp>
#include <vitral/ssl/branch.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

/// Whose projection of the other view a lower layer learns from. No gradient flows into it.
enum class LowerTarget {
  final_layer,    // the final layer's: the teacher's, where the method has one
  student_final,  // the student's final layer's, even where there is a teacher
  same_layer      // the teacher's of the same layer; the predictors have no term of their own then. (`t_inter` in the
                  // published code, which has it for BYOL.)
};

/// What self-distillation adds. The published method has these values, but a ratio of 0.8 for SimCLR and BYOL, and one
/// that rises; whatever else is an ablation.
struct SelfDistillation {
  double ratio = 1.0;  ///< the weight of the lower layers' loss
  bool rises = false;  ///< from 0 along a cosine, instead of being constant
  /// How many of the lowest layers do not learn: the projection of layer i + up takes the place of that of layer i, and
  /// the final one that of those that are missing at the end. (`up` in the published code.)
  int up = 0;
  LowerTarget target = LowerTarget::final_layer;
  std::vector<int> layers = {};  ///< those that learn, from 1 and rising, below the final one; none: all of these
  LowerHeads heads = {};
  /// Whether all predictors learn from projections through which no gradient flows, too: the term with which a lower
  /// layer's predictor does not depend on the ratio.
  bool detached_term = true;

  /// The layers that learn, from 1, below the final one of a network of `depth` layers.
  [[nodiscard]] std::vector<int> lower_layers(int depth) const { return layers.empty() ? layers_below(depth) : layers; }
  /// The weight when so much of the training is done (0 to 1).
  [[nodiscard]] double at(double progress) const { return rises ? cosine_between(0, ratio, progress) : ratio; }
};

namespace detail {

/// The layer whose projection stands at place i of `layers`.
inline std::size_t raised(std::size_t i, std::size_t layers, const std::optional<SelfDistillation>& distillation) {
  return std::min(i + static_cast<std::size_t>(distillation ? distillation->up : 0), layers - 1);
}

inline void check_distillation(const SelfDistillation& d, int depth, bool has_teacher) {
  check(d.ratio >= 0, "self_distilled: the ratio must be 0 or more, not ", d.ratio);
  check(d.up >= 0 && d.up < depth, "self_distilled: up is ", d.up, ", expected 0 to ", depth - 1, " for a network of ",
        depth, " layers");
  check(has_teacher || d.target != LowerTarget::same_layer,
        "self_distilled: the target same_layer asks for a teacher, and this method has none");
  check(has_teacher || !d.heads.shared_predictor,
        "self_distilled: shared_predictor asks for predictors, and a method without a teacher has none");
  check(has_teacher || d.detached_term,
        "self_distilled: detached_term is a term of predictors, and a method without a teacher has none");
  check(d.layers.empty() || d.up == 0, "self_distilled: layers and up both say which layers learn; leave one out");
  for (std::size_t i = 0; i < d.layers.size(); ++i) {
    const int layer = d.layers[i];
    check(layer >= 1 && layer < depth, "self_distilled: layers names ", layer, ", expected 1 to ", depth - 1,
          ", those below the final one of a network of ", depth, " layers");
    check(i == 0 || d.layers[i - 1] < layer, "self_distilled: layers names ", layer, " after ",
          d.layers[i == 0 ? 0 : i - 1], "; expected each layer once, in rising order");
  }
  check(d.heads.hidden >= 0 && d.heads.depth >= 1, "self_distilled: the lower layers' projectors have ", d.heads.depth,
        " linear layers of ", d.heads.hidden, " units; expected 1 or more, of 0 (half of the final layer's) or more");
}

/// The layers below the final one that have heads.
inline std::vector<int> lower_layers(const std::optional<SelfDistillation>& distillation, int depth) {
  return distillation ? distillation->lower_layers(depth) : std::vector<int>{};
}

}  // namespace detail

}}  // namespace vitral
