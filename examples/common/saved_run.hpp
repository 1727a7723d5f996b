// What a checkpoint says about the run that wrote it, held against the checkpoint's own tensors.
#pragma once

#include "pretrain/options.hpp"

#include <vitral/io/safetensors.hpp>

#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Fails unless a tensor has the shape that it has in the network of the options.
inline void check_shape(const vitral::SafetensorsFile& file, const PretrainOptions& run, const std::string& name,
                        const std::vector<long>& shape) {
  const std::vector<long>& found = file.tensor(name).shape;
  const auto text = [](const std::vector<long>& extents) { return vitral::legible(nlohmann::ordered_json(extents)); };
  vitral::check(found == shape, file.path(), ": tensor ", name, " has shape ", text(found),
                ", but of the network that the file's options name (image ", run.image, ", patch ", run.patch,
                ", width ", run.width, ", depth ", run.depth, ", hidden ", run.hidden, ", out-dim ", run.out_dim,
                ") it has ", text(shape), ": tensors and options are of two networks");
}

/// Fails unless the file's encoder has the size that the options name: a network is made only of what the file holds.
inline void check_encoder(const vitral::SafetensorsFile& file, const PretrainOptions& run) {
  const auto expect = [&](const std::string& name, const std::vector<long>& shape) {
    check_shape(file, run, "student.encoder." + name, shape);
  };
  const long width = run.width, patch = run.patch, grid = run.image / patch;
  expect("cls_token", {1, 1, width});
  expect("pos_embed", {1, 1 + grid * grid, width});
  expect("patch_embed.proj.weight", {width, 3, patch, patch});
  const auto weight = [](int block) { return "blocks." + std::to_string(block) + ".attn.qkv.weight"; };
  for (int block = 0; block < run.depth; ++block) {
    vitral::check(file.contains("student.encoder." + weight(block)), file.path(), ": its options say depth ", run.depth,
                  ", but it has no tensor student.encoder.", weight(block));
    expect(weight(block), {3 * width, width});
  }
  vitral::check(!file.contains("student.encoder." + weight(run.depth)), file.path(), ": its options say depth ",
                run.depth, ", and its network has more blocks: tensors and options are of two networks");
}

/// The same for the last layer's projector, which a run needs to go on.
inline void check_projector(const vitral::SafetensorsFile& file, const PretrainOptions& run) {
  const std::string projector = vitral::join("student.projector.", run.self_distilled() ? run.depth - 1 : 0, ".");
  check_shape(file, run, projector + "0.weight", {run.hidden, run.width});
  check_shape(file, run, projector + "6.weight", {run.out_dim, run.hidden});
}

/// The options of the run that wrote the checkpoint.
inline PretrainOptions run_of(const vitral::SafetensorsFile& file) {
  const auto options = file.metadata().find("options");
  const bool found = options != file.metadata().end();
  const std::string where = file.path() + ": its metadata \"options\"";
  const auto saved = found ? vitral::parse_json(options->second, where) : nlohmann::ordered_json();
  vitral::check(saved.is_object(), where,
                " is missing or no JSON object; expected a checkpoint that `pretrain` or "
                "`truncate` has written");
  const PretrainOptions run = pretrain_options_from_json(saved, where);
  check_encoder(file, run);
  return run;
}

}}}  // namespace vitral::programs
