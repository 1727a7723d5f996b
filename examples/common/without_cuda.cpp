// What stands in the place of on_cuda.cu and finetune/cuda.cu where CUDA is not.
#include "common/without_cuda.hpp"

#include "common/on_cuda.hpp"

using vitral::programs::fail_without_cuda;

std::pair<void* (*)(std::size_t), void (*)(void*)> page_locked_memory_on_cuda() { fail_without_cuda(); }
std::pair<FunctionOfImages, FunctionOfImages> network_on_cuda(const std::string&, bool, int, int) {
  fail_without_cuda();
}
std::pair<std::vector<float>, std::vector<int>> nearest_rows_on_cuda(std::span<const float>, std::span<const float>,
                                                                     int, int) {
  fail_without_cuda();
}
std::vector<std::vector<float>> sweeps_on_cuda(const std::vector<PlainFeatures>&, const std::vector<long>&,
                                               const std::vector<double>&, int, int, double, std::uint64_t,
                                               const std::function<void(int)>&) {
  fail_without_cuda();
}
std::string finetune_on_cuda(const std::string&) { fail_without_cuda(); }
