// What a checkpoint says about the run that wrote it, held against the checkpoint's own tensors.
#pragma once

#include "pretrain_options.hpp"

#include <vitral/io/safetensors.hpp>

#include <string>
#include <vector>

namespace vitral::inline VITRAL_ABI::programs {

/// Fails unless the file's encoder has the size that the options name: a network is made only of what the file holds.
inline void check_encoder(const vitral::SafetensorsFile& file, const PretrainOptions& run) {
  const auto expect = [&](const std::string& name, const std::vector<long>& shape) {
    const vitral::TensorEntry& found = file.tensor("student.encoder." + name);
    const auto text = [](const std::vector<long>& extents) { return vitral::legible(nlohmann::ordered_json(extents)); };
    vitral::check(found.shape == shape, file.path(), ": tensor student.encoder.", name, " has shape ", text(found.shape),
                  ", but of the network that the file's options name (image ", run.image, ", patch ", run.patch,
                  ", width ", run.width, ", depth ", run.depth, ") it has ", text(shape),
                  ": tensors and options are of two networks");
  };
  const long width = run.width, patch = run.patch, grid = run.image / patch;
  expect("cls_token", {1, 1, width});
  expect("pos_embed", {1, 1 + grid * grid, width});
  expect("patch_embed.proj.weight", {width, 3, patch, patch});
  const auto weight = [](int block) { return "blocks." + std::to_string(block) + ".attn.qkv.weight"; };
  for (int block = 0; block < run.depth; ++block) expect(weight(block), {3 * width, width});
  vitral::check(!file.contains("student.encoder." + weight(run.depth)), file.path(), ": its options say depth ", run.depth,
                ", and its network has more blocks: tensors and options are of two networks");
}

/// The options of the run that wrote the checkpoint.
inline PretrainOptions run_of(const vitral::SafetensorsFile& file) {
  const auto options = file.metadata().find("options");
  const bool found = options != file.metadata().end();
  const std::string where = file.path() + ": its metadata \"options\"";
  const auto saved = found ? vitral::parse_json(options->second, where) : nlohmann::ordered_json();
  vitral::check(saved.is_object(), where, " is missing or no JSON object; expected a checkpoint that `pretrain` or "
                "`truncate` has written");
  const PretrainOptions run = pretrain_options_from_json(saved, where);
  check_encoder(file, run);
  return run;
}

}  // namespace vitral::inline VITRAL_ABI::programs
