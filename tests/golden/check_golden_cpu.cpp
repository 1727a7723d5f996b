// check_golden on the CPU.
#include "check_golden_step.hpp"

using namespace vitral;

GoldenTensors golden_step_cpu(const std::string& scalar, const std::string& path, int disturbance) {
  return programs::golden_step<Cpu>(scalar, SafetensorsFile(path), disturbance);
}
