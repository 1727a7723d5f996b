// A contact sheet of what a network will see: one image of the data set a row, itself first, then its random views.
#include "common/command_line.hpp"

#include <vitral/data/datasets.hpp>
#include <vitral/data/sheet.hpp>
#include <vitral/data/views.hpp>
#include <vitral/io/png.hpp>

#include <cstdio>

using namespace vitral;
using namespace vitral::programs;

namespace {

struct Options {
  std::string dataset = "cifar10", data, tar_image, split = "train", augmentation = "moco-v3", out = "preview.png";
  int image = 0, rows = 8, draws = 4;
  long first = 0;
  std::uint64_t seed = 0;
  double crop_min = 0;
};

/// The recipe's views with their pixels as they are, not normalised.
ImageViews views_of(const Options& o) {
  const auto shown = [&](Augmentation a) {
    a.normalize = {{0, 0, 0}, {1, 1, 1}};
    if (o.crop_min > 0) a.crop_min = o.crop_min;
    return a;
  };
  if (o.augmentation == "dino-multi-crop") {
    const MultiCrop crops = dino_multi_crop(o.image, std::max(1, o.image * 96 / 224));
    return multi_crop({shown(crops.first), shown(crops.second), shown(crops.local), crops.locals});
  }
  const AugmentationPair pair = known_augmentation(o.augmentation, o.image);
  return two_views(shown(pair.first), shown(pair.second));
}

void run(Options o) {
  const KnownDataset& usual = known_dataset(o.dataset);
  if (o.data.empty()) o.data = usual.path;
  if (o.image == 0) o.image = usual.image;
  check(!o.data.empty(), "--dataset ", o.dataset, " needs --data DIR, the directory that holds the images");
  const Split split = o.split == "train" ? Split::train : o.split == "test" ? Split::test : Split::unlabeled;
  const Dataset data = open_dataset(o.dataset, o.data, split, 0, o.tar_image);
  check(o.first < data.size(), "--first ", o.first, ": ", data.name(), " has ", data.size(), " images");
  const ImageViews views = views_of(o);
  CenterView itself = center_view(o.image);
  itself.normalize = {{0, 0, 0}, {1, 1, 1}};

  const int rows = static_cast<int>(std::min<long>(o.rows, data.size() - o.first));
  const int columns = 1 + o.draws * static_cast<int>(views.size()), gap = 4;
  const auto view_of = [&](int column) { return static_cast<std::size_t>(column - 1) % views.size(); };
  std::vector<int> left{gap, gap + o.image + gap};  // of each column, and the sheet's width
  for (int column = 1; column < columns; ++column) left.push_back(left.back() + views[view_of(column)].size() + gap);
  const auto top = [&](int row) { return gap + row * (o.image + gap); };
  check(static_cast<long>(top(rows)) * left.back() <= max_pixels, "a sheet of ", left.back(), " x ", top(rows),
        " pixels is too large; use fewer --rows or --draws, or a smaller --image");
  Image sheet = blank_image(top(rows), left.back());
  std::vector<float> planes(3 * static_cast<std::size_t>(o.image) * static_cast<std::size_t>(o.image));
  for (int row = 0; row < rows; ++row) {
    const long which = o.first + row;
    const Image image = data.image(which);
    itself(image, planes.data());
    place(sheet, top(row), left[0], image_from_floats(planes.data(), o.image));
    for (int column = 1; column < columns; ++column) {
      const ImageView& view = views[view_of(column)];
      view(image, {o.seed, static_cast<std::uint64_t>(column), static_cast<std::uint64_t>(which)}, planes.data());
      place(sheet, top(row), left[static_cast<std::size_t>(column)], image_from_floats(planes.data(), view.size()));
    }
  }
  write_png(o.out, sheet);
  std::printf("wrote %s: %d images of %s, each followed by %d draws of the views of %s\n", escape_text(o.out).c_str(),
              rows, escape_text(data.name()).c_str(), o.draws, o.augmentation.c_str());
}

Options parse(int argc, char** argv) {
  Options o;
  std::vector<std::string> recipes = augmentation_names();
  recipes.emplace_back("dino-multi-crop");
  CLI::App app("Writes a contact sheet of the random views of a data set's images");
  app.add_option("--dataset", o.dataset, "Layout of the images in --data")
      ->type_name(CLI::detail::join(dataset_names(), "|"))
      ->capture_default_str();
  app.add_option("--data", o.data, "Directory of the data set [where pretrain looks]");
  app.add_option("--tar-image", o.tar_image,
                 "Ending of the images where samples of archives have several, such as jpg");
  app.add_option("--split", o.split, "Which part of it")
      ->check(CLI::IsMember({"train", "test", "unlabeled"}))
      ->capture_default_str();
  app.add_option("--augmentation", o.augmentation,
                 "Recipe of the views, as of pretrain, or DINO's with its small views")
      ->check(CLI::IsMember(recipes))
      ->capture_default_str();
  app.add_option("--image", o.image, "Side of a view in pixels; 0 = by data set")->check(CLI::Range(0, 4096));
  app.add_option("--rows", o.rows, "Images")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--draws", o.draws, "How often all views are drawn")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--first", o.first, "The first image")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--crop-min", o.crop_min, "Smallest crop as a part of the area; 0 = the recipe's")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", o.seed, "Seed of the random views")->capture_default_str();
  app.add_option("--out", o.out, "PNG file to write")->capture_default_str();
  parse_command_line(app, argc, argv, "preview");
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  return exit_status([&] { run(parse(argc, argv)); });
}
