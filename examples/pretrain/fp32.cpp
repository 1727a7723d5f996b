// pretrain with activations of type float.
#include "pretrain/run.hpp"

int vitral::programs::pretrain_fp32(const PretrainOptions& options) { return run_method<Cpu, float>(options); }
