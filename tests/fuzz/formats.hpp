// Every format that programs read: some good files, and what reads them.
#pragma once

#include "compare/comparison.hpp"
#include "files.hpp"
#include "pretrain/saved_run.hpp"
#include "propagate/video.hpp"
#include "retrieve/truth.hpp"

#include <vitral/data/cifar.hpp>
#include <vitral/data/idx.hpp>
#include <vitral/data/pets.hpp>
#include <vitral/data/tar.hpp>
#include <vitral/io/decode.hpp>
#include <vitral/io/label_png.hpp>
#include <vitral/io/metrics.hpp>
#include <vitral/io/npy.hpp>
#include <vitral/io/torch_file.hpp>

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace fuzz {

using namespace vitral::programs;

/// `read` may throw Error, and nothing else, whatever the bytes. `repair` mends sums over other bytes, so that more
/// than the sums is read.
struct Format {
  std::string name;
  std::vector<Bytes> files;
  std::function<void(const Bytes&)> read;
  std::function<void(Bytes&)> repair = {};
};

/// Sums of a tar archive's headers.
inline void repair_tar(Bytes& bytes) {
  for (std::size_t at = 0; at + 512 <= bytes.size(); at += 512) {
    if (bytes.compare(at + 257, 5, "ustar") != 0) continue;
    bytes.replace(at + 148, 8, 8, ' ');
    unsigned sum = 0;
    for (std::size_t i = at; i < at + 512; ++i) sum += static_cast<unsigned char>(bytes[i]);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum & 0777777u);
    bytes.replace(at + 148, 7, text, 7);
  }
}

/// Sums of a PNG's chunks.
inline void repair_png(Bytes& bytes) {
  if (!bytes.starts_with("\x89PNG")) return;
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(bytes[at + i]);
    if (length > bytes.size() - at - 12) return;
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(bytes.data()) + at + 4, static_cast<uInt>(length + 4));
    for (std::size_t i = 0; i < 4; ++i) bytes[at + 8 + length + i] = static_cast<char>(sum >> (24 - 8 * i));
    at += 12 + length;
  }
}

/// Sums of a zip archive's entries that are not compressed, and lie where its directory says.
inline void repair_zip(Bytes& bytes) {
  const auto number = [&](std::size_t at, std::size_t size) {
    std::size_t out = 0;
    for (std::size_t i = 0; i < size; ++i) out |= std::size_t{static_cast<unsigned char>(bytes[at + i])} << 8 * i;
    return out;
  };
  for (std::size_t at = 0; (at = bytes.find("PK\x01\x02", at)) != Bytes::npos && at + 46 <= bytes.size(); at += 46) {
    const std::size_t size = number(at + 24, 4), header = number(at + 42, 4);
    if (header + 30 > bytes.size()) continue;
    const std::size_t begin = header + 30 + number(header + 26, 2) + number(header + 28, 2);
    if (begin > bytes.size() || size > bytes.size() - begin) continue;
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(bytes.data()) + begin, static_cast<uInt>(size));
    for (std::size_t i = 0; i < 4; ++i) bytes[at + 16 + i] = static_cast<char>(sum >> 8 * i);
  }
}

/// Options of a small network, as checkpoints and results have them.
inline PretrainOptions small_run() {
  PretrainOptions run;
  run.data = "data";
  run.image = 8, run.patch = 4, run.width = 8, run.depth = 2, run.heads = 2;
  options_detail::complete(run);
  return run;
}

/// How a checkpoint says what its network is: by the library's keys, in a run's options, or not at all, as weights of
/// others do.
enum class Says { keys, options, nothing };

/// A checkpoint with the tensors that are looked at before a network is made.
inline Bytes checkpoint(Says says) {
  using namespace vitral;
  const std::vector<float> zeros(3 * 8 * 48);
  std::vector<NamedTensor> tensors;
  const auto add = [&](const std::string& name, const std::vector<long>& shape) {
    const auto count = static_cast<std::size_t>(*element_count(shape, 4));
    const char* const prefix = says == Says::nothing ? "module.base_encoder." : "student.encoder.";
    tensors.push_back(named_tensor(prefix + name, shape, std::span(zeros).first(count)));
  };
  add("cls_token", {1, 1, 8});
  add("pos_embed", {1, 5, 8});
  add("patch_embed.proj.weight", {8, 3, 4, 4});
  for (const char* block : {"0", "1"}) add(join("blocks.", block, ".attn.qkv.weight"), {24, 8});
  Metadata metadata;
  if (says == Says::options) metadata = {{"options", to_json(small_run()).dump()}};
  if (says == Says::keys) metadata = describe(ViTSize{8, 4, 8, 2, 2});
  write_safetensors(folder() / "seed", tensors, metadata);
  return get(folder() / "seed");
}

inline void read_checkpoint(const Bytes& bytes) {
  using namespace vitral;
  const NetworkFile file(put("checkpoint.safetensors", bytes), 2);
  for (const std::string& name : file.names())
    if (file.tensor(name).type == ScalarType::f32) (void)file.values<double>(name);
  (void)data_of(file, "folder", "images", "");
  (void)vit_size(file);
  if (file.metadata().contains("options")) (void)run_of(file);
}

