// Several results of `evaluate` side by side: runs that differ in the seed alone are one group.
#pragma once

#include "common/images.hpp"
#include "pretrain/options.hpp"

#include <vitral/core/error.hpp>
#include <vitral/eval/results_from_json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::comparison {

using Json = nlohmann::ordered_json;

/// What `evaluate` has written about one run.
struct Run {
  std::string path;
  vitral::EvaluationResults results;
  Json settings;    // the options of training but those that leave the numbers as they are
  Json conditions;  // of the evaluation: the images, and what classifiers were told
  std::string method;
  long seed;
};

/// Fails, naming the file, unless it is whole.
inline Run read_run(const std::string& folder) {
  const std::filesystem::path file = std::filesystem::path(folder) / "results.json";
  std::error_code ignored;
  vitral::check(std::filesystem::exists(file, ignored), file.native(),
                " cannot be read; expected the --out directory of `evaluate`");
  const Json json = vitral::read_json(file);
  const std::string no_results = file.native() + " is no results.json of `evaluate`";
  Run out{folder, results_from_json(json, no_results), {}, {}, "", 0};
  vitral::check(
      json.contains("run"), file.native(),
      " is about a network of which no run of `pretrain` is known; compare needs its method, seed and options");
  vitral::check(json["run"].is_object(), no_results, ": its run is no object");
  const PretrainOptions options = pretrain_options_from_json(json["run"], file.native() + ": its run");
  const std::size_t layers = out.results.layers.size();
  const vitral::LayerEvaluation& first = out.results.layers[0];
  vitral::check(!first.knn.empty() && first.logistic && first.sgd, file.native(),
                " lacks one of k-NN, logistic regression and SGD; evaluate the checkpoint with all --classifiers");
  vitral::check(layers == static_cast<std::size_t>(options.depth), file.native(), " has results of ", layers,
                " layers, but its network has ", options.depth, "; evaluate the checkpoint again, with all --layers");
  const bool priced = std::all_of(out.results.layers.begin(), out.results.layers.end(),
                                  [](const auto& layer) { return layer.cost.has_value(); });
  vitral::check(priced && !out.results.adaptive_exit.empty(), no_results,
                ": it does not say what layers and exits cost; evaluate the checkpoint again");
  options_detail::for_each_option(options, [&](const auto& row, const auto& member) {
    if (!row.free) out.settings[row.name] = member;
  });
  out.settings.erase("seed");
  out.settings["data"] = vitral::known_dataset(options.dataset).path.empty() ? options.data : "";
  for (const char* key : {"finetuned", "truncated"}) {
    out.settings[key] = json.value(key, Json(""));
    vitral::check(out.settings[key].is_string(), no_results, ": \"", key, "\" is no text");
  }
  for (const char* key :
       {"dataset", "train_images", "test_images", "holdout", "seed", "temperature", "logistic_c", "sgd_epochs"})
    out.conditions[key] = json.value(key, Json());
  if (json.contains("branch")) out.conditions["branch"] = json["branch"];
  const Preparation usual;  // of results that do not say it
  out.conditions["resize"] = json.value("resize", Json(usual.resize));
  out.conditions["interpolation"] = json.value("interpolation", Json(usual.interpolation));
  out.method = options.method;
  out.seed = options.seed;
  return out;
}

/// Fails where accuracies of `b` cannot stand beside those of `a`: other images, other classifiers or confidences, or
/// of one the student and of the other the teacher. A run of one network, such as SimCLR's, compares with both.
inline void check_comparable(const Run& a, const Run& b) {
  const auto &ours = a.results.adaptive_exit, &theirs = b.results.adaptive_exit;
  vitral::check(std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                           [](const auto& x, const auto& y) { return x.confidence == y.confidence; }),
                a.path, " and ", b.path,
                " have adaptive exits at other confidences; evaluate both with the same version of `evaluate`");
  for (const auto& [key, value] : a.conditions.items()) {
    if (!b.conditions.contains(key)) continue;
    vitral::check(value == b.conditions[key], a.path, " and ", b.path,
                  " were evaluated differently, so their accuracies do not compare: ", key, " is ",
                  vitral::legible(value), " and ", vitral::legible(b.conditions[key]),
                  "; evaluate both with the same options");
  }
}

/// Runs of the same settings. `rival`: the place of the group whose settings are those of the self-distilled method's
/// base, or -1.
struct Group {
  std::string name;
  std::vector<Run> runs;
  int rival = -1;

