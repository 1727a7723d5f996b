// Pretrains a vision transformer without labels by SimCLR, BYOL, MoCo v3 or their self-distilled forms, and shows by
// k-NN what every layer has learnt. `pretrain --help` explains the options; pretrain_run.hpp does the work.
#include "pretrain.hpp"

#include <vitral/backend/cpu/threads.hpp>
#include <vitral/eval/knn.hpp>

#include <cstdio>

using namespace vitral;
using namespace vitral::programs;

volatile std::sig_atomic_t interrupted = 0;

int main(int argc, char** argv) {
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  try {
    const PretrainOptions options = parse_pretrain_options(argc, argv);
    if (options.threads > 0) cpu::set_threads(options.threads);
    if (options.device == "cuda") return pretrain_cuda(all_to_json(options));
    return options.precision == "bf16" ? pretrain_bf16(options) : pretrain_fp32(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

double knn_of_layer(PlainFeatures known, PlainFeatures asked, int k) {
  return knn_accuracy(features(std::move(known)), features(std::move(asked)), {.k = k});
}

#if !defined(VITRAL_HAS_CUDA)
int pretrain_cuda(const nlohmann::ordered_json&) {
  fail("--device cuda: this program was built without CUDA; install the CUDA Toolkit and build again, or use --device cpu");
}
#endif
