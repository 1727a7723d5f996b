// The options that say how the random views of an image are made: a published recipe, and each of its numbers; for
// multi-crop (Caron et al. 2020, SwAV) those with which DINO (Caron et al. 2021) trains ViTs.
#pragma once

#include "pretrain/rows.hpp"

#include <vitral/data/order.hpp>
#include <vitral/data/views.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <type_traits>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// A recipe, and what another number than the recipe's is given for; -1: the recipe's. Probabilities and strengths are
/// those of Augmentation.
struct ViewOptions {
  std::string scheme = "two", augmentation = "moco-v3", interpolation = "recipe";
  double crop_min = -1, crop_max = -1, aspect_min = -1, aspect_max = -1, flip = -1;
  double jitter = -1, brightness = -1, contrast = -1, saturation = -1, hue = -1, gray = -1;
  double blur_first = -1, blur_second = -1, blur_sigma_min = -1, blur_sigma_max = -1;
  double solarize_first = -1, solarize_second = -1;
  int local_views = -1, local_size = -1;  // of multi-crop alone, as what follows
  double crop_min_local = -1, crop_max_local = -1, blur_local = -1, solarize_local = -1;

  bool multi_crop() const { return scheme == "multi-crop"; }
  bool operator==(const ViewOptions&) const = default;
};

namespace options_detail {

/// Which views have a number.
enum class Whose { all, both, first, second, local };  // both: the first and the second

/// An option for a number of the recipes.
struct ViewNumber {
  const char* name;
  const char* help;
  double ViewOptions::*option;
  double Augmentation::*number;
  bool positive = false;  // whether 0 is no such number
  double most = infinity;
  Whose whose = Whose::all;

