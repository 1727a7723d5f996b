// check_golden on the CPU.
#include "check_golden_step.hpp"

bool check_golden_cpu(const std::string& scalar, const std::string& path) { return check_golden<Cpu>(scalar, path); }
