// Several results of `evaluate` side by side: runs that differ in the seed alone are one group.
#pragma once

#include "pretrain/options.hpp"

#include <vitral/core/error.hpp>
#include <vitral/io/json.hpp>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs::comparison {

using Json = nlohmann::ordered_json;

/// What `evaluate` has written about one run.
struct Run {
  std::string path;
  Json results, settings;  // settings: the options of training but those that leave the numbers as they are
  std::string method;
  long seed;
};

/// Fails, naming the file, unless a part of it is as `evaluate` writes it.
inline void check_results(const std::string& file, const Json& results) {
  const auto expect = [&](bool good, const auto&... what) {
    vitral::check(good, file, " is no results.json of `evaluate`: ", what..., "; evaluate the checkpoint again");
  };
  const auto number = [&](const Json& in, const char* key, double most, const auto&... place) {
    const auto within = [&](const Json& value) {
      return value.is_number() && value.get<double>() >= 0 && value.get<double>() <= most;
    };
    const bool good = in.is_object() && in.contains(key) && within(in[key]);
    expect(good, "it has no number \"", key, "\"", most == 1 ? " from 0 to 1" : "", place...);
  };
  expect(results.is_object(), "it is no object");
  vitral::check(
      results.contains("run"), file,
      " is about a network of which no run of `pretrain` is known; compare needs its method, seed and options");
  for (const char* key : {"dataset", "train_images", "test_images", "layers", "adaptive_exit"})
    expect(results.contains(key), "it has no \"", key, "\"");
  expect(results["run"].is_object() && results["dataset"].is_string(), "its run or data set is of another type");
  for (const char* key : {"finetuned", "truncated"})
    expect(!results.contains(key) || results[key].is_string(), "\"", key, "\" is no text");
  for (const char* key : {"train_images", "test_images"})
    expect(results[key].is_number_unsigned() && results[key].get<std::uint64_t>() < 1ul << 62, "\"", key,
           "\" is no number of images");
  for (const char* key : {"layers", "adaptive_exit"})
    expect(results[key].is_array() && !results[key].empty(), "\"", key, "\" is no list, or an empty one");
  constexpr double any = std::numeric_limits<double>::max();
  std::size_t place = 0;
  for (const Json& layer : results["layers"]) {
    const std::string of = " of layer " + std::to_string(++place);
    number(layer, "multiply_adds", any, of);
    expect(layer.contains("knn") && layer["knn"].is_object(), "it has no k-NN", of);
    for (const Json& scores : layer["knn"]) number(scores, "top1", 1, " of k-NN", of);
    expect(layer.contains("logistic"), "it has no logistic regression", of);
    number(layer["logistic"], "top1", 1, " of logistic regression", of);
    for (const auto& [classifier, scores] : layer.items()) {
      if (classifier == "knn" || !scores.is_object() || !scores.contains("top1")) continue;
      const bool word = std::all_of(classifier.begin(), classifier.end(),
                                    [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
      expect(word && classifier.size() < 64, "\"", vitral::legible(classifier), "\" is no classifier's name", of);
      number(scores, "top1", 1, " of ", classifier, of);
    }
  }
  for (const Json& exit : results["adaptive_exit"])
    for (const char* key : {"confidence", "accuracy", "multiply_adds"})
      number(exit, key, key == std::string("multiply_adds") ? any : 1, " of an adaptive exit");
}

inline Run read_run(const std::string& folder) {
  const std::filesystem::path file = std::filesystem::path(folder) / "results.json";
  std::error_code ignored;
  vitral::check(std::filesystem::exists(file, ignored), file.native(),
                " cannot be read; expected the --out directory of `evaluate`");
  Run out{folder, vitral::read_json(file), {}, "", 0};
  check_results(file.native(), out.results);
  const PretrainOptions options = pretrain_options_from_json(out.results["run"], file.native() + ": its run");
  const std::size_t layers = out.results["layers"].size();
  vitral::check(layers == static_cast<std::size_t>(options.depth), file.native(), " has results of ", layers,
                " layers, but its network has ", options.depth, "; evaluate the checkpoint again");
  options_detail::for_each_option(options, [&](const auto& row, const auto& member) {
    if (!row.free) out.settings[row.name] = member;
  });
  out.settings.erase("seed");
  out.settings["data"] = vitral::known_dataset(options.dataset).path.empty() ? options.data : "";
  for (const char* key : {"finetuned", "truncated"}) out.settings[key] = out.results.value(key, "");
  out.method = options.method;
  out.seed = options.seed;
  return out;
}

/// Fails where accuracies of `b` cannot stand beside those of `a`: other images, other classifiers or confidences.
inline void check_comparable(const Run& a, const Run& b) {
  const auto confidences = [](const Run& run) {
    std::vector<double> out;
    for (const Json& exit : run.results["adaptive_exit"]) out.push_back(exit["confidence"]);
    return out;
  };
  vitral::check(confidences(a) == confidences(b), a.path, " and ", b.path,
                " have adaptive exits at other confidences; evaluate both with the same version of `evaluate`");
  for (const char* key :
       {"dataset", "train_images", "test_images", "holdout", "seed", "temperature", "logistic_c", "sgd_epochs"}) {
    const auto value = [&](const Run& run) { return run.results.value(key, Json()); };
    vitral::check(value(a) == value(b), a.path, " and ", b.path,
                  " were evaluated differently, so their accuracies do not "
                  "compare: ",
                  key, " is ", vitral::legible(value(a)), " and ", vitral::legible(value(b)),
                  "; evaluate both with the same options");
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
      const std::string text = value.is_string() ? vitral::legible(value.get<std::string>()) : value.dump();
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

}}}  // namespace vitral::programs::comparison
