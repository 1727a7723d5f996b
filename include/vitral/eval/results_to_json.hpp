// EvaluationResults as JSON, the form of `results.json`. Relies on nlohmann::json.
#pragma once

#include <vitral/eval/results.hpp>

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

using Json = nlohmann::ordered_json;

inline Json json_of(const Accuracy& accuracy) { return {{"top1", accuracy.top1}, {"top5", accuracy.top5}}; }

/// The median under its own name, as results of earlier versions have it, and the rest beside it.
inline void add_timing(Json& out, const std::string& name, const Timing& timing) {
  out[name] = timing.median;
  if (timing.runs > 0)
    out[name + "_quartiles"] = {{"lower", timing.lower}, {"upper", timing.upper}, {"runs", timing.runs}};
}

inline Json json_of(const LayerEvaluation& found, int layer) {
  Json out{{"layer", layer}};
  for (const auto& [k, accuracy] : found.knn) out["knn"][std::to_string(k)] = json_of(accuracy);
  out["logistic"] = json_of(found.logistic);
  Json& sgd = out["sgd"] = json_of(found.sgd.test);
  sgd["rate"] = found.sgd.rate;
  for (const RateAccuracy& rate : found.sgd.rates)
    sgd["rates"].push_back({{"rate", rate.rate},
                            {"held_out_top1", rate.held_out_top1},
                            {"top1", rate.test.top1},
                            {"top5", rate.test.top5}});
  if (found.cost) {
    out["multiply_adds"] = found.cost->multiply_adds;
    add_timing(out, "milliseconds", found.cost->milliseconds);
    add_timing(out, "images_per_second", found.cost->images_per_second);
  }
  return out;
}

inline Json json_of(const LayerAnalysis& found, int layer) {
  Json out{{"layer", layer},
           {"alignment", found.alignment},
           {"uniformity", found.uniformity},
           {"positive_cosine", found.positive_cosine},
           {"negative_cosine", found.negative_cosine},
           {"effective_rank", found.effective_rank},
           {"explained_variance", found.explained_variance},
           {"attention_distance", found.attention_distance}};
  if (found.tolerance) out["tolerance"] = *found.tolerance;
  return out;
}

/// Pairs of coordinates.
inline Json points_json(const std::vector<float>& coordinates) {
  Json out = Json::array();
  for (std::size_t i = 0; i + 1 < coordinates.size(); i += 2) out.push_back({coordinates[i], coordinates[i + 1]});
  return out;
}

inline Json json_of(const Analyses& found) {
  Json out{{"images", found.images}, {"attention_distance_images", found.attention_distance_images}};
  for (std::size_t i = 0; i < found.layers.size(); ++i)
    out["layers"].push_back(json_of(found.layers[i], static_cast<int>(i + 1)));
  out["cka"] = found.cka;
  if (!found.cka_against.empty()) out["cka_against"] = found.cka_against;
  out["classes"] = found.classes;
  out["labels"] = found.labels;
  out["pca"] = points_json(found.pca);
  out["tsne"] = points_json(found.tsne);
  for (const auto& [layer, points] : found.tsne_layers) out["tsne_layers"][std::to_string(layer)] = points_json(points);
  out["perplexity"] = found.perplexity;
  out["attention_images"] = found.attention_images;
  out["neighbours"] = Json::array();
  for (const NearestImages& of : found.neighbours) {
    Json query{{"image", of.image}, {"label", of.label}};
    for (const NearImage& near : of.nearest)
      query["nearest"].push_back({{"image", near.image}, {"label", near.label}, {"similarity", near.similarity}});
    out["neighbours"].push_back(std::move(query));
  }
  if (!found.against.empty()) out["against"] = found.against;
  return out;
}

}  // namespace detail

/// Everything that the evaluation holds, under the names of its members.
[[nodiscard]] inline nlohmann::ordered_json to_json(const EvaluationResults& found) {
  nlohmann::ordered_json out{
      {"dataset", found.dataset},       {"train_images", found.train_images}, {"test_images", found.test_images},
      {"classes", found.classes},       {"temperature", found.temperature},   {"logistic_c", found.logistic_c},
      {"sgd_epochs", found.sgd_epochs}, {"speed_batch", found.speed_batch},   {"threads", found.threads}};
  for (std::size_t i = 0; i < found.layers.size(); ++i)
    out["layers"].push_back(detail::json_of(found.layers[i], static_cast<int>(i + 1)));
  out["adaptive_exit"] = nlohmann::ordered_json::array();
  for (const AdaptiveExit& exit : found.adaptive_exit)
    out["adaptive_exit"].push_back({{"confidence", exit.confidence},
                                    {"accuracy", exit.accuracy},
                                    {"multiply_adds", exit.multiply_adds},
                                    {"layers", exit.layers}});
  if (found.analyses) out["analyses"] = detail::json_of(*found.analyses);
  return out;
}

}}  // namespace vitral
