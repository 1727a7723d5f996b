// EvaluationResults from JSON, held against every rule that what to_json writes keeps. Relies on nlohmann::json.
#pragma once

#include <vitral/eval/results.hpp>
#include <vitral/io/json.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// Reads what to_json writes, and says what is missing: errors begin with `where`.
class ResultsReader {
 public:
  using Json = nlohmann::ordered_json;

  explicit ResultsReader(std::string_view where) : where_(where) {}

  [[nodiscard]] EvaluationResults results(const Json& in) const {
    expect(in.is_object(), "it is no object");
    EvaluationResults out;
    out.dataset = text(in, "dataset");
    out.train_images = count(in, "train_images", "images");
    out.test_images = count(in, "test_images", "images");
    out.classes = count(in, "classes", "classes");
    out.temperature = number(in, "temperature", "");
    out.logistic_c = number(in, "logistic_c", "");
    out.sgd_epochs = count(in, "sgd_epochs", "epochs");
    out.speed_batch = count(in, "speed_batch", "images");
    out.threads = count(in, "threads", "threads");
    for (const Json& item : list(in, "layers", "")) {
      const int number = layer_number(item, out.layers);
      out.layers.push_back(layer(item, number, " of layer " + std::to_string(number)));
      expect(asked(out.layers.back()) == asked(out.layers[0]), "layer ", number,
             " was tried with other classifiers than layer ", out.layers[0].layer);
    }
    expect(!out.layers.empty(), "\"layers\" is an empty list");
    for (const Json& item : list(in, "adaptive_exit", "")) {
      const std::string of = " of an adaptive exit";
      out.adaptive_exit.push_back({share(item, "confidence", of), share(item, "accuracy", of),
                                   number(item, "multiply_adds", of), number(item, "layers", of)});
    }
    if (in.contains("analyses")) out.analyses = analyses(in["analyses"]);
    return out;
  }

 private:
  template <class... What>
  void expect(bool good, const What&... what) const {
    check(good, where_, ": ", what..., "; evaluate the network again");
  }