  /// Calls f(view) for each view that has the number.
  template <class Crops, class F>
  void for_each_view(Crops& crops, F&& f) const {
    if (whose != Whose::second && whose != Whose::local) f(crops.first);
    if (whose != Whose::first && whose != Whose::local) f(crops.second);
    if ((whose == Whose::all || whose == Whose::local) && crops.locals > 0) f(crops.local);
  }
};

// clang-format off
inline constexpr ViewNumber view_numbers[] = {
    {"crop-min", "Smallest crop as a part of the image", &ViewOptions::crop_min, &Augmentation::crop_min, true, 1,
     Whose::both},
    {"crop-max", "Largest crop", &ViewOptions::crop_max, &Augmentation::crop_max, true, 1, Whose::both},
    {"aspect-min", "Smallest width / height of a crop", &ViewOptions::aspect_min, &Augmentation::ratio_min, true},
    {"aspect-max", "Largest width / height of a crop", &ViewOptions::aspect_max, &Augmentation::ratio_max, true},
    {"flip", "Probability of mirroring left and right", &ViewOptions::flip, &Augmentation::flip, false, 1},
    {"jitter", "Probability of the four changes of colour", &ViewOptions::jitter, &Augmentation::jitter, false, 1},
    {"brightness", "Strength of that change", &ViewOptions::brightness, &Augmentation::brightness},
    {"contrast", "Likewise", &ViewOptions::contrast, &Augmentation::contrast},
    {"saturation", "Likewise", &ViewOptions::saturation, &Augmentation::saturation},
    {"hue", "Likewise, in turns of the colour wheel", &ViewOptions::hue, &Augmentation::hue, false, 0.5},
    {"gray", "Probability of grayscale", &ViewOptions::gray, &Augmentation::gray, false, 1},
    {"blur-first", "Probability of blur in the first view", &ViewOptions::blur_first, &Augmentation::blur, false, 1,
     Whose::first},
    {"blur-second", "In the second", &ViewOptions::blur_second, &Augmentation::blur, false, 1, Whose::second},
    {"blur-sigma-min", "Least sigma of the blur", &ViewOptions::blur_sigma_min, &Augmentation::sigma_min, true},
    {"blur-sigma-max", "Largest sigma", &ViewOptions::blur_sigma_max, &Augmentation::sigma_max, true},
    {"solarize-first", "Probability of inverting bright pixels in the first view", &ViewOptions::solarize_first,
     &Augmentation::solarize, false, 1, Whose::first},
    {"solarize-second", "In the second", &ViewOptions::solarize_second, &Augmentation::solarize, false, 1,
     Whose::second},
    {"crop-min-local", "Smallest crop of a local view", &ViewOptions::crop_min_local, &Augmentation::crop_min, true, 1,
     Whose::local},
    {"crop-max-local", "Largest crop of a local view", &ViewOptions::crop_max_local, &Augmentation::crop_max, true, 1,
     Whose::local},
    {"blur-local", "Probability of blur in a local view", &ViewOptions::blur_local, &Augmentation::blur, false, 1,
     Whose::local},
    {"solarize-local", "Probability of inverting bright pixels in a local view", &ViewOptions::solarize_local,
     &Augmentation::solarize, false, 1, Whose::local},
};
// clang-format on

/// Calls visit(row, member) for every option.
template <class Options, class Visit>
void for_each_view_option(Options& o, Visit&& visit) {
  visit(
      Row{.name = "views",
          .help = "Views of an image: two, or multi-crop: two global ones, and smaller local ones that learn from them",
          .choices = {"two", "multi-crop"}},
      o.scheme);
  visit(Row{.name = "local-views",
            .help = "Local views of each image; -1 = 10 with --views multi-crop",
            .least = 1,
            .most = static_cast<double>(most_views - 2),
            .unset = -1},
        o.local_views);
  visit(Row{.name = "local-size",
            .help = "Side of a local view in pixels; -1 = 96/224 of --image, in whole patches",
            .least = 1,
            .unset = -1},
        o.local_size);
  visit(Row{.name = "augmentation",
            .help = "Recipe of the views; the options from here to solarize-local change it",
            .choices = augmentation_names()},
        o.augmentation);
  visit(Row{.name = "interpolation", .help = "How a crop is resized", .choices = {"recipe", "bilinear", "bicubic"}},
        o.interpolation);
  for (const ViewNumber& n : view_numbers)
    visit(Row{.name = n.name,
              .help = n.help,
              .least = n.positive ? -infinity : 0,
              .above = n.positive ? 0 : -infinity,
              .most = n.most,
              .unset = -1},
          o.*n.option);
}

/// The views that the options ask for, the global ones of `size` pixels a side; what the options leave open is filled
/// in. Local views are made as the recipe's first view is, but blurred every other time and never solarized.
inline MultiCrop fill_views(ViewOptions& o, int size, int patch = 1) {
  const AugmentationPair pair = known_augmentation(o.augmentation, size);
  MultiCrop crops{pair.first, pair.second, pair.first, 0};
  if (o.multi_crop()) {
    if (o.local_views < 0) o.local_views = 10;
    if (o.local_size < 0) o.local_size = patch * std::max(1, static_cast<int>(std::lround(size * 96.0 / 224 / patch)));
    crops.locals = o.local_views;
    crops.local.size = o.local_size;
    crops.local.crop_min = 0.05;
    crops.local.crop_max = crops.first.crop_min = crops.second.crop_min = 0.25;
    crops.local.blur = 0.5;
    crops.local.solarize = 0;
  }
  for (const ViewNumber& n : view_numbers) {
    double& option = o.*n.option;
    n.for_each_view(crops, [&](Augmentation& view) {
      if (option < 0) option = view.*n.number;
      view.*n.number = option;
    });
  }
  if (o.interpolation == "recipe")
    o.interpolation = crops.first.interpolation == Interpolation::bicubic ? "bicubic" : "bilinear";
  crops.first.interpolation = crops.second.interpolation = crops.local.interpolation =
      o.interpolation == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
  return crops;
}

/// Fails where options of views contradict each other or the network.
inline void check_views(const ViewOptions& o, const MultiCrop& crops, int patch) {
  check_augmentation(crops.first), check_augmentation(crops.second);
  if (!o.multi_crop()) {
    for_each_view_option(o, [&]<class T>(const Row& row, const T& value) {
      if constexpr (!std::is_same_v<T, std::string>)
        check(std::string_view(row.name).find("local") == std::string_view::npos || value == T{-1}, "--", row.name, " ",
              value, " is for --views multi-crop; with --views ", o.scheme, " there are no local views");
    });
    return;
  }
  check(o.local_size % patch == 0, "--local-size ", o.local_size, " is no multiple of --patch ", patch,
        "; a local view is cut into whole patches");
  check(o.local_size <= crops.first.size, "--local-size ", o.local_size, " is more than --image ", crops.first.size,
        "; local views are the smaller ones");
  check(o.crop_min_local <= o.crop_max_local, "--crop-min-local ", o.crop_min_local, " is more than --crop-max-local ",
        o.crop_max_local);
  check_augmentation(crops.local);
}

}  // namespace options_detail

/// The views that the options ask for, the two global ones of `size` pixels a side.
inline MultiCrop crops_of(ViewOptions options, int size) { return options_detail::fill_views(options, size); }

/// The two global views alone.
inline AugmentationPair augmentations(const ViewOptions& options, int size) {
  const MultiCrop crops = crops_of(options, size);
  return {crops.first, crops.second};
}

/// An image whose shorter side has so many pixels is enlarged by none of these views, nor by the one for evaluation.
inline int least_side(const AugmentationPair& views) {
  return std::max(views.first.least_side(), center_view(views.first.size).least_side());
}
inline int least_side(const MultiCrop& crops) {
  const int global = least_side(AugmentationPair{crops.first, crops.second});
  return crops.locals > 0 ? std::max(global, crops.local.least_side()) : global;
}

}}}  // namespace vitral::programs
