// The arithmetic of CUDA's kernels on shapes, on the host.
#include <vitral/backend/cuda/index.hpp>

#include <doctest/doctest.h>

#include <set>
#include <vector>

using namespace vitral;

TEST_CASE("positions are indices in row-major order, by 32-bit and by 64-bit division") {
  for (const long scale : {1l, 1l << 30}) {  // the second space has more elements than an int counts
    const Space<3> space{3, {2 * scale, 3, 5}, 30 * scale};
    long position = 0;
    for (long i = 0; i < 2; ++i)
      for (long j = 0; j < 3; ++j)
        for (long k = 0; k < 5; ++k, ++position)
          for (const long far : {0l, 2 * scale - 2}) {
            long index[3];
            cuda::index_at(space, position + far * 15, index);
            REQUIRE(index[0] == i + far);
            REQUIRE(index[1] == j);
            REQUIRE(index[2] == k);
          }
  }
}

TEST_CASE("a broadcast leaf's elements and their summands together are the whole space, each once") {
  // Every choice of broadcast axes; the leaf is dense over the others.
  const long extents[4] = {2, 3, 4, 5};
  for (int broadcast = 1; broadcast < 16; ++broadcast) {
    Space<4> space{4, {2, 3, 4, 5}, 120};
    long stride[4] = {}, next = 1;
    for (int i = 3; i >= 0; --i) {
      if (broadcast >> i & 1) continue;
      stride[i] = next;
      next *= extents[i];
    }
    const auto folded = cuda::detail::fold(space, stride);
    REQUIRE(folded.kept.size == next);
    REQUIRE(folded.kept.size * folded.summed.size == 120);
    std::set<long> positions;
    for (long kept = 0; kept < folded.kept.size; ++kept)
      for (long summed = 0; summed < folded.summed.size; ++summed) {
        long index[4];
        cuda::detail::unfold(folded, kept, summed, index);
        REQUIRE(offset_of(stride, index, 4) == kept);
        positions.insert(offset_of(folded.position_stride, index, 4));
      }
    CHECK(positions.size() == 120);
    CHECK(*positions.rbegin() == 119);
  }
}

TEST_CASE("sums are cut into parts by their shape, none of them empty") {
  for (const long results : {0l, 1l, 100l, 100000l})
    for (const long n : {0l, 1l, 63l, 64l, 1000l, 10000000l}) {
      const int parts = cuda::detail::parts_of(results, n);
      CHECK(parts >= 1);
      CHECK(parts <= 256);
      CHECK((parts == 1 || n / parts >= 64));
    }
  CHECK(cuda::detail::parts_of(1, 10000000) == 256);
  CHECK(cuda::detail::parts_of(1000000, 10000000) == 1);
}