  const Json& member(const Json& in, const char* key, std::string_view of) const {
    expect(in.is_object() && in.contains(key), "it has no \"", key, "\"", of);
    return in[key];
  }
  const Json& list(const Json& in, const char* key, std::string_view of) const {
    const Json& value = member(in, key, of);
    expect(value.is_array(), "\"", key, "\" is no list", of);
    return value;
  }
  std::string text(const Json& in, const char* key) const {
    const Json& value = member(in, key, "");
    expect(value.is_string(), "\"", key, "\" is no text");
    return value.get<std::string>();
  }
  double number(const Json& in, const char* key, std::string_view of) const {
    expect(in.is_object() && in.contains(key) && in[key].is_number(), "it has no number \"", key, "\"", of);
    return in[key].get<double>();
  }
  double share(const Json& in, const char* key, std::string_view of) const {
    const bool good = in.is_object() && in.contains(key) && in[key].is_number() && in[key].get<double>() >= 0 &&
                      in[key].get<double>() <= 1;
    expect(good, "it has no number \"", key, "\" from 0 to 1", of);
    return in[key].get<double>();
  }
  /// A whole number that T holds, 0 or more.
  template <class T>
  T whole(const Json& value, std::string_view key, std::string_view what) const {
    expect(value.is_number_integer() && (value.is_number_unsigned() || value.get<std::int64_t>() >= 0) &&
               value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<T>::max()),
           "\"", key, "\" is no number of ", what);
    return static_cast<T>(value.get<std::uint64_t>());
  }
  int count(const Json& in, const char* key, const char* what) const {
    return whole<int>(member(in, key, ""), key, what);
  }
  std::vector<double> numbers(const Json& value, std::string_view key, std::string_view of) const {
    expect(value.is_array(), "\"", key, "\" is no list", of);
    std::vector<double> out;
    for (const Json& item : value) {
      expect(item.is_number(), "\"", key, "\" has something that is no number", of);
      out.push_back(item.get<double>());
    }
    return out;
  }
  Accuracy accuracy(const Json& in, std::string_view of) const {
    Accuracy out{share(in, "top1", of), share(in, "top5", of), {}};
    if (in.contains("mean_per_class")) out.mean_per_class = share(in, "mean_per_class", of);
    return out;
  }

  /// The number of a layer, which is larger than those before it.
  template <class Layer>
  int layer_number(const Json& in, const std::vector<Layer>& before) const {
    const int number = count(in, "layer", "a layer");
    expect(number > (before.empty() ? 0 : before.back().layer), "\"layers\" has layer ", number, " after layer ",
           before.empty() ? 0 : before.back().layer);
    return number;
  }

  /// Which classifiers a layer was tried with.
  static std::array<bool, 3> asked(const LayerEvaluation& found) {
    return {!found.knn.empty(), found.logistic.has_value(), found.sgd.has_value()};
  }

  LayerEvaluation layer(const Json& in, int layer_number, const std::string& of) const {
    LayerEvaluation out;
    out.layer = layer_number;
    if (in.contains("knn")) {
      expect(in["knn"].is_object(), "\"knn\" is no object", of);
      for (const auto& [key, scores] : in["knn"].items()) {
        int k = 0;
        const auto end = std::from_chars(key.data(), key.data() + key.size(), k);
        expect(k > 0 && end.ptr == key.data() + key.size(), "\"", legible(key), "\" is no number of neighbours", of);
        out.knn[k] = accuracy(scores, " of k-NN" + of);
      }
    }
    if (in.contains("logistic")) out.logistic = accuracy(in["logistic"], " of logistic regression" + of);
    if (in.contains("sgd")) out.sgd = sgd(in["sgd"], " of the linear classifier by SGD" + of);
    expect(asked(out) != std::array<bool, 3>{}, "it has no classifier", of);
    if (in.contains("multiply_adds"))
      out.cost = {number(in, "multiply_adds", of), number(in, "milliseconds", of), number(in, "images_per_second", of)};
    return out;
  }

  SgdAccuracy sgd(const Json& in, const std::string& of) const {
    SgdAccuracy out{number(in, "rate", of), accuracy(in, of), {}};
    for (const Json& rate : list(in, "rates", of))
      out.rates.push_back({number(rate, "rate", of), share(rate, "held_out_top1", of), accuracy(rate, of)});
    return out;
  }

  std::vector<std::vector<double>> table(const Json& in, const char* key) const {
    std::vector<std::vector<double>> out;
    for (const Json& row : list(in, key, "")) {
      out.push_back(numbers(row, key, ""));
      expect(!out.back().empty() && out.back().size() == out[0].size(), "\"", key, "\" is no table");
    }
    return out;
  }
  std::vector<float> points(const Json& in, const char* key) const {
    std::vector<float> out;
    for (const Json& point : list(in, key, "")) {
      const std::vector<double> coordinates = numbers(point, key, "");
      expect(coordinates.size() == 2, "\"", key, "\" has a point that has not two coordinates");
      for (const double coordinate : coordinates) out.push_back(static_cast<float>(coordinate));
    }
    return out;
  }

  Analyses analyses(const Json& in) const {
    Analyses out;
    const auto image = [&](const Json& value) { return whole<long>(value, "image", "an image"); };
    const auto label = [&](const Json& value) {
      const int found = whole<int>(value, "label", "a class");
      expect(found < static_cast<int>(out.classes.size()), "label ", found, " is not one of ", out.classes.size(),
             " classes");
      return found;
    };
    out.images = whole<long>(member(in, "images", ""), "images", "images");
    out.attention_distance_images =
        whole<long>(member(in, "attention_distance_images", ""), "attention_distance_images", "images");
    for (const Json& item : list(in, "layers", "")) {
      const int layer = layer_number(item, out.layers);
      const std::string of = " of the analysis of layer " + std::to_string(layer);
      out.layers.push_back({layer, number(item, "alignment", of), number(item, "uniformity", of),
                            number(item, "positive_cosine", of), number(item, "negative_cosine", of),
                            number(item, "effective_rank", of),
                            numbers(member(item, "explained_variance", of), "explained_variance", of),
                            numbers(member(item, "attention_distance", of), "attention_distance", of)});
    }
    out.cka = table(in, "cka");
    if (in.contains("cka_against")) out.cka_against = table(in, "cka_against");
    for (const Json& name : list(in, "classes", "")) {
      expect(name.is_string(), "\"classes\" has a name that is no text");
      out.classes.push_back(name.get<std::string>());
    }
    for (const Json& item : list(in, "labels", "")) out.labels.push_back(label(item));
    out.pca = points(in, "pca");
    out.tsne = points(in, "tsne");
    expect(out.pca.size() == 2 * out.labels.size() && out.tsne.size() == out.pca.size(), "it has ", out.labels.size(),
           " labels of ", out.pca.size() / 2, " and ", out.tsne.size() / 2, " points");
    out.perplexity = number(in, "perplexity", "");
    for (const Json& item : list(in, "attention_images", "")) out.attention_images.push_back(image(item));
    for (const Json& query : list(in, "neighbours", "")) {
      const char* const of = " of the neighbours";
      out.neighbours.push_back({image(member(query, "image", of)), label(member(query, "label", of)), {}});
      for (const Json& near : list(query, "nearest", of))
        out.neighbours.back().nearest.push_back({image(member(near, "image", of)), label(member(near, "label", of)),
                                                 static_cast<float>(number(near, "similarity", of))});
    }
    if (in.contains("against")) out.against = text(in, "against");
    return out;
  }

  std::string where_;
};

}  // namespace detail

/// The evaluation that `to_json` wrote; other keys beside its own are passed over. Throws Error, beginning with
/// `where` ("results.json"), that says what is missing or out of range.
[[nodiscard]] inline EvaluationResults results_from_json(const nlohmann::ordered_json& json, std::string_view where) {
  return detail::ResultsReader(where).results(json);
}

}}  // namespace vitral
