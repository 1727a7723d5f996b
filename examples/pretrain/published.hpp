// The configurations of SDSSL's published code (github.com/hagiss/SDSSL): what their keys mean in this program's.
#pragma once

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
/// contradicts another is an Error that names both; a file of the published code without a method is one, too.
inline void translate_method(const std::string& where, Json& config, const std::string& given) {
  const bool told = !is_published(config) || config.contains("method") || !given.empty();
  const Json name = take(config, "name"), inter = take_bool(where, config, "st_inter");
  vitral::check(name.is_null() || name.is_string(), where, "name must be a string, not ", vitral::legible(name));
  const std::string named = name.is_null() ? "" : method_of_name(name.get<std::string>());
  if (named.empty() && inter.is_null()) {
    vitral::check(told, where, "neither name", name.is_null() ? "" : " " + vitral::legible(name),
                  " nor st_inter says which method of the published code it is; use --method, or a name such as ",
                  "\"SD_byol/vit_base_16\"");
    return;
  }
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

/// Sets "target" to what "t_inter" says. `given`: as in translate_published.
inline void translate_target(const std::string& where, Json& config, const Json& given) {
  const Json inter = take_bool(where, config, "t_inter");
  if (inter.is_null()) return;
  vitral::check(!config.contains("target") || (config["target"] == "same") == inter.get<bool>(), where, "t_inter ",
                vitral::legible(inter), " and target contradict each other; leave one of them out");
  if (!inter.get<bool>() || given.contains("target")) return;
  std::string method;
  read_json_value(where + "method", given.contains("method") ? given["method"] : config["method"], method);
  vitral::check(method == "sd-byol", where, "t_inter true is for sd-byol, as in the published code, not for ", method);
  config["target"] = "same";
}

/// Sets "batch" to what "total_batch" leaves for it. `given`: as in translate_published.
inline void translate_total_batch(const std::string& where, Json& config, const Json& given) {
  const Json total = take(config, "total_batch");
  if (total.is_null()) return;
  for (const char* batch : {"batch", "batch_size_per_gpu"})
    vitral::check(!config.contains(batch), where, "total_batch and ", batch,
                  " both say how many images a step has; leave one of them out");
  const auto number = [&](const char* key) {
    int out = 1;
    const Json& from = given.contains(key) ? given : config;
    if (from.contains(key)) read_json_value(where + key, from[key], out);
    return out;
  };
  int images = 0;
  read_json_value(where + "total_batch", total, images);
  const long accumulate = number("accumulate"), devices = number("devices");
  vitral::check(accumulate > 0 && devices > 0 && images % (accumulate * devices) == 0, where, "total_batch ", images,
                " is no multiple of accumulate ", accumulate, " x devices ", devices);
  config["batch"] = images / (accumulate * devices);
}

/// Rewrites the published code's ways of saying things into this program's keys, and returns what is to be said of the
/// others, a line each. `given`: the options of the command line. A key that would make another run is an Error.
inline std::vector<std::string> translate_published(const std::string& where, Json& config, const Json& given) {
  std::vector<std::string> notes;
  translate_method(where, config, given.value("method", ""));
  translate_target(where, config, given);
  translate_total_batch(where, config, given);
  if (take_bool(where, config, "use_fp16") == Json(true)) {
    vitral::check(!config.contains("precision") || config["precision"] == "bf16", where,
                  "use_fp16 true, which is precision bf16, and precision contradict each other; leave one of them out");
    config["precision"] = "bf16";
    if (!given.contains("precision"))
      notes.push_back("use_fp16 true is precision bf16 here; the published code ignores the key");
  }
  // Equal, they say one thing: that of --epochs may be another.
  if (config.contains("max_epochs") && config.contains("epochs") && config["max_epochs"] == config["epochs"])
    config.erase("max_epochs");
  if (config.contains("dataset") && config["dataset"] == "imagenet") config["dataset"] = "folder";
  if (config.contains("data") && config["data"] == "") config.erase("data");

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
