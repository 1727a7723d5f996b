// Features of every layer of a checkpoint's network, on the backend of the source file that includes this: evaluate.cpp
// or cuda.cu.
#pragma once

#include "common/trained_network.hpp"
#include "evaluate/plain_features.hpp"

#include <vitral/eval/features.hpp>
#include <vitral/io/progress.hpp>
#include <vitral/models/load_vit.hpp>
#include <vitral/vitral.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Whose features of which images.
struct FeatureRequest {
  std::string checkpoint;
  DataPlace place;
  ImageChoice choice;
  int k;  // the most neighbours that k-NN will ask
  NetworkBranch branch;
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

template <class B>
SplitFeatures features_on(const FeatureRequest& r) {
  const SafetensorsFile file(r.checkpoint);
  const auto encoder = load_vit<B, float>(file, {}, r.branch);
  const int side = encoder.size.image;
  const ChosenImages chosen = labelled_images(r.place, r.choice, side, center_view(side).least_side());
  check(r.k <= chosen.train.size(), "--k ", r.k, " is more than the ", chosen.train.size(), " images of --train");
  std::printf("%s, %zu layers: features of %ld and %ld images of %s\n", network_name(file).c_str(), r.layers.size(),
              chosen.train.size(), chosen.test.size(), escape_text(chosen.train.name()).c_str());
  const auto extract = [&](const char* label, const Dataset& data, const std::vector<long>& places) {
    Progress progress(label, data.size(), 1);
    const auto done = [&](long images) { progress.update(images, std::nan("")); };
    auto layers = std::move(extract_features(encoder, data, data.size(), {r.preparation.view(side)},
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

/// Requests and their answers as they pass to the part that another compiler made: members in their order, of types of
/// the standard library.
using PlainRequest = std::tuple<std::string, std::string, std::string, std::string, long, long, double, std::uint64_t,
                                int, bool, std::vector<int>, std::string, std::string, std::string, int>;
using PlainSplits = std::tuple<std::string, double, std::vector<PlainFeatures>, std::vector<PlainFeatures>>;
using PlainNeighbours = std::tuple<int, std::vector<float>, std::vector<int>>;

inline PlainRequest plain(const FeatureRequest& request) {
  const auto& [checkpoint, place, choice, k, branch, layers, preparation, storage] = request;
  return {checkpoint,
          place.dataset,
          place.path,
          place.tar_image,
          choice.train,
          choice.test,
          choice.holdout,
          choice.seed,
          k,
          branch == NetworkBranch::teacher,
          layers,
          preparation.resize,
          preparation.interpolation,
          storage.folder.native(),
          static_cast<int>(storage.type)};
}
inline FeatureRequest request_of(const PlainRequest& plain) {
  const auto& [checkpoint, dataset, path, tar_image, train, test, holdout, seed, k, teacher, layers, resize,
               interpolation, folder, type] = plain;
  return {checkpoint,
          {dataset, path, tar_image},
          {train, test, holdout, seed},
          k,
          teacher ? NetworkBranch::teacher : NetworkBranch::student,
          layers,
          {resize, interpolation},
          {folder, static_cast<ScalarType>(type)}};
}
inline PlainSplits plain(SplitFeatures found) {
  PlainSplits out{std::move(found.dataset), found.holdout, {}, {}};
  for (Features& layer : found.train) std::get<2>(out).push_back(plain(std::move(layer)));
  for (Features& layer : found.test) std::get<3>(out).push_back(plain(std::move(layer)));
  return out;
}
inline SplitFeatures splits_of(PlainSplits plain) {
  auto& [dataset, holdout, train, test] = plain;
  SplitFeatures out{std::move(dataset), holdout, {}, {}};
  for (PlainFeatures& layer : train) out.train.push_back(features(std::move(layer)));
  for (PlainFeatures& layer : test) out.test.push_back(features(std::move(layer)));
  return out;
}

}}}  // namespace vitral::programs

/// features_on<Cuda>.
vitral::programs::PlainSplits features_on_cuda(const vitral::programs::PlainRequest& request);

/// nearest_neighbours<Cuda>.
vitral::programs::PlainNeighbours neighbours_on_cuda(vitral::programs::PlainFeatures train,
                                                     vitral::programs::PlainFeatures test, int k);
