// The directory of a pretraining run, in which no other run is replaced unasked.
#pragma once

#include "pretrain/options.hpp"

#include <filesystem>
#include <system_error>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Fails where --out holds a run that this one would replace without having been asked to.
inline void check_out(const PretrainOptions& options) {
  if (options.resume || options.overwrite) return;
  for (const char* name : {"checkpoint.safetensors", "metrics.jsonl"}) {
    std::error_code ignored;
    const auto found = std::filesystem::symlink_status(std::filesystem::path(options.out) / name, ignored);
    vitral::check(!std::filesystem::exists(found), "--out ", options.out, " holds a run, with its ", name,
                  ". --resume goes on with that run, --overwrite replaces it; or choose another --out");
  }
}

/// Takes away the run that --overwrite replaces, so that none of its files is taken for one of the new run.
inline void remove_run(const std::filesystem::path& out) {
  for (const char* name : {"checkpoint.safetensors", "metrics.jsonl", "training.png"}) {
    std::error_code error;
    std::filesystem::remove(out / name, error);
    vitral::check(!error, (out / name).native(), ": cannot be overwritten (", error.message(), ")");
  }
}

}}}  // namespace vitral::programs
