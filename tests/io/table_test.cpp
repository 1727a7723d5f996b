#include <vitral/io/table.hpp>

#include <doctest/doctest.h>

using namespace vitral;

TEST_CASE("the k-NN table has a line for each layer with its gain in percentage points") {
  CHECK(knn_table({0.5, 0.4125}, {0.6, 0.4}) == " layer   untrained   trained      gain\n"
                                                "     1     50.00 %   60.00 %    +10.00\n"
                                                "     2     41.25 %   40.00 %     -1.25\n");
}

TEST_CASE("a table of networks of different depth is refused") {
  CHECK_THROWS_AS((void)knn_table({0.5}, {0.5, 0.6}), Error);
}
