// What programs ask of the checkpoint that they are given beside its network (models/load_vit.hpp): the run that wrote
// it, where that run's images are, and which layer is meant.
#pragma once

#include "common/images.hpp"

#include <vitral/data/augment.hpp>
#include <vitral/io/json.hpp>
#include <vitral/io/safetensors.hpp>
#include <vitral/models/load_vit.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// The options of the run of `pretrain` that the network is from, as a JSON object; empty where there was no such run.
inline nlohmann::ordered_json saved_options(const TensorFile& file) {
  const auto found = file.metadata().find("options");
  if (found == file.metadata().end()) return nlohmann::ordered_json::object();
  const std::string where = file.path() + ": its metadata \"options\"";
  auto options = parse_json(found->second, where);
  check(options.is_object(), where, " is no JSON object");
  return options;
}

/// One of the file's saved_options, which must be text; "" where it is not there.
inline std::string saved_text(const TensorFile& file, const nlohmann::ordered_json& options, const char* option) {
  if (!options.contains(option)) return "";
  check(options[option].is_string(), file.path(), ": its metadata \"options\": ", option, " must be a string, not ",
        legible(options[option]));
  return options[option].get<std::string>();
}

/// How the k-NN of the file's run saw images (pretrain --test-resize); the usual way where there was no such run, or
/// one that does not say it.
inline Preparation run_preparation(const TensorFile& file) {
  const auto options = saved_options(file);
  const auto said = [&](const char* option, const std::vector<std::string>& choices) {
    const std::string value = saved_text(file, options, option);
    check(value.empty() || std::ranges::find(choices, value) != choices.end(), file.path(),
          ": its metadata \"options\": ", option, " cannot be \"", legible(value), "\"; expected one of ",
          CLI::detail::join(choices, ", "));
    return value;
  };
  return Preparation{said("test-resize", resize_ways), said("test-interpolation", resize_filters)}.over({});
}

/// The file of a network, and the options that say what it does not.
inline void add_network_options(CLI::App& app, std::string& checkpoint, std::string& branch, int& heads) {
  app.add_option("CHECKPOINT", checkpoint, "The network: a checkpoint, or weights of others (docs/weights.md)")
      ->required();
  app.add_option("--branch", branch,
                 "Network of a checkpoint with a student and a teacher [the teacher, as in the published code]")
      ->check(CLI::IsMember({"student", "teacher"}));
  app.add_option("--heads", heads,
                 "Attention heads of weights that do not say it [as networks of their source and width have]")
      ->check(CLI::PositiveNumber);
}

/// Whether the checkpoint holds a teacher beside the network that was trained.
inline bool has_teacher(const TensorFile& file) { return file.contains("teacher.encoder.cls_token"); }

/// The file that a program is given, Vitral's or another's, of which a line says what was found. Error where --heads
/// contradicts it.
inline NetworkFile open_network(const std::string& path, int heads = 0) {
  NetworkFile file(path, heads);
  if (!file.found().empty()) std::printf("%s\n", escape_text(file.found()).c_str());
  const ViTSize size = vit_size(file, has_teacher(file) ? NetworkBranch::teacher : NetworkBranch::student);
  check(heads == 0 || heads == size.heads, "--heads ", heads, ": ", path, " says that its network has ", size.heads,
        "; leave the option out");
  return file;
}

/// The network that --branch, or the program's other `option`, names; without it, as in the published code, the teacher
/// where there is one (MoCo v3, BYOL, DINO), which a line says.
inline NetworkBranch chosen_branch(const TensorFile& file, const std::string& branch, const char* option = "--branch") {
  if (branch == "student" || (branch.empty() && !has_teacher(file))) return NetworkBranch::student;
  if (branch.empty())
    std::printf("%s: its teacher is taken, as in the published code; %s student takes the student\n",
                escape_text(file.path()).c_str(), option);
  return NetworkBranch::teacher;
}

/// Writes to a program's results, or to what a file's metadata will say, which of two networks they are about:
/// "student" or "teacher" under `key`, and nothing where the file holds one network.
inline void note_branch(auto& results, const TensorFile& file, NetworkBranch branch, const char* key = "branch") {
  if (has_teacher(file)) results[key] = branch == NetworkBranch::teacher ? "teacher" : "student";
}

/// What a program calls the network in a sentence: the method of its run.
inline std::string network_name(const TensorFile& file) {
  const std::string method = saved_text(file, saved_options(file), "method");
  return method.empty() ? "a network" : legible(method);
}

/// What the metadata says about a network's past, for a file that is made from this one.
inline Metadata history_of(const TensorFile& file) {
  Metadata out;
  for (const char* key : {"options", "branch", "finetuned", "truncated"})
    if (const auto found = file.metadata().find(key); found != file.metadata().end()) out.insert(*found);
  return out;
}

/// The options that say which images a program takes, if others than those of the checkpoint's run.
inline void add_data_options(CLI::App& app, std::string& dataset, std::string& data, std::string& tar_image) {
  app.add_option("--dataset", dataset, "Layout of the images in --data [that of the run]")
      ->type_name(CLI::detail::join(dataset_names(), "|"));
  app.add_option("--data", data, "Directory of the data set [that of the run]");
  app.add_option("--tar-image", tar_image, "Ending of the images where samples of archives have several, such as jpg");
}

/// Where the images are: what these options say, else what the checkpoint's run said.
inline DataPlace data_of(const TensorFile& file, const std::string& dataset, const std::string& data,
                         const std::string& tar_image) {
  const auto options = saved_options(file);
  const auto saved = [&](const char* option) { return saved_text(file, options, option); };
  const DataPlace run{saved("dataset"), saved("data"), saved("tar-image")};
  DataPlace place{dataset.empty() ? run.dataset : dataset, data, tar_image};
  check(!place.dataset.empty(), file.path(),
        " is from no run of `pretrain`, so it does not say which images to take: name them with --dataset and "
        "--data");
  if (data.empty()) place.path = place.dataset == run.dataset ? run.path : known_dataset(dataset).path;
  if (tar_image.empty() && place.dataset == run.dataset && place.path == run.path) place.tar_image = run.tar_image;
  check(!place.path.empty(), "--dataset ", place.dataset, " needs --data DIR, the directory that holds the images");
  return place;
}

/// Labelled images for a network that takes squares of `side`. `train_side`: see open_dataset.
inline ChosenImages labelled_images(const DataPlace& place, const ImageChoice& choice, int side, int train_side) {
  return chosen_images(place, place.open(Split::train, train_side),
                       place.open(Split::test, center_view(side).least_side()), choice);
}

/// The layer that --layer names, of the checkpoint's `depth`; 0 is the last.
inline int chosen_layer(int layer, int depth, const std::string& checkpoint) {
  check(layer <= depth, "--layer ", layer, ": ", checkpoint, " has ", depth, " layers; choose 1 to ", depth);
  return layer > 0 ? layer : depth;
}

}}}  // namespace vitral::programs
