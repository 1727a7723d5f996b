// Features of every layer of a checkpoint's network, on the backend of the source file that includes this: evaluate.cpp or
// evaluate_cuda.cu.
#pragma once

#include "layer_features.hpp"
#include "trained_network.hpp"

#include <vitral/eval/features.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/vitral.hpp>

namespace vitral::inline VITRAL_ABI::programs {

/// Whose features of which pictures.
struct FeatureRequest {
  std::string checkpoint;
  DataPlace place;
  long train, test;  // images of each split; 0 = all
  int k;             // the most neighbours that k-NN will ask
};

/// Every layer's features of the two splits.
struct SplitFeatures {
  std::string dataset;
  std::vector<Features> train, test;
};

template <class B>
SplitFeatures features_on(const FeatureRequest& r) {
  const SafetensorsFile file(r.checkpoint);
  const PretrainOptions run = run_of(file);
  const auto [train, test] = labelled_pictures(r.place, run.image, run.image);
  const auto count = [](long wanted, const Dataset& data) {
    return wanted > 0 ? std::min(wanted, data.size()) : data.size();
  };
  check(r.k <= count(r.train, train), "--k ", r.k, " is more than the ", count(r.train, train), " images of --train");
  const auto encoder = network<B>(file, run);
  std::printf("%s, %d layers: features of %ld and %ld images of %s\n", run.method.c_str(), run.depth,
              count(r.train, train), count(r.test, test), train.name().c_str());
  const auto features = [&](const char* label, const Dataset& data, long images) {
    Progress progress(label, images, 1);
    auto out = extract_features(encoder, data, images, 128, [&](long done) { progress.update(done, std::nan("")); });
    progress.finish();
    return out;
  };
  return {train.name(), features("train", train, count(r.train, train)), features("test", test, count(r.test, test))};
}

/// Requests and their answers as they pass to the part that another compiler made: members in their order, of types of
/// the standard library.
using PlainRequest = std::tuple<std::string, std::string, std::string, long, long, int>;
using PlainSplits = std::tuple<std::string, std::vector<PlainFeatures>, std::vector<PlainFeatures>>;

inline PlainRequest plain(const FeatureRequest& request) {
  const auto& [checkpoint, place, train, test, k] = request;
  const auto& [dataset, path] = place;
  return {checkpoint, dataset, path, train, test, k};
}
inline FeatureRequest request_of(const PlainRequest& plain) {
  const auto& [checkpoint, dataset, path, train, test, k] = plain;
  return {checkpoint, {dataset, path}, train, test, k};
}
inline PlainSplits plain(SplitFeatures found) {
  auto& [dataset, train, test] = found;
  PlainSplits out{std::move(dataset), {}, {}};
  for (Features& layer : train) std::get<1>(out).push_back(plain(std::move(layer)));
  for (Features& layer : test) std::get<2>(out).push_back(plain(std::move(layer)));
  return out;
}
inline SplitFeatures splits_of(PlainSplits plain) {
  auto& [dataset, train, test] = plain;
  SplitFeatures out{std::move(dataset), {}, {}};
  for (PlainFeatures& layer : train) out.train.push_back(features(std::move(layer)));
  for (PlainFeatures& layer : test) out.test.push_back(features(std::move(layer)));
  return out;
}

}  // namespace vitral::inline VITRAL_ABI::programs

/// features_on<Cuda>.
vitral::programs::PlainSplits features_on_cuda(const vitral::programs::PlainRequest& request);
