#include "temporary.hpp"

#include <vitral/data/dataset.hpp>
#include <vitral/data/datasets.hpp>

using namespace vitral;
using testing::Computed;

TEST_CASE("a data set handle gives what the data set gives") {
  const Dataset data = Computed{5};
  CHECK(data.size() == 5);
  CHECK(data.name() == "computed");
  CHECK(data.classes().size() == 1000);
  CHECK(data.label(3) == 3);
  CHECK(data.image(3).rgb == Computed{5}.image(3).rgb);
}

TEST_CASE("a data set handle refuses an index outside and says what is inside") {
  const Dataset data = Computed{5};
  CHECK(testing::contains(testing::error_of([&] { (void)data.image(5); }), "no image 5, expected 0 to 4"));
  CHECK_THROWS_AS((void)data.label(-1), Error);
}

TEST_CASE("images that come from files say from which, through handle and selection; others say nothing") {
  struct Filed : Computed {
    std::filesystem::path file(long i) const { return std::to_string(i) + ".png"; }
  };
  const Dataset data = Filed{{5}};
  CHECK(data.file(3) == "3.png");
  CHECK(select_images(data, {3, 1}).file(1) == "1.png");
  CHECK_THROWS_AS((void)select_images(data, {3, 1}).file(2), Error);
  CHECK(Dataset(Computed{5}).file(3).empty());
}

TEST_CASE("chosen images come in the order that was asked for, with their labels") {
  const Dataset data = Computed{5};
  const Dataset chosen = select_images(data, {4, 0, 4});
  CHECK(chosen.size() == 3);
  CHECK(chosen.image(0).rgb == data.image(4).rgb);
  CHECK(chosen.label(1) == data.label(0));
  CHECK(chosen.label(2) == data.label(4));
  CHECK_THROWS_AS((void)chosen.image(3), Error);
}

TEST_CASE("each data set of the table is opened by its name and has usual sizes that fit each other") {
  for (const KnownDataset& known : known_datasets) {
    CAPTURE(known.name);
    CHECK(&known_dataset(known.name) == &known);  // no name twice
    CHECK(known.image % known.patch == 0);
    CHECK(known.takes_ending == (known.name == "tar"));
    const auto opened = [&] { (void)open_dataset(known.name, "no/such/place", Split::train); };
    CHECK(testing::contains(testing::error_of(opened), "no/such/place"));
    CHECK(has_test_split(known.name, "no/such/place") != known.split_folders);
  }
}

TEST_CASE(
    "a data set that is not known is named with the nearest and with all that are, an ending that means nothing too") {
  CHECK_THROWS_WITH_AS(
      (void)open_dataset("cifar", "data", Split::train),
      "vitral: unknown data set \"cifar\" (did you mean cifar10? known: fashion-mnist, mnist, cifar10, "
      "cifar100, stl10, flowers102, pets, folder, images, tar)",
      Error);
  CHECK_THROWS_WITH_AS((void)open_dataset("mnist", "data", Split::train, 0, "jpg"),
                       "vitral: mnist: TarImages' ending \"jpg\" means nothing here; leave it out", Error);
}

TEST_CASE("an image must have as many bytes as its extents say") {
  CHECK_NOTHROW(check_image(Computed{1}.image(0)));
  CHECK_THROWS_AS(check_image(Image{2, 2, std::vector<std::uint8_t>(11)}), Error);
  CHECK_THROWS_AS(check_image(Image{}), Error);
}
