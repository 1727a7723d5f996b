// Images in tar archives in WebDataset's layout: the files of one sample have one key, which is the path up to the
// first dot of the name: "0001.jpg" and "0001.cls", which holds the class as a number. An archive is indexed once and
// never unpacked. Needs the libraries of io/decode.hpp.
#pragma once

#include <vitral/core/config.hpp>
#include <vitral/core/error.hpp>
#include <vitral/data/dataset.hpp>
#include <vitral/data/folders.hpp>
#include <vitral/data/tar_reader.hpp>
#include <vitral/io/decode.hpp>
#include <vitral/io/image.hpp>
#include <vitral/io/read_bytes.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI {

namespace detail {

/// The two parts of a member's path: "a/0001.left.JPG" has the key "a/0001" and the ending "left.jpg". Both are empty
/// where one is missing or the member is hidden.
struct TarName {
  std::string key, ending;

  explicit TarName(const std::string& member) {
    const std::filesystem::path path = std::filesystem::path(member).lexically_normal();
    for (const std::filesystem::path& part : path)
      if (is_hidden(part.string()) && part != "." && part != "..") return;
    const std::string name = path.filename().string();
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos || dot == 0) return;
    key = (path.parent_path() / name.substr(0, dot)).string();
    ending = lower_case(name.substr(dot + 1));
  }
};

/// The members of one key; an entry without a path is not there.
struct TarSample {
  TarEntry image;
  TarEntry label_file;
  std::string passed_over;  // an image that does not have the ending that was asked for
  int label = -1;
};

/// The samples of an archive, in the order in which the first member of each stands there. `ending` tells which of a
/// sample's images to take; "" where each has one image.
class TarIndex {
 public:
  TarIndex(const std::filesystem::path& archive, std::string_view ending)
      : archive_(archive), ending_(ending), reader_(archive) {
    for (TarEntry entry; reader_.next(entry);) take(entry);
    follow_links();
    for (TarSample& sample : samples) finish(sample);
  }

  std::vector<TarSample> samples;  // some of them without an image

 private:
  std::string where(const std::string& member) const { return archive_.string() + ": " + member; }

  void take(const TarEntry& entry) {
    const TarName name(entry.path);
    const bool label = name.ending == "cls";
    if (!label && !has_image_ending("x." + name.ending)) return;
    const auto [at, is_new] = known_.try_emplace(name.key, samples.size());
    if (is_new) samples.emplace_back();
    TarSample& sample = samples[at->second];
    if (!label && !ending_.empty() && name.ending != ending_) {
      sample.passed_over = entry.path;
      return;
    }
    TarEntry& place = label ? sample.label_file : sample.image;
    const std::string other = TarName(place.path).ending;
    check(place.path.empty() || place.path == entry.path, where(entry.path), " and ", place.path,
          " have one key, which ends at the first dot, and so are ", label ? "labels" : "images",
          " of one sample; give each sample a name of its own up to there",
          label || other == name.ending
              ? ""
              : ", or choose the ending of its image (TarImages' ending " + other + " or " + name.ending + ")");
    check(place.path.empty(), where(entry.path),
          " stands in the archive twice; write the archive again with one of them");
    place = entry;
    if (!entry.link.empty()) linked_ = true;
  }

  /// Gives each link the place of the content that it stands for.
  void follow_links() {
    if (!linked_) return;
    const auto normal = [](const std::string& path) { return std::filesystem::path(path).lexically_normal().string(); };
    std::unordered_map<std::string, TarEntry> targets;
    const auto each_link = [&](const auto& act) {
      for (TarSample& sample : samples)
        for (TarEntry* const entry : {&sample.image, &sample.label_file})
          if (!entry->link.empty()) act(*entry, targets[normal(entry->link)]);
    };
    each_link([](TarEntry&, TarEntry&) {});
    TarReader again(archive_);
    for (TarEntry entry; again.next(entry);)
      if (const auto found = targets.find(normal(entry.path)); found != targets.end() && entry.link.empty())
        found->second = entry;
    each_link([&](TarEntry& entry, const TarEntry& target) {
      check(!target.path.empty(), where(entry.path), " is a link to ", entry.link, ", which is no file of the archive");
      entry.offset = target.offset;
      entry.size = target.size;
    });
  }

  void finish(TarSample& sample) const {
    const std::string& label = sample.label_file.path;
    const bool image = !sample.image.path.empty();
    check(image || sample.passed_over.empty(), where(sample.passed_over), ": its sample has no image that ends in .",
          ending_, ", as TarImages' ending says; choose another one, or take it out");
    check(image || label.empty(), where(label), ": a label without an image; expected one beside it that ends in ",
          image_endings);
    if (!label.empty()) sample.label = read_label(where(label), sample.label_file);
  }

