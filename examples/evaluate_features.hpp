// Features of every layer of a checkpoint's network, on the backend of the source file that includes this: evaluate.cpp or
// evaluate_cuda.cu. What passes between them is made of the standard library's types alone.
#pragma once

#include "layer_features.hpp"
#include "trained_network.hpp"

#include <vitral/eval/features.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/vitral.hpp>

/// Whose features of which pictures.
struct FeatureRequest {
  std::string checkpoint;
  DataPlace place;
  PictureChoice choice;
  int k;  // the most neighbours that k-NN will ask
};

/// Every layer's features of both splits' images, and these images' numbers in them. `holdout`: see ChosenPictures.
struct SplitFeatures {
  std::string dataset;
  double holdout;
  std::vector<LayerFeatures> train, test;
  std::vector<long> train_places, test_places;
};

SplitFeatures features_on_cuda(const FeatureRequest& request);

template <class B>
SplitFeatures features_on(const FeatureRequest& r) {
  using namespace vitral;
  const SafetensorsFile file(r.checkpoint);
  const PretrainOptions run = run_of(file);
  const ChosenPictures chosen = labelled_pictures(r.place, r.choice, run.image, center_view(run.image).least_side());
  check(r.k <= chosen.train.size(), "--k ", r.k, " is more than the ", chosen.train.size(), " images of --train");
  const auto encoder = network<B>(file, run);
  std::printf("%s, %d layers: features of %ld and %ld images of %s\n", run.method.c_str(), run.depth,
              chosen.train.size(), chosen.test.size(), chosen.train.name().c_str());
  SplitFeatures out{chosen.train.name(), chosen.holdout, {}, {}, {}, {}};
  const auto extract = [&](const char* label, const Dataset& data, const std::vector<long>& places,
                           std::vector<LayerFeatures>& layers, std::vector<long>& readable) {
    Progress progress(label, data.size(), 1);
    for (Features& f : extract_features(encoder, data, data.size(), 128,
                                        [&](long done) { progress.update(done, std::nan("")); })) {
      if (layers.empty()) {
        check_readable(data, f.places);
        for (const long i : f.places) readable.push_back(places[static_cast<std::size_t>(i)]);
      }
      layers.push_back({std::move(f.rows), f.width, std::move(f.labels), f.classes});
    }
    progress.finish();
  };
  extract("train", chosen.train, chosen.train_places, out.train, out.train_places);
  extract("test", chosen.test, chosen.test_places, out.test, out.test_places);
  return out;
}