  [[nodiscard]] int depth() const { return static_cast<int>(runs[0].results.layers.size()); }
  [[nodiscard]] bool self_distilled() const { return runs[0].method.starts_with("sd-"); }
  /// Whether the lower layers' loss has the weight that is published for the method, so that its name says it all.
  [[nodiscard]] bool published_ratio() const {
    return runs[0].settings["ratio"] ==
           with_method(runs[0].method, [](const auto& known) { return Json(known.ratio); });
  }
};

/// The groups in the order of their first runs, named after the method and whatever else tells them apart.
inline std::vector<Group> grouped(const std::vector<Run>& runs) {
  std::vector<Group> groups;
  for (const Run& run : runs) {
    for (const Run& other : runs) check_comparable(run, other);
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
      if (key == "ratio" && g.published_ratio()) continue;
      const Json& value = g.runs[0].settings[key];
      const std::string text = value.is_string() ? vitral::legible(value.get<std::string>()) : value.dump();
      if (!text.empty()) g.name += ", " + key + " " + text;
    }
  }
  // What weighs or changes the self-distillation is no difference to a method without it.
  const auto bare = [](Json settings) {
    for (const char* key : {"method", "ratio", "ratio-schedule"}) settings.erase(key);
    const AblationOptions ablations;
    options_detail::for_each_ablation_option(ablations, [&](const auto& row, auto&) { settings.erase(row.name); });
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
  std::string title, file;  // file: what a chart of it is called
  std::function<vitral::Accuracy(const vitral::LayerEvaluation&)> accuracy;
  bool mean_per_class = false;  // the benchmark of the data set, where all results have it; else it is top-1

  /// In percent.
  [[nodiscard]] double of(const vitral::LayerEvaluation& layer) const {
    const vitral::Accuracy found = accuracy(layer);
    return 100 * (mean_per_class ? found.mean_per_class.value() : found.top1);
  }
};

/// k-NN with 20 neighbours, or else with the fewest that all runs asked, and the linear classifiers.
inline std::vector<Measure> measures(const std::vector<Run>& runs) {
  using Layer = vitral::LayerEvaluation;
  const auto everywhere = [&](const auto& has) {
    return std::all_of(runs.begin(), runs.end(), [&](const Run& run) {
      return std::all_of(run.results.layers.begin(), run.results.layers.end(), has);
    });
  };
  std::vector<Measure> out;
  for (const auto& asked : runs[0].results.layers[0].knn) {
    const int k = asked.first;
    if (everywhere([&](const Layer& layer) { return layer.knn.contains(k); }) && (out.empty() || k == 20))
      out = {{vitral::join("k-NN, k = ", k), "knn", [k](const Layer& layer) { return layer.knn.at(k); }}};
  }
  out.push_back({"logistic regression", "logistic", [](const Layer& layer) { return layer.logistic.value(); }});
  out.push_back({"linear, SGD", "sgd", [](const Layer& layer) { return layer.sgd.value().test; }});
  for (Measure& measure : out) {
    measure.mean_per_class =
        everywhere([&](const Layer& layer) { return measure.accuracy(layer).mean_per_class.has_value(); });
    if (measure.mean_per_class) measure.title += ", mean per class";
  }
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
                [&](const Run& run, std::size_t layer) { return measure.of(run.results.layers[layer]); });
}

/// The options of training that say what is trained, on what, how large and how long. All others are the recipe.
inline constexpr std::array<std::string_view, 19> scale_options{
    "method", "dataset",    "width",     "depth",  "heads",      "patch",         "image",
    "batch",  "accumulate", "devices",   "epochs", "max-epochs", "warmup-epochs", "lr",
    "hidden", "out-dim",    "precision", "device", "limit"};

/// Why the paper's ordering is not looked for in a network of these settings: fewer epochs than show it, or the first
/// option of a recipe that is not the paper's; empty where it is. The paper's at any scale (scale_options) is the
/// program's defaults.
inline std::string unjudged(const Json& settings) {
  PretrainOptions published;
  options_detail::for_each_option(published, [&](const auto& row, auto& member) {
    if (std::ranges::find(scale_options, row.name) != scale_options.end()) settings[row.name].get_to(member);
  });
  options_detail::fill_defaults(published);
  if (published.last_epoch() < 100) return vitral::join("not judged: ", published.last_epoch(), " epochs");
  std::string unlike;
  options_detail::for_each_option(published, [&](const auto& row, const auto& member) {
    if (row.free || !settings.contains(row.name) || !unlike.empty()) return;
    if (settings[row.name] != Json(member))
      unlike = vitral::join("not judged: ", row.name, " ", settings[row.name].dump());
  });
  return unlike;
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

}}}  // namespace vitral::programs::comparison
