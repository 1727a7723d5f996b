// CUDA is a backend. Skipped where there is no device.
#define DOCTEST_CONFIG_IMPLEMENT
#include "../backend/conformance/conformance.hpp"

#include <vitral/backend/cuda/cuda.hpp>

#include <cstdio>

CONFORMANCE_OF(vitral::Cuda);

static_assert(vitral::HasLanes<vitral::Cuda> && vitral::OffersViews<vitral::Cuda>);

int main(int argc, char** argv) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  return doctest::Context(argc, argv).run();
}
