// The conformance test of backends, for CUDA. Skipped where there is no device.
#define DOCTEST_CONFIG_IMPLEMENT
#define VITRAL_TEST_CUDA
#include "../backend/conformance_test.cpp"

#include <cstdio>

int main(int argc, char** argv) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  return doctest::Context(argc, argv).run();
}
