// The network of a checkpoint that `pretrain` has written, whole or cut after one of its layers, and images to try it
// on.
#pragma once

#include "common/images.hpp"
#include "common/saved_run.hpp"

#include <vitral/data/augment.hpp>
#include <vitral/io/checkpoint.hpp>
#include <vitral/models/vit.hpp>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// A data set's place: what the command line says, else the run's own.
inline DataPlace data_of(const PretrainOptions& run, const std::string& dataset, const std::string& data,
                         const std::string& tar_image) {
  DataPlace place{dataset.empty() ? run.dataset : dataset, data, tar_image};
  if (data.empty())
    place.path = place.dataset == run.dataset ? std::string_view(run.data) : vitral::known_dataset(dataset).path;
  if (tar_image.empty() && place.dataset == run.dataset && place.path == run.data) place.tar_image = run.tar_image;
  vitral::check(!place.path.empty(), "--dataset ", place.dataset,
                " needs --data DIR, the directory that holds the images");
  return place;
}

/// The options that say which images a program takes, if others than the run's own.
inline void add_data_options(CLI::App& app, std::string& dataset, std::string& data, std::string& tar_image) {
  app.add_option("--dataset", dataset, "Layout of the images in --data [that of the run]")
      ->check(CLI::IsMember(vitral::dataset_names()));
  app.add_option("--data", data, "Directory of the data set [that of the run]");
  app.add_option("--tar-image", tar_image, "Ending of the images where samples of archives have several, such as jpg");
}

/// Labelled images for a network that takes squares of `side`. `train_side`: see open_dataset.
inline ChosenImages labelled_images(const DataPlace& place, const ImageChoice& choice, int side, int train_side) {
  using vitral::Split;
  return chosen_images(place, place.open(Split::train, train_side),
                       place.open(Split::test, vitral::center_view(side).least_side()), choice);
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

}}}  // namespace vitral::programs
