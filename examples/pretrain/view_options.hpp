// The options that say how the two random views of an image are made: a published recipe, and each of its numbers.
#pragma once

#include "pretrain/rows.hpp"

#include <vitral/data/views.hpp>

#include <algorithm>
#include <string>

namespace vitral { inline namespace VITRAL_ABI { namespace programs {

/// A recipe, and what another number than the recipe's is given for; -1: the recipe's. Probabilities and strengths are
/// those of Augmentation.
struct ViewOptions {
  std::string augmentation = "moco-v3", interpolation = "recipe";
  double crop_min = -1, crop_max = -1, aspect_min = -1, aspect_max = -1, flip = -1;
  double jitter = -1, brightness = -1, contrast = -1, saturation = -1, hue = -1, gray = -1;
  double blur_first = -1, blur_second = -1, blur_sigma_min = -1, blur_sigma_max = -1;
  double solarize_first = -1, solarize_second = -1;

  bool operator==(const ViewOptions&) const = default;
};

namespace options_detail {

/// An option for a number of the recipes: of the first view, of the second, or of both alike.
struct ViewNumber {
  const char* name;
  const char* help;
  double ViewOptions::*option;
  double Augmentation::*number;
  bool positive = false;  // whether 0 is no such number
  double most = infinity;
  bool first = true, second = true;
};

// clang-format off
inline constexpr ViewNumber view_numbers[] = {
    {"crop-min", "Smallest crop as a part of the image", &ViewOptions::crop_min, &Augmentation::crop_min, true, 1},
    {"crop-max", "Largest crop", &ViewOptions::crop_max, &Augmentation::crop_max, true, 1},
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
     true, false},
    {"blur-second", "In the second", &ViewOptions::blur_second, &Augmentation::blur, false, 1, false, true},
    {"blur-sigma-min", "Least sigma of the blur", &ViewOptions::blur_sigma_min, &Augmentation::sigma_min, true},
    {"blur-sigma-max", "Largest sigma", &ViewOptions::blur_sigma_max, &Augmentation::sigma_max, true},
    {"solarize-first", "Probability of inverting bright pixels in the first view", &ViewOptions::solarize_first,
     &Augmentation::solarize, false, 1, true, false},
    {"solarize-second", "In the second", &ViewOptions::solarize_second, &Augmentation::solarize, false, 1, false, true},
};
// clang-format on

/// Calls visit(row, member) for every option.
template <class Options, class Visit>
void for_each_view_option(Options& o, Visit&& visit) {
  visit(Row{.name = "augmentation",
            .help = "Recipe of the two views; the options from here to solarize-second change it",
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

/// The views of `size` pixels a side that the options ask for; what they leave to the recipe is filled in.
inline AugmentationPair fill_views(ViewOptions& o, int size) {
  AugmentationPair views = known_augmentation(o.augmentation, size);
  for (const ViewNumber& n : view_numbers) {
    double& option = o.*n.option;
    if (option < 0) option = (n.first ? views.first : views.second).*n.number;
    if (n.first) views.first.*n.number = option;
    if (n.second) views.second.*n.number = option;
  }
  if (o.interpolation == "recipe")
    o.interpolation = views.first.interpolation == Interpolation::bicubic ? "bicubic" : "bilinear";
  views.first.interpolation = views.second.interpolation =
      o.interpolation == "bicubic" ? Interpolation::bicubic : Interpolation::bilinear;
  return views;
}

}  // namespace options_detail

/// The two views of `size` pixels a side that the options ask for.
inline AugmentationPair augmentations(ViewOptions options, int size) {
  return options_detail::fill_views(options, size);
}

/// An image whose shorter side has so many pixels is enlarged by none of these views, nor by the one for evaluation.
inline int least_side(const AugmentationPair& views) {
  return std::max(views.first.least_side(), center_view(views.first.size).least_side());
}

}}}  // namespace vitral::programs
