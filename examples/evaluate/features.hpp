// Features of a network's layers for the images of both splits of a data set.
#pragma once

#include "common/network.hpp"
#include "common/trained_network.hpp"

#include <vitral/eval/features.hpp>
#include <vitral/io/progress.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Which features of which images.
struct FeatureRequest {
  DataPlace place;
  ImageChoice choice;
  int k;                    // the most neighbours that k-NN will ask
  std::vector<int> layers;  // their numbers
  Preparation preparation;
  FeatureStorage storage;
};

/// The chosen layers' features of images of both splits, with `places` that are numbers in the splits. `holdout`: see
/// ChosenImages.
struct SplitFeatures {
  std::string dataset;
  double holdout;
  std::vector<Features> train, test;
};

/// `name` is what the network is called on the terminal.
inline SplitFeatures split_features(const Network& network, const std::string& name, const FeatureRequest& r) {
  const int side = network.size.image;
  const ChosenImages chosen = labelled_images(r.place, r.choice, side, center_view(side).least_side());
  check(r.k <= chosen.train.size(), "--k ", r.k, " is more than the ", chosen.train.size(), " images of --train");
  std::printf("%s, %zu layers: features of %ld and %ld images of %s\n", name.c_str(), r.layers.size(),
              chosen.train.size(), chosen.test.size(), escape_text(chosen.train.name()).c_str());
  const auto extract = [&](const char* label, const Dataset& data, const std::vector<long>& places) {
    Progress progress(label, data.size(), 1);
    const auto done = [&](long images) { progress.update(images, std::nan("")); };
    auto layers = std::move(extract_features(network, data, data.size(), {r.preparation.view(side)},
                                             {.layers = r.layers, .done = done, .storage = r.storage})[0]);
    progress.finish();
    check_readable(data, layers[0].places);
    for (Features& layer : layers)
      for (long& place : layer.places) place = places[static_cast<std::size_t>(place)];
    return layers;
  };
  SplitFeatures out{chosen.train.name(), chosen.holdout, {}, {}};
  out.train = extract("train", chosen.train, chosen.train_places);
  check(r.k <= out.train[0].images(), "--k ", r.k, " is more than the ", out.train[0].images(),
        " images of --train that can be read");
  out.test = extract("test", chosen.test, chosen.test_places);
  return out;
}

}}}  // namespace vitral::programs
