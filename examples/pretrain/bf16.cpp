// pretrain with activations of type bf16.
#include "pretrain/run.hpp"

int vitral::programs::pretrain_bf16(const PretrainOptions& options) { return run_method<Cpu, bf16>(options); }
