// check_golden on a GPU.
#include <vitral/backend/cuda/cuda.hpp>

#include "check_golden_step.hpp"

using namespace vitral;

GoldenTensors golden_step_cuda(const std::string& scalar, const std::string& path, int disturbance) {
  return programs::golden_step<Cuda, CudaTf32>(scalar, SafetensorsFile(path), disturbance);
}
