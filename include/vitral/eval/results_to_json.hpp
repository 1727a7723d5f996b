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

inline Json json_of(const Accuracy& accuracy) {
  Json out{{"top1", accuracy.top1}, {"top5", accuracy.top5}};
  if (accuracy.mean_per_class) out["mean_per_class"] = *accuracy.mean_per_class;
  return out;
}

inline Json json_of(const SgdAccuracy& found) {
  Json out = json_of(found.test);
  out["rate"] = found.rate;
  for (const RateAccuracy& rate : found.rates) {
    out["rates"].push_back({{"rate", rate.rate}, {"held_out_top1", rate.held_out_top1}});
    out["rates"].back().update(json_of(rate.test));
  }
  return out;
}

inline Json json_of(const LayerEvaluation& found) {
  Json out{{"layer", found.layer}};
  for (const auto& [k, accuracy] : found.knn) out["knn"][std::to_string(k)] = json_of(accuracy);
  if (found.logistic) out["logistic"] = json_of(*found.logistic);
  if (found.sgd) out["sgd"] = json_of(*found.sgd);
  if (found.cost) {
    out["multiply_adds"] = found.cost->multiply_adds;
    out["milliseconds"] = found.cost->milliseconds;
    out["images_per_second"] = found.cost->images_per_second;
  }
  return out;
}

inline Json json_of(const LayerAnalysis& found) {
  return {{"layer", found.layer},
          {"alignment", found.alignment},
          {"uniformity", found.uniformity},
          {"positive_cosine", found.positive_cosine},
          {"negative_cosine", found.negative_cosine},
          {"effective_rank", found.effective_rank},
          {"explained_variance", found.explained_variance},
          {"attention_distance", found.attention_distance}};
}

/// Pairs of coordinates.
inline Json points_json(const std::vector<float>& coordinates) {
  Json out = Json::array();
  for (std::size_t i = 0; i + 1 < coordinates.size(); i += 2) out.push_back({coordinates[i], coordinates[i + 1]});
  return out;
}

inline Json json_of(const Analyses& found) {
  Json out{{"images", found.images}, {"attention_distance_images", found.attention_distance_images}};
  for (const LayerAnalysis& layer : found.layers) out["layers"].push_back(json_of(layer));
  out["cka"] = found.cka;
  if (!found.cka_against.empty()) out["cka_against"] = found.cka_against;
  out["classes"] = found.classes;
  out["labels"] = found.labels;
  out["pca"] = points_json(found.pca);
  out["tsne"] = points_json(found.tsne);
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
  for (const LayerEvaluation& layer : found.layers) out["layers"].push_back(detail::json_of(layer));
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
