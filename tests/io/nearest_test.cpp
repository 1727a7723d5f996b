#include <vitral/io/nearest.hpp>

#include <doctest/doctest.h>

using namespace vitral;

TEST_CASE("edit distance counts insertions, deletions and replacements") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("saturday", "sunday") == 3);
}

TEST_CASE("the nearest names come first and equally near ones keep their order") {
  CHECK(nearest_names("bath", {"width", "batch", "depth", "bat"}, 2) == std::vector<std::string>{"batch", "bat"});
  CHECK(nearest_names("x", {}, 2).empty());
}
