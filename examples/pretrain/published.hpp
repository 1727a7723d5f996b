// The configurations of SDSSL's published code (github.com/hagiss/SDSSL): what their keys mean in this program's.
#pragma once

#include "common/images.hpp"
#include "pretrain/rows.hpp"

#include <vitral/train/methods.hpp>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs { namespace options_detail {

/// Whether the file is one for the published code, told by keys that no other code has.
inline bool is_published(const Json& config) {
  return config.contains("st_inter") || config.contains("t_inter") || config.contains("mlp_hidden");
}

/// The attention heads of the published code's networks (vision_transformer.py) where timm's network of that name has
/// another number; 0 elsewhere.
inline int published_heads(const std::string& arch) { return arch == "vit_tiny" ? 6 : arch == "vit_small" ? 12 : 0; }

/// How the published code prepares images for k-NN: val_transform of pl_train_moco.py, T.Resize((256, 256),
/// interpolation=3) and T.CenterCrop(224), which hold for other sizes in proportion.
inline const Preparation published_preparation{"squash", "bicubic"};

/// The value of `key`, which is taken out; null where there is none.
inline Json take(Json& config, const char* key) {
  Json value = config.contains(key) ? config[key] : Json();
  config.erase(key);
  return value;
}

/// The same of a key that must be true or false.
inline Json take_bool(const std::string& where, Json& config, const char* key) {
  const bool present = config.contains(key);
  Json value = take(config, key);
  vitral::check(!present || value.is_boolean(), where, key, " must be true or false, not ", vitral::legible(value));
  return value;
}

/// The method that a published run's name begins with: "sd-byol" of "SD_byol/vit_base_16"; "" where it is none.
inline std::string method_of_name(const std::string& name) {
  std::string method = name.substr(0, name.find('/'));
  for (char& c : method) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (vitral::plain_name(method) == "moco") method += "-v3";
  const std::vector<std::string> known = vitral::method_names();
  return std::ranges::find(known, method) != known.end() ? method : "";
}

/// Sets "method" to what "name" and "st_inter" say together. `given`: the method of the command line, or "". What
/// contradicts another is an Error that names both.
inline void translate_method(const std::string& where, Json& config, const std::string& given) {
  const Json name = take(config, "name"), inter = take_bool(where, config, "st_inter");
  vitral::check(name.is_null() || name.is_string(), where, "name must be a string, not ", vitral::legible(name));
  const std::string named = name.is_null() ? "" : method_of_name(name.get<std::string>());
  if (named.empty() && inter.is_null()) return;
  const std::string switched = inter.is_null() ? "" : inter.get<bool>() ? "st_inter true" : "st_inter false";
  const auto agree = [&](const std::string& method, const std::string& said) {
    vitral::check(named.empty() || method == named, where, "name ", vitral::legible(name), " and ", said,
                  " contradict each other; leave one of them out");
    vitral::check(inter.is_null() || vitral::is_self_distilled(method) == inter.get<bool>(), where, switched, " and ",
                  said, " contradict each other; leave one of them out");
  };
  std::string method = named;
  if (config.contains("method")) {
    read_json_value(where + "method", config["method"], method);
    if (inter == Json(true)) method = "sd-" + std::string(vitral::plain_name(method));
    agree(method, vitral::join("method ", vitral::legible(config["method"])));
  } else if (!named.empty()) {
    agree(named, vitral::join("name ", vitral::legible(name)));
  }
  if (!given.empty()) {
    agree(given, "--method " + given);
    method = given;
  }
  vitral::check(!method.empty(), where, switched, " does not say which method; use --method, or a name such as ",
                "\"SD_byol/vit_base_16\"");
  config["method"] = method;
}

/// Rewrites the published code's ways of saying things into this program's keys, and returns what is to be said of the
/// others, a line each. `method`: that of the command line, or "". A key that would make another run is an Error.
inline std::vector<std::string> translate_published(const std::string& where, Json& config, const std::string& method,
                                                    int devices) {
  if (take_bool(where, config, "t_inter") == Json(true)) {
    vitral::check(!config.contains("target") || config["target"] == "same", where,
                  "t_inter true and target contradict each other; leave one of them out");
    config["target"] = "same";
  }
  if (take_bool(where, config, "use_fp16") == Json(true)) config["precision"] = "bf16";
  translate_method(where, config, method);
  if (const Json total = take(config, "total_batch"); !total.is_null()) {
    int images = 0, accumulate = 1;
    read_json_value(where + "total_batch", total, images);
    if (config.contains("accumulate")) read_json_value(where + "accumulate", config["accumulate"], accumulate);
    if (config.contains("devices")) read_json_value(where + "devices", config["devices"], devices);
    vitral::check(accumulate > 0 && devices > 0 && images % (accumulate * devices) == 0, where, "total_batch ", images,
                  " is no multiple of accumulate ", accumulate, " x devices ", devices);
    config["batch"] = images / (accumulate * devices);
  }
  // Equal, they say one thing: that of --epochs may be another.
  if (config.contains("max_epochs") && config.contains("epochs") && config["max_epochs"] == config["epochs"])
    config.erase("max_epochs");
  if (config.contains("dataset") && config["dataset"] == "imagenet") config["dataset"] = "folder";
  if (config.contains("data") && config["data"] == "") config.erase("data");

  std::vector<std::string> notes;
  const auto drop = [&](const char* why, std::initializer_list<const char*> keys) {
    std::string list;
    for (const char* key : keys)
      if (config.erase(key) > 0) list += (list.empty() ? "" : ", ") + std::string(key);
    if (!list.empty()) notes.push_back(why + list);
  };
  drop("without effect, here as in the published code: ", {"div", "multi_node"});
  drop("ignored, they change nothing that is trained: ",
       {"num_workers", "accelerator", "board_path", "load_json", "dist_url", "dist_backend", "local_rank", "rank",
        "world_size", "gpu"});
  return notes;
}

}}}}  // namespace vitral::programs::options_detail
