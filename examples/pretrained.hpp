// What a checkpoint says about the run that wrote it, and the labelled pictures to try its network on.
#pragma once

#include "pretrain_options.hpp"

#include <vitral/data/open.hpp>
#include <vitral/io/safetensors.hpp>

/// The run that wrote the checkpoint.
inline PretrainOptions run_of(const vitral::SafetensorsFile& file) {
  const auto saved = nlohmann::ordered_json::parse(file.metadata("options"), nullptr, false);
  vitral::check(!saved.is_discarded(), file.path(),
                ": its metadata \"options\" is no JSON; was it written by `pretrain`?");
  return pretrain_options_from_json(saved);
}

/// A data set, where it stands, and its pictures.
struct LabelledPictures {
  std::string dataset, data;
  vitral::Dataset train, test;
};

/// Opens what --dataset and --data say, or the run's own where they are empty. `least_side`: see open_dataset, for the
/// training pictures.
inline LabelledPictures labelled_pictures(const PretrainOptions& run, const std::string& dataset_option,
                                          const std::string& data_option, int least_side) {
  const std::string dataset = dataset_option.empty() ? run.dataset : dataset_option;
  const std::string usual = dataset_option.empty() ? run.data : vitral::dataset_defaults(dataset).path;
  const std::string data = data_option.empty() ? usual : data_option;
  vitral::check(!data.empty(), "--dataset ", dataset, " needs --data DIR, the directory that holds the images");
  LabelledPictures out{dataset, data, vitral::open_dataset(dataset, data, vitral::Split::train, least_side),
                       vitral::open_dataset(dataset, data, vitral::Split::test, run.image)};
  for (const vitral::Dataset& part : {out.train, out.test})
    vitral::check(!part.classes().empty(), "the images of ", part.name(),
                  " have no labels; --dataset names labelled ones");
  return out;
}
