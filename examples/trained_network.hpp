// The network of a checkpoint that `pretrain` has written, whole or cut after one of its layers, and pictures to try it on.
#pragma once

#include "saved_run.hpp"

#include <vitral/data/open.hpp>
#include <vitral/io/checkpoint.hpp>
#include <vitral/models/vit.hpp>

/// A data set's layout and place: what the command line says, else the run's own.
struct DataPlace {
  std::string dataset, path;
};
inline DataPlace data_of(const PretrainOptions& run, const std::string& dataset, const std::string& data) {
  DataPlace place{dataset.empty() ? run.dataset : dataset, data};
  if (data.empty()) place.path = place.dataset == run.dataset ? run.data : vitral::dataset_defaults(dataset).path;
  vitral::check(!place.path.empty(), "--dataset ", place.dataset,
                " needs --data DIR, the directory that holds the images");
  return place;
}

/// Both splits of labelled pictures for a network that takes squares of `side`. `least_side`: see open_dataset, for the
/// training pictures.
struct LabelledPictures {
  vitral::Dataset train, test;
};
inline LabelledPictures labelled_pictures(const DataPlace& place, int side, int least_side) {
  LabelledPictures out{vitral::open_dataset(place.dataset, place.path, vitral::Split::train, least_side),
                       vitral::open_dataset(place.dataset, place.path, vitral::Split::test, side)};
  for (const vitral::Dataset& part : {out.train, out.test})
    vitral::check(!part.classes().empty(), "the images of ", part.name(),
                  " have no labels; --dataset names labelled ones");
  return out;
}

/// The checkpoint's network.
template <class B>
vitral::ViT<B, float> network(const vitral::SafetensorsFile& file, const PretrainOptions& run) {
  vitral::ViT<B, float> encoder({run.image, run.patch, run.width, run.depth, run.heads});
  load_module(file, encoder, "student.encoder");
  return encoder;
}

/// The layer that --layer names; 0 is the last.
inline int chosen_layer(int layer, const PretrainOptions& run, const std::string& checkpoint) {
  vitral::check(layer <= run.depth, "--layer ", layer, ": ", checkpoint, " has ", run.depth, " layers; choose 1 to ",
                run.depth);
  return layer > 0 ? layer : run.depth;
}

/// The network that ends after block `layers`. It shares the parameters of `encoder`, so it costs no memory.
template <class B>
vitral::ViT<B, float> first_layers(vitral::ViT<B, float> encoder, int layers) {
  encoder.blocks.erase(encoder.blocks.begin() + layers, encoder.blocks.end());
  encoder.size.depth = layers;
  return encoder;
}
