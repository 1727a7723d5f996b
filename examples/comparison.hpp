// Several results of `evaluate` side by side: runs that differ in the seed alone are one group.
#pragma once

#include "pretrain_options.hpp"

#include <vitral/core/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace comparison {

using Json = nlohmann::ordered_json;

/// What `evaluate` has written about one run.
struct Run {
  std::string path;
  Json results, settings;  // settings: the options of training but those that leave the numbers as they are
  std::string method;
  long seed;
};

inline Run read_run(const std::string& folder) {
  const std::filesystem::path file = std::filesystem::path(folder) / "results.json";
  std::ifstream stream(file);
  vitral::check(stream.good(), file.native(), " cannot be read; expected the --out directory of `evaluate`");
  Run out{folder, Json::parse(stream, nullptr, false), {}, "", 0};
  bool good = out.results.is_object();
  for (const char* key : {"run", "dataset", "train_images", "test_images", "layers", "adaptive_exit"})
    good = good && out.results.contains(key);
  good = good && out.results["layers"].is_array() && !out.results["layers"].empty();
  if (good)
    for (const Json& layer : out.results["layers"])
      good = good && layer.contains("knn") && layer.contains("logistic") && layer.contains("multiply_adds");
  vitral::check(good, file.native(), " is no results.json of `evaluate`; evaluate the checkpoint again");
  const PretrainOptions options = pretrain_options_from_json(out.results["run"]);
  options_detail::for_each_option(options, [&](const auto& row, const auto& member) {
    if (!row.free) out.settings[row.name] = member;
  });
  out.settings.erase("seed");
  out.settings["data"] = vitral::dataset_defaults(options.dataset).path.empty() ? options.data : "";
  for (const char* key : {"finetuned", "truncated"}) out.settings[key] = out.results.value(key, "");
  out.method = options.method;
  out.seed = options.seed;
  return out;
}

/// Fails where accuracies of `b` cannot stand beside those of `a`: other images, or other classifiers.
inline void check_comparable(const Run& a, const Run& b) {
  for (const char* key :
       {"dataset", "train_images", "test_images", "holdout", "seed", "temperature", "logistic_c", "sgd_epochs"}) {
    const auto value = [&](const Run& run) { return run.results.contains(key) ? run.results[key].dump() : "none"; };
    vitral::check(value(a) == value(b), a.path, " and ", b.path,
                  " were evaluated differently, so their accuracies do not "
                  "compare: ",
                  key, " is ", value(a), " and ", value(b), "; evaluate both with the same options");
  }
}

/// Runs of the same settings. `rival`: the place of the group whose settings are those of the self-distilled method's
/// base, or -1.
struct Group {
  std::string name;
  std::vector<Run> runs;
  int rival = -1;

  [[nodiscard]] int depth() const { return static_cast<int>(runs[0].results["layers"].size()); }
  [[nodiscard]] bool self_distilled() const { return runs[0].method.starts_with("sd-"); }
};

/// The groups in the order of their first runs, named after the method and whatever else tells them apart.
inline std::vector<Group> grouped(const std::vector<Run>& runs) {
  std::vector<Group> groups;
  for (const Run& run : runs) {
    check_comparable(runs[0], run);
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.runs[0].settings == run.settings; });
    if (group == groups.end()) group = groups.insert(group, Group{run.method, {}});
    for (const Run& other : group->runs)
      vitral::check(other.seed != run.seed, other.path, " and ", run.path, " are the same run, ", run.method,
                    " with seed ", run.seed, "; name each once");
    group->runs.push_back(run);
  }
  for (const auto& option : runs[0].settings.items()) {
    const std::string& key = option.key();
    const auto differs = [&](const Group& g) { return g.runs[0].settings[key] != option.value(); };
    if (key == "method" || std::none_of(groups.begin(), groups.end(), differs)) continue;
    for (Group& g : groups) {
      const Json& value = g.runs[0].settings[key];
      const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
      if (!text.empty()) g.name += ", " + key + " " + text;
    }
  }
  // What weighs the self-distillation is no difference to a method without it.
  const auto bare = [](Json settings) {
    for (const char* key : {"method", "ratio", "ratio-schedule"}) settings.erase(key);
    return settings;
  };
  for (Group& group : groups)
    for (std::size_t i = 0; i < groups.size() && group.self_distilled(); ++i)
      if (groups[i].runs[0].method == group.runs[0].method.substr(3) &&
          bare(groups[i].runs[0].settings) == bare(group.runs[0].settings))
        group.rival = static_cast<int>(i);
  return groups;
}

