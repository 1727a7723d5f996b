// The run that a checkpoint is from, with every option, held against the checkpoint's own tensors.
#pragma once

#include "common/trained_network.hpp"
#include "pretrain/options.hpp"

#include <vitral/models/load_vit.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The options of the run that the checkpoint is from. Fails where there was none, and where the options name another
/// network than the file holds.
inline PretrainOptions run_of(const TensorFile& file) {
  check(file.metadata().contains("options"), file.path(),
        ": its metadata has no \"options\"; expected a checkpoint of `pretrain`");
  const PretrainOptions run =
      pretrain_options_from_json(saved_options(file), file.path() + ": its metadata \"options\"");
  const Metadata named = describe(ViTSize{run.image, run.patch, run.width, run.depth, run.heads});
  for (const auto& [key, value] : describe(vit_size(file)))
    check(named.at(key) == value, file.path(), ": \"", key, "\" in its metadata is ", value,
          ", but its \"options\" make that ", named.at(key), ": they are of two networks");
  return run;
}

/// The number of projectors below the final layer's.
inline std::size_t lower_projectors(const PretrainOptions& run) {
  if (!run.self_distilled()) return 0;
  const SelfDistillation made = self_distillation(run.ablations, run.depth, run.ratio, false);
  const std::size_t layers = made.lower_layers(run.depth).size();
  return made.heads.shared_projector ? std::min<std::size_t>(layers, 1) : layers;
}

/// Fails unless the last layer's projector, which a run needs to go on, has the size that the run's options say.
inline void check_projector(const TensorFile& file, const PretrainOptions& run) {
  const std::string projector = join("student.projector.", lower_projectors(run), ".");
  const std::string whose =
      join("the network of its options (width ", run.width, ", hidden ", run.hidden, ", out-dim ", run.out_dim, ")");
  check_shape(file, projector + "0.weight", std::array<long, 2>{run.hidden, run.width}, whose);
  check_shape(file, projector + "6.weight", std::array<long, 2>{run.out_dim, run.hidden}, whose);
}

}}}  // namespace vitral::programs
