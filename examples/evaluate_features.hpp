// Features of every layer of a checkpoint's network, on the backend of the source file that includes this: evaluate.cpp or
// evaluate_cuda.cu. What passes between them is made of the standard library's types alone.
#pragma once

#include "layer_features.hpp"
#include "trained_network.hpp"

#include <vitral/data/open.hpp>
#include <vitral/eval/features.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/vitral.hpp>

/// Whose features of which pictures.
struct FeatureRequest {
  std::string checkpoint, dataset, data;
  long train, test;  // images of each split; 0 = all
  int k;             // the most neighbours that k-NN will ask
};

/// Every layer's features of the two splits.
struct SplitFeatures {
  std::string dataset;
  std::vector<LayerFeatures> train, test;
};

SplitFeatures features_on_cuda(const FeatureRequest& request);

template <class B>
SplitFeatures features_on(const FeatureRequest& r) {
  using namespace vitral;
  const SafetensorsFile file(r.checkpoint);
  const PretrainOptions run = run_of(file);
  const Dataset train = open_dataset(r.dataset, r.data, Split::train, run.image),
                test = open_dataset(r.dataset, r.data, Split::test, run.image);
  for (const Dataset& part : {train, test})
    check(!part.classes().empty(), "the images of ", part.name(), " have no labels; --dataset names labelled ones");
  const auto count = [](long wanted, const Dataset& data) {
    return wanted > 0 ? std::min(wanted, data.size()) : data.size();
  };
  check(r.k <= count(r.train, train), "--k ", r.k, " is more than the ", count(r.train, train), " images of --train");
  const auto encoder = network<B>(file, run);
  std::printf("%s, %d layers: features of %ld and %ld images of %s\n", run.method.c_str(), run.depth,
              count(r.train, train), count(r.test, test), train.name().c_str());
  const auto features = [&](const char* label, const Dataset& data, long images) {
    Progress progress(label, images, 1);
    std::vector<LayerFeatures> out;
    for (Features& f : extract_features(encoder, data, images, 128,
                                        [&](long done) { progress.update(done, std::nan("")); }))
      out.push_back({std::move(f.rows), f.width, std::move(f.labels), f.classes});
    progress.finish();
    return out;
  };
  return {train.name(), features("train", train, count(r.train, train)), features("test", test, count(r.test, test))};
}
