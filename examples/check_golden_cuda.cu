// check_golden on a GPU.
#include <vitral/backend/cuda/cuda.hpp>

#include "check_golden_step.hpp"

bool check_golden_cuda(const std::string& scalar, const std::string& path) { return check_golden<Cuda>(scalar, path); }