/// A checkpoint's header alone, whose length and data always fit: so its JSON, and the JSON in it, is what breaks.
inline void read_header(const Bytes& text) {
  static const Bytes whole = checkpoint(Says::keys);
  std::uint64_t length = 0;
  std::memcpy(&length, whole.data(), sizeof length);
  const std::uint64_t own = text.size();
  read_checkpoint(Bytes(reinterpret_cast<const char*>(&own), sizeof own) + text + whole.substr(8 + length));
}

inline Bytes header(bool described) {
  const Bytes whole = checkpoint(described ? Says::keys : Says::options);
  std::uint64_t length = 0;
  std::memcpy(&length, whole.data(), sizeof length);
  return whole.substr(8, length);
}

inline Bytes results(const std::string& method, long seed = 0) {
  nlohmann::ordered_json run = to_json(small_run());
  run["method"] = method;
  run["seed"] = seed;
  nlohmann::ordered_json out{{"run", run},        {"dataset", "images"}, {"train_images", 100}, {"test_images", 50},
                             {"classes", 10},     {"temperature", 0.07}, {"logistic_c", 1.0},   {"sgd_epochs", 90},
                             {"speed_batch", 64}, {"threads", 2}};
  const auto scores = [](double top1) { return nlohmann::ordered_json{{"top1", top1}, {"top5", 0.9}}; };
  for (int layer = 1; layer <= 2; ++layer) {
    nlohmann::ordered_json sgd = scores(0.6);
    sgd["rate"] = 1.0;
    sgd["rates"] = nlohmann::ordered_json::array();
    out["layers"].push_back({{"layer", layer},
                             {"knn", {{"5", scores(0.4)}, {"20", scores(0.5)}}},
                             {"logistic", scores(0.6)},
                             {"sgd", sgd},
                             {"multiply_adds", 1e6},
                             {"milliseconds", 1.0},
                             {"images_per_second", 2000.0},
                             {"images_per_second_quartiles", {{"lower", 1900.0}, {"upper", 2100.0}, {"runs", 30}}}});
  }
  out["adaptive_exit"].push_back({{"confidence", 0.5}, {"accuracy", 0.5}, {"multiply_adds", 1e6}, {"layers", 1.5}});
  return out.dump();
}

inline void read_results(const Bytes& bytes) {
  using namespace comparison;
  for (const char* run : {"run", "other"}) std::filesystem::create_directories(folder() / run);
  put("other/results.json", results("moco-v3", 1));
  put("run/results.json", bytes);
  const std::vector<Run> runs{read_run(folder() / "run"), read_run(folder() / "other")};
  const std::vector<Group> groups = grouped(runs);
  for (const Measure& measure : measures(runs))
    for (const Group& group : groups)
      if (group.rival >= 0)
        (void)gain(accuracy(groups[static_cast<std::size_t>(group.rival)], measure).mean,
                   accuracy(group, measure).mean);
}

inline void read_configuration(const Bytes& bytes) {
  PretrainOptions options;
  std::set<std::string> given;
  (void)options_detail::read_config("FILE", vitral::read_json(put("config.json", bytes)), given, options);
  options_detail::complete(options);
}

inline Bytes npy() {
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const std::vector<long> shape{2, 3};
  vitral::write_npy(folder() / "seed", values, shape);
  return get(folder() / "seed");
}

inline Bytes mask() {
  vitral::write_label_png(folder() / "seed", {2, 3, {0, 1, 2, 255, 1, 0}});
  return get(folder() / "seed");
}

template <class Data>
void read_cifar(const char* name, const Bytes& bytes) {
  put(name, bytes);
  const Data images(folder(), vitral::Split::test);
  for (long i = 0; i < images.size(); ++i) (void)images.image(i), (void)images.label(i);
}

/// As labels, else as images.
inline void read_idx(const Bytes& bytes) {
  const auto path = put("idx", bytes);
  try {
    (void)vitral::detail::read_idx(path, 1);
  } catch (const vitral::Error&) {
    (void)vitral::detail::read_idx(path, 3);
  }
}

/// Images, and the last ten bytes as the labels of two.
inline void read_idx_pair(const Bytes& bytes) {
  const std::size_t middle = bytes.size() - std::min<std::size_t>(bytes.size(), 10);
  const auto images = put("images", bytes.substr(0, middle)), labels = put("labels", bytes.substr(middle));
  const vitral::Idx idx(images, labels, {"a", "b"}, "fuzz");
  for (long i = 0; i < idx.size(); ++i) (void)idx.image(i);
}

inline void read_tar(const Bytes& bytes) {
  const vitral::TarImages images(put("archive.tar", bytes));
  for (long i = 0; i < images.size(); ++i) {
    (void)images.label(i);
    try {
      (void)images.image(i);
    } catch (const vitral::Error&) {  // one of them is no image; the archive is good
    }
  }
}