/// A kind of accuracy that every layer of every run has.
struct Measure {
  std::string title;
  std::vector<std::string> path;  // of its scores in a layer's JSON

  /// The share of right first guesses in percent.
  [[nodiscard]] double of(const Json& layer) const {
    const Json* at = &layer;
    for (const std::string& key : path) at = &at->at(key);
    return 100 * at->at("top1").get<double>();
  }
};

/// k-NN with 20 neighbours or the fewest that all runs asked, and every other classifier that all runs have.
inline std::vector<Measure> measures(const std::vector<Run>& runs) {
  const auto everywhere = [&](const auto& has) {
    return std::all_of(runs.begin(), runs.end(), [&](const Run& run) {
      return std::all_of(run.results["layers"].begin(), run.results["layers"].end(), has);
    });
  };
  std::vector<Measure> out;
  std::string k;
  for (const auto& item : runs[0].results["layers"][0]["knn"].items())
    if (everywhere([&](const Json& layer) { return layer["knn"].contains(item.key()); }))
      if (k.empty() || item.key() == "20") k = item.key();
  if (!k.empty()) out.push_back({"k-NN, k = " + k, {"knn", k}});
  for (const auto& item : runs[0].results["layers"][0].items())
    if (everywhere([&](const Json& layer) {
          return layer.contains(item.key()) && layer[item.key()].is_object() && layer[item.key()].contains("top1");
        }))
      out.push_back({item.key() == "logistic" ? "logistic regression"
                     : item.key() == "sgd"    ? "linear, SGD"
                                              : item.key(),
                     {item.key()}});
  vitral::check(!out.empty(), runs[0].path,
                ": there is no k and no classifier that all runs have; evaluate them with the "
                "same --k");
  return out;
}

/// A number of every layer (or confidence) over the runs of a group.
struct Spread {
  std::vector<double> mean, least, most;
};

/// `value(run, i)` for i from 0 on.
template <class Value>
Spread spread(const Group& group, std::size_t count, const Value& value) {
  Spread out;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<double> all;
    for (const Run& run : group.runs) all.push_back(value(run, i));
    double sum = 0;
    for (const double x : all) sum += x;
    out.mean.push_back(sum / static_cast<double>(all.size()));
    out.least.push_back(*std::min_element(all.begin(), all.end()));
    out.most.push_back(*std::max_element(all.begin(), all.end()));
  }
  return out;
}

inline Spread accuracy(const Group& group, const Measure& measure) {
  return spread(group, static_cast<std::size_t>(group.depth()),
                [&](const Run& run, std::size_t layer) { return measure.of(run.results["layers"][layer]); });
}

/// What self-distillation has gained over its base, in points of accuracy.
struct Gain {
  int layers, not_worse;      // of which the self-distilled network is at least as good
  double lower, upper, last;  // means of the lower and the upper half of the layers, and the last layer
};

inline Gain gain(const std::vector<double>& base, const std::vector<double>& self_distilled) {
  const std::size_t depth = base.size(), half = depth / 2;
  Gain out{static_cast<int>(depth), 0, 0, 0, 0};
  for (std::size_t i = 0; i < depth; ++i) {
    const double more = self_distilled[i] - base[i];
    out.not_worse += more >= 0;
    (i < half ? out.lower : out.upper) += more / static_cast<double>(i < half ? half : depth - half);
    out.last = more;
  }
  return out;
}

}  // namespace comparison
