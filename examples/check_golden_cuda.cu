// check_golden on a GPU.
#include <vitral/backend/cuda/cuda.hpp>

#include "check_golden_step.hpp"

GoldenTensors golden_step_cuda(const std::string& scalar, const std::string& path, int disturbance) {
  return golden_step<Cuda>(scalar, SafetensorsFile(path), disturbance);
}
