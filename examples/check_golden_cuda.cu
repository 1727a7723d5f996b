// check_golden on a GPU.
#define VITRAL_GOLDEN_WITHOUT_BF16  // a third of nvcc's time, for a check with wide limits
#include <vitral/backend/cuda/cuda.hpp>

#include "check_golden_step.hpp"

bool check_golden_cuda(const std::string& scalar, const std::string& path) { return check_golden<Cuda>(scalar, path); }