inline void read_image(const Bytes& bytes) {
  const std::vector<std::uint8_t> data(bytes.begin(), bytes.end());
  (void)vitral::exif_orientation(data.data(), data.size());
  vitral::check_image(vitral::decode_image(data, "input"));
}

/// Files of PyTorch; archives where they can be read.
inline std::vector<Bytes> torch_files(const std::filesystem::path& folder) {
  std::vector<Bytes> out{get(folder / "older.ckpt"), get(folder / "older_views.pth")};
#if defined(VITRAL_HAS_LIBZIP)
  for (const char* name : {"kinds.pth", "views.pth", "lightning.ckpt", "protocol4.ckpt"})
    out.push_back(get(folder / name));
#endif
  return out;
}

/// The tensors of whatever may hold some: of the file itself, and of each dictionary in it.
inline void read_torch(const Bytes& bytes) {
  const vitral::TorchFile file = vitral::read_torch(put("net.pth", bytes));
  const vitral::TorchTensors tensors(file, file.root());
  for (const auto& [key, value] : file.root().as<vitral::PickleDictionary>()->items)
    if (value.as<vitral::PickleDictionary>() != nullptr) const vitral::TorchTensors inner(file, value);
}

/// A list of pets; the folder holds the images that good lists name.
inline void read_pets(const Bytes& bytes) {
  const std::filesystem::path pets = folder() / "pets";
  for (const char* inner : {"annotations", "images"}) std::filesystem::create_directories(pets / inner);
  for (const char* image : {"Abyssinian_2.jpg", "great_pyrenees_10.jpg"}) put(std::string("pets/images/") + image, "");
  put("pets/annotations/trainval.txt", bytes);
  const vitral::OxfordPets images(pets);
  for (long i = 0; i < images.size(); ++i)
    if (images.file(i).parent_path() != pets / "images") std::abort();
}

/// A list of videos; the folder holds those that good lists name.
inline void read_videos(const Bytes& bytes) {
  for (const char* inner : {"ImageSets/2017", "JPEGImages/480p/one", "JPEGImages/480p/two"})
    std::filesystem::create_directories(folder() / inner);
  put("ImageSets/2017/val.txt", bytes);
  for (const Video& video : davis_videos(folder()))
    if (video.name != "one" && video.name != "two") std::abort();  // masks would be written elsewhere
}

inline std::vector<Format> formats(const std::filesystem::path& here) {
  const auto seeds = [&](const char* name) { return files_in(here / "seeds" / name); };
  const auto seed = [&](const char* name) { return get(here / "seeds" / name); };
  return {
      {"checkpoint", {checkpoint(Says::keys), checkpoint(Says::options), checkpoint(Says::nothing)}, read_checkpoint},
      {"header", {header(true), header(false)}, read_header},
      {"results", {results("moco-v3"), results("sd-moco-v3")}, read_results},
      {"truth",
       {R"({"queries": [{"easy": [0], "hard": [2], "junk": [1]}, {"easy": [], "hard": [2], "junk": []}]})",
        R"({"matches": [[0], [2, 3], []]})"},
       [](const Bytes& bytes) { (void)read_truth(put("truth.json", bytes)); }},
      {"configuration",
       {to_json(small_run()).dump(),
        R"({"dataset": "cifar10", "method": "moco-v3", "st_inter": true, "use_fp16": false, "total_batch": 512})"},
       read_configuration},
      {"metrics",
       {"{\"step\":0,\"loss\":1.5}\n{\"step\":1,\"loss\":1.25}\n"},
       [](const Bytes& bytes) {
         const vitral::MetricsLog log(put("metrics.jsonl", bytes), 2);
         vitral::check(log.kept() == 2, "lines were lost");
       }},
      {"npy", {npy()}, [](const Bytes& bytes) { (void)vitral::read_npy(put("array.npy", bytes)); }},
      {"videos", {"one\ntwo\n", "two\r\none\r\n"}, read_videos},
      {"mask", {mask()}, [](const Bytes& bytes) { (void)vitral::read_label_png(put("mask.png", bytes)); }, repair_png},
      {"image", files_in(here / "../fixtures/images"), read_image, repair_png},
      {"tar", seeds("tar"), read_tar, repair_tar},
      {"torch", torch_files(here / "../fixtures/torch"), read_torch, repair_zip},
      {"idx", seeds("idx"), read_idx},
      {"idx pair", {seed("idx/images") + seed("idx/labels")}, read_idx_pair},
      {"cifar10", {seed("cifar10")}, [](const Bytes& bytes) { read_cifar<vitral::Cifar10>("test_batch.bin", bytes); }},
      {"pets", {"Abyssinian_2 1 1 1\ngreat_pyrenees_10 16 2 8\n", "#image label\r\nAbyssinian_2 1 1 1\r\n"}, read_pets},
      {"cifar100", {seed("cifar100")}, [](const Bytes& bytes) { read_cifar<vitral::Cifar100>("test.bin", bytes); }},
  };
}

}  // namespace fuzz
