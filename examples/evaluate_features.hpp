// Features of every layer of a checkpoint's network, on the backend of the source file that includes this: evaluate.cpp or
// evaluate_cuda.cu. What passes between them is made of the standard library's types alone.
#pragma once

#include "layer_features.hpp"
#include "pretrain_options.hpp"

#include <vitral/data/open.hpp>
#include <vitral/eval/features.hpp>
#include <vitral/io/checkpoint.hpp>
#include <vitral/vitral.hpp>

/// Which pictures of a data set.
struct FeatureRequest {
  std::string checkpoint, dataset, data;
  PretrainOptions run;  // that wrote the checkpoint
  bool train;           // the split: train or test
  long count;
};

std::vector<LayerFeatures> features_on_cuda(const FeatureRequest& request);

/// The first `layers` blocks of the checkpoint's network.
template <class B>
vitral::ViT<B, float> network(const vitral::SafetensorsFile& file, const PretrainOptions& run, int layers) {
  vitral::ViT<B, float> encoder({run.image, run.patch, run.width, layers, run.heads});
  load_module(file, encoder, "student.encoder");
  return encoder;
}

template <class B>
std::vector<LayerFeatures> features_on(const FeatureRequest& r) {
  const auto encoder = network<B>(vitral::SafetensorsFile(r.checkpoint), r.run, r.run.depth);
  const auto split = r.train ? vitral::Split::train : vitral::Split::test;
  std::vector<LayerFeatures> out;
  for (vitral::Features& f :
       extract_features(encoder, vitral::open_dataset(r.dataset, r.data, split, r.run.image), r.count))
    out.push_back({std::move(f.rows), f.width, std::move(f.labels), f.classes});
  return out;
}
