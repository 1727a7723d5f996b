#include <vitral/data/class_subset.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace vitral;

namespace {

/// Classes of 100, 50 and 3 pictures, and a fourth without any; a picture's one pixel is its number.
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

TEST_CASE("a subset has the same share of every class, and one picture at least") {
  CHECK(counts(class_subset(Uneven{}, 0.1, Seed{0})) == std::vector<long>{10, 5, 1, 0});
  CHECK(counts(class_subset(Uneven{}, 0.001, Seed{0})) == std::vector<long>{1, 1, 1, 0});
  CHECK(counts(class_subset(Uneven{}, 1, Seed{0})) == std::vector<long>{100, 50, 3, 0});
}

TEST_CASE("a picture of the subset is the one whose label it has") {
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
