// Which images a program learns from and tests on: of the splits of a data set, or of what it holds out itself.
#pragma once

#include <vitral/core/escape.hpp>
#include <vitral/data/augment.hpp>
#include <vitral/data/datasets.hpp>
#include <vitral/data/subset.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// Where a data set is: the name of its layout, its directory or archive, and the ending of its images ("jpg") where
/// samples of archives have several.
struct DataPlace {
  std::string dataset, path, tar_image;

  [[nodiscard]] vitral::Dataset open(vitral::Split split, int least_side) const {
    return vitral::open_dataset(dataset, path, split, least_side, tar_image);
  }
};

/// How images are prepared for evaluation, in the words of the programs' options; "" is not said.
struct Preparation {
  std::string resize = "shorter-side", interpolation = "bilinear";

  bool operator==(const Preparation&) const = default;

  /// The same, as `usual` says it where nothing is said.
  [[nodiscard]] Preparation over(const Preparation& usual) const {
    return {resize.empty() ? usual.resize : resize, interpolation.empty() ? usual.interpolation : interpolation};
  }

  /// The view of so many pixels a side.
  [[nodiscard]] CenterView view(int side) const {
    CenterView out = center_view(side);
    out.squash = resize == "squash";
    if (interpolation == "bicubic") out.interpolation = Interpolation::bicubic;
    return out;
  }
};

inline const std::vector<std::string> resize_ways{"shorter-side", "squash"}, resize_filters{"bilinear", "bicubic"};
inline constexpr const char* resize_help =
    "How images are resized before the centre is cut out: the shorter side to 256/224 of the network's "
    "(MoCo v3, DINO), or both sides (SDSSL)";
inline constexpr const char* filter_help = "By which filter: MoCo v3's, or DINO's and SDSSL's";

/// The options that say so, where they are given; `prefix` tells them from those of training images ("test-"), and
/// `usual` is what else holds, for the help.
inline void add_preparation_options(CLI::App& app, Preparation& how, const std::string& usual,
                                    const std::string& prefix = "") {
  how = {"", ""};
  const auto add = [&](const char* name, std::string& member, const std::string& help,
                       const std::vector<std::string>& choices) {
    app.add_option("--" + prefix + name, member, help + " [" + usual + "]")->check(CLI::IsMember(choices));
  };
  add("resize", how.resize, resize_help, resize_ways);
  add("interpolation", how.interpolation, filter_help, resize_filters);
}

/// How many images are taken of each split; `seed` draws them.
struct ImageChoice {
  long train = 0, test = 0;  // images of each; 0 = all
  double holdout = 0;        // share to test on where the data set is not split; 0 = 0.1
  std::uint64_t seed = 0;
};
inline constexpr const char* holdout_help =
    "Share of each class that is tested on, not learnt from, where the data set is not split; 0 = 0.1";

/// The images that were chosen, and their numbers in the splits. `holdout`: the share of the training images that was
/// held out to test on; 0 where the data set has a split of its own for that.
struct ChosenImages {
  vitral::Dataset train, test;
  std::vector<long> train_places, test_places;
  double holdout;
};

/// `count` of the images at `places` (0: all of them), spread over the classes.
inline std::vector<long> spread_over(const vitral::Dataset& data, std::vector<long> places, long count,
                                     vitral::Seed seed) {
  if (count == 0 || count >= static_cast<long>(places.size())) return places;
  std::vector<long> out;
  for (const long i : spread_places(select_images(data, places), count, seed))
    out.push_back(places[static_cast<std::size_t>(i)]);
  return out;
}

/// How many of the images at `places` are of each of `classes` classes.
inline std::vector<long> count_by_class(const vitral::Dataset& data, const std::vector<long>& places,
                                        std::size_t classes) {
  std::vector<long> counts(classes);
  for (const long i : places)
    if (const auto label = static_cast<std::size_t>(data.label(i)); label < classes) ++counts[label];
  return counts;
}

/// Fails where a class has images to test on, but none to learn from.
inline void check_learnable(const vitral::Dataset& train, const std::vector<long>& learnt, const vitral::Dataset& test,
                            const std::vector<long>& tested) {
  const std::vector<std::string> classes = test.classes();
  const std::vector<long> few = count_by_class(train, learnt, classes.size()),
                          many = count_by_class(test, tested, classes.size());
  for (std::size_t c = 0; c < classes.size(); ++c)
    vitral::check(many[c] == 0 || few[c] > 0, test.name(), ": the class ", classes[c], " has ", many[c],
                  " images to test on, but none to learn from; add some, or take it out (pretrain: --knn-train 0 "
                  "leaves k-NN out)");
}

/// Fails where a class has images, but none that can be read: those stand at the places `readable`.
inline void check_readable(const vitral::Dataset& data, const std::vector<long>& readable) {
  const std::vector<std::string> classes = data.classes();
  std::vector<long> every(static_cast<std::size_t>(data.size()));
  std::iota(every.begin(), every.end(), 0l);
  const std::vector<long> all = count_by_class(data, every, classes.size()),
                          some = count_by_class(data, readable, classes.size());
  for (std::size_t c = 0; c < classes.size(); ++c)
    vitral::check(all[c] == 0 || some[c] > 0, data.name(), ": none of the ", all[c], " images of the class ",
                  classes[c], " can be read; repair them, or take the class out");
}

/// Draws what `choice` asks for of the two splits at `place`, which need labels. Where the data set is not split, both
/// are the same images: then a share of each class is held out to test on, and a line says so.
inline ChosenImages chosen_images(const DataPlace& place, const vitral::Dataset& train, const vitral::Dataset& test,
                                  const ImageChoice& choice) {
  using namespace vitral;
  for (const Dataset& part : {train, test})
    check(!part.classes().empty(), "the images of ", part.name(), " have no labels; --dataset names labelled ones");
  const Seed seed{choice.seed};
  const bool split = has_test_split(place.dataset, place.path);
  check(!split || choice.holdout == 0, "--holdout ", choice.holdout, ": ", place.path,
        " has images of its own to test on; leave --holdout out");
  const double share = split ? 0 : choice.holdout > 0 ? choice.holdout : 0.1;
  HeldOut parts;
  if (split) {
    parts = {spread_places(train, train.size(), seed), spread_places(test, test.size(), seed)};
  } else {
    parts = hold_out(train, share, seed);
    std::printf(
        "%s is not split into train/ and test/ (or val/): %zu of its %ld images are held out to test on, %g of each "
        "class, drawn by seed %llu\n",
        escape_text(train.name()).c_str(), parts.held.size(), train.size(), share,
        static_cast<unsigned long long>(choice.seed));
  }
  check_learnable(train, parts.kept, test, parts.held);
  const std::vector<long> learnt = spread_over(train, std::move(parts.kept), choice.train, seed),
                          tested = spread_over(test, std::move(parts.held), choice.test, seed);
  return {select_images(train, learnt), select_images(test, tested), learnt, tested, share};
}

}}}  // namespace vitral::programs
