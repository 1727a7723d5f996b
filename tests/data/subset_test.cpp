#include <vitral/data/subset.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>

using namespace vitral;

namespace {

/// Classes of 100, 50 and 3 images, and a fourth without any; an image's one pixel is its number.
struct Uneven {
  long size() const { return 153; }
  Image image(long i) const { return {1, 1, std::vector<std::uint8_t>(3, static_cast<std::uint8_t>(i))}; }
  int label(long i) const { return i % 3 == 0 && i < 150 ? 1 : i < 150 ? 0 : 2; }
  std::vector<std::string> classes() const { return {"many", "some", "few", "none"}; }
  std::string name() const { return "uneven"; }
};

std::vector<long> counts(const Dataset& data) {
  std::vector<long> out(4);
  for (long i = 0; i < data.size(); ++i) ++out[static_cast<std::size_t>(data.label(i))];
  return out;
}

std::vector<int> labels() {
  std::vector<int> out;
  for (long i = 0; i < 153; ++i) out.push_back(Uneven{}.label(i));
  return out;
}

}  // namespace

TEST_CASE("a subset has the same share of every class, and one image at least") {
  CHECK(counts(class_subset(Uneven{}, 0.1, Seed{0})) == std::vector<long>{10, 5, 1, 0});
  CHECK(counts(class_subset(Uneven{}, 0.001, Seed{0})) == std::vector<long>{1, 1, 1, 0});
  CHECK(counts(class_subset(Uneven{}, 1, Seed{0})) == std::vector<long>{100, 50, 3, 0});
}

TEST_CASE("an image of the subset is the one whose label it has") {
  const Dataset few = class_subset(Uneven{}, 0.2, Seed{1});
  for (long i = 0; i < few.size(); ++i) CHECK(Uneven{}.label(few.image(i).rgb[0]) == few.label(i));
  CHECK(few.name() == "uneven");
}

TEST_CASE("the seed alone decides, and a larger share contains the smaller one") {
  const auto draw = [](double share, std::uint64_t seed) {
    return share_of_each_class(labels(), 4, share, Seed{seed});
  };
  const auto few = draw(0.1, 5), more = draw(0.5, 5);
  CHECK(few == draw(0.1, 5));
  CHECK(few != draw(0.1, 6));
  CHECK(std::is_sorted(few.begin(), few.end()));
  CHECK(std::includes(more.begin(), more.end(), few.begin(), few.end()));
}

TEST_CASE("shares beyond the whole and labels that are no class are refused") {
  CHECK_THROWS_WITH_AS(static_cast<void>(share_of_each_class(labels(), 4, 0, Seed{0})),
                       doctest::Contains("a share of 0"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(share_of_each_class(labels(), 4, 1.5, Seed{0})),
                       doctest::Contains("a share of 1.5"), Error);
  CHECK_THROWS_WITH_AS(static_cast<void>(share_of_each_class(labels(), 2, 0.5, Seed{0})),
                       doctest::Contains("label 2 is not one of 0 to 1"), Error);
}

TEST_CASE("a count of images has every class in proportion, whatever their order, by the seed alone") {
  CHECK(counts(subset(Uneven{}, 30, Seed{0})) == std::vector<long>{19, 10, 1, 0});
  CHECK(counts(subset(Uneven{}, 51, Seed{0})) == std::vector<long>{33, 17, 1, 0});
  CHECK(counts(subset(Uneven{}, 1000)) == std::vector<long>{100, 50, 3, 0});
  const auto draw = [](long count, std::uint64_t seed) { return spread_places(Uneven{}, count, Seed{seed}); };
  CHECK(draw(40, 5) == draw(40, 5));
  CHECK(draw(40, 5) != draw(40, 6));
  for (long count = 1; count < 153; ++count) {
    const auto few = draw(count, 5), more = draw(count + 1, 5);
    REQUIRE(few.size() == static_cast<std::size_t>(count));
    REQUIRE(std::includes(more.begin(), more.end(), few.begin(), few.end()));
  }
  CHECK_THROWS_WITH_AS(static_cast<void>(subset(Uneven{}, 0)), doctest::Contains("a subset of 0 images"), Error);
}

TEST_CASE("images without labels are drawn from the whole set") {
  struct Unlabelled : Uneven {
    int label(long) const { return -1; }
    std::vector<std::string> classes() const { return {}; }
  };
  const auto places = spread_places(Unlabelled{}, 50, Seed{1});
  CHECK(places.size() == 50);
  CHECK(places.front() < 15);
  CHECK(places.back() > 137);
  CHECK(hold_out(Unlabelled{}, 0.1, Seed{1}).held.size() == 15);
}

TEST_CASE("a part of every class is held out, never all of it, and the rest stays") {
  const HeldOut parts = hold_out(Uneven{}, 0.1, Seed{2});
  CHECK(counts(select_images(Uneven{}, parts.held)) == std::vector<long>{10, 5, 1, 0});
  CHECK(counts(select_images(Uneven{}, parts.kept)) == std::vector<long>{90, 45, 2, 0});
  CHECK(counts(select_images(Uneven{}, hold_out(Uneven{}, 0.99, Seed{2}).kept)) == std::vector<long>{1, 1, 1, 0});
  std::vector<long> all;
  std::merge(parts.held.begin(), parts.held.end(), parts.kept.begin(), parts.kept.end(), std::back_inserter(all));
  CHECK(all == spread_places(Uneven{}, 153, Seed{0}));
  CHECK(hold_out(Uneven{}, 0.1, Seed{3}).held != parts.held);
  CHECK_THROWS_WITH_AS(static_cast<void>(hold_out(Uneven{}, 1, Seed{0})), doctest::Contains("a share of 1"), Error);
}