  int read_label(const std::string& name, const TarEntry& entry) const {
    check(entry.size <= 64, name, ": a label of ", entry.size, " bytes, expected a number from 0 on");
    const std::vector<std::uint8_t> bytes = reader_.content(entry);
    std::string text(bytes.begin(), bytes.end());
    while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) text.pop_back();
    int label = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
    check(error == std::errc() && end == text.data() + text.size() && label >= 0 && label < 1 << 20, name, ": label \"",
          text, "\", expected a number from 0 to ", (1 << 20) - 1);
    return label;
  }

  std::filesystem::path archive_;
  std::string ending_;
  TarReader reader_;
  std::unordered_map<std::string, std::size_t> known_;  // the sample of each key
  bool linked_ = false;
};

}  // namespace detail

/// The images of one or more archives, in their order. Either all samples have labels, or none has.
class TarImages {
 public:
  /// `source` is an archive, or a folder, whose archives are read in the order of their names; the splits of a folder,
  /// and `least_side`, are as in ImageFolder. Where samples have several images, `ending` ("jpg", "left.jpg") tells
  /// which to take. A file classes.txt beside the archives may name the classes, one a line. Error where an archive is
  /// damaged or a sample is not as it should be.
  explicit TarImages(const std::filesystem::path& source, Split split = Split::train, int least_side = 0,
                     const std::string& ending = "")
      : least_side_(least_side) {
    std::error_code ignored;
    std::filesystem::path folder = source.parent_path();
    if (std::filesystem::is_directory(source, ignored)) {
      folder = split_folder(source, split, "tar archives");
      for (const auto& entry : visible_entries(folder))
        if (has_tar_ending(entry.path())) archives_.push_back(entry.path());
      check(!archives_.empty(), folder.string(), ": holds no file that ends in .tar");
    } else {
      refuse_unlabeled(split, source.string());
      archives_.push_back(source);
    }
    name_ = source.stem().string();
    const std::string wanted = detail::lower_case(ending.substr(ending.starts_with('.') ? 1 : 0));
    for (std::size_t i = 0; i < archives_.size(); ++i)
      for (detail::TarSample& sample : detail::TarIndex(archives_[i], wanted).samples)
        samples_.push_back({std::move(sample.image), i, sample.label});
    check(!samples_.empty(), source.string(), ": no entry ends in ", wanted.empty() ? image_endings : "." + wanted);
    name_classes(folder / "classes.txt");
  }

  [[nodiscard]] long size() const { return static_cast<long>(samples_.size()); }
  [[nodiscard]] Image image(long i) const {
    const Sample& sample = samples_[static_cast<std::size_t>(i)];
    const auto& archive = archives_[sample.archive];
    const std::string name = archive.string() + ": " + sample.entry.path;
    detail::check_image_bytes(name, sample.entry.size);
    return decode_image(read_bytes(archive, sample.entry.offset, sample.entry.size), name, least_side_);
  }
  [[nodiscard]] int label(long i) const { return samples_[static_cast<std::size_t>(i)].label; }

  /// The path of the archive, and in it that of image i.
  [[nodiscard]] std::filesystem::path file(long i) const {
    const Sample& sample = samples_[static_cast<std::size_t>(i)];
    return archives_[sample.archive].string() + "/" + sample.entry.path;  // of which a leading / is no root
  }

  [[nodiscard]] std::vector<std::string> classes() const { return classes_; }
  [[nodiscard]] std::string name() const { return name_; }

 private:
  struct Sample {
    TarEntry entry;
    std::size_t archive = 0;
    int label = -1;
  };

  /// Whether a file's name ends as an archive's. Compressed ones are among them: to read one is an Error that says so.
  static bool has_tar_ending(const std::filesystem::path& path) {
    const std::string name = detail::lower_case(path.filename().string());
    for (const char* ending : {".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst"})
      if (name.ends_with(ending)) return true;
    return false;
  }

  void name_classes(const std::filesystem::path& file) {
    int most = -1;
    for (const Sample& s : samples_) most = std::max(most, s.label);
    for (const Sample& s : samples_)
      check(most < 0 || s.label >= 0, archives_[s.archive].string(), ": ", s.entry.path,
            " has no label (a .cls file beside it), but other images have");
    if (most < 0) return;
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) {
      const std::vector<std::uint8_t> bytes = read_bytes(file);
      std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        classes_.emplace_back(text.substr(0, end - (end > 0 && text[end - 1] == '\r' ? 1 : 0)));
        text.remove_prefix(std::min(end + 1, text.size()));
      }
      check(static_cast<int>(classes_.size()) > most, file.string(), ": ", classes_.size(),
            " names, but there are labels up to ", most);
    }
    while (static_cast<int>(classes_.size()) <= most) classes_.push_back(std::to_string(classes_.size()));
  }

  int least_side_;
  std::vector<std::filesystem::path> archives_;
  std::vector<Sample> samples_;
  std::vector<std::string> classes_;
  std::string name_;
};

}}  // namespace vitral
