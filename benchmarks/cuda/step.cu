// Times optimisation steps of SD-MoCo v3 in bf16 on a GPU, as pytorch.py does in PyTorch, and prints lines of JSON:
// kernels queued one by one, and each step as one CUDA graph, which is how Trainer runs it.
//   step ViT-S/16 128 4             model, batch, steps of each timed loop
//   step ViT-S/16 128 4 recompute   the same with Recompute::block
#include "step.hpp"

#include <cstdio>

using namespace vitral;

namespace {

void time_steps(const std::string& name, int batch, int steps, Recompute recompute) {
  Step step(model_of(name), batch, recompute);
  auto loss = step();
  for (const bool eager : {true, false}) {
    cuda::Steps::eager = eager;
    cuda::Steps runs;
    long last = -1;  // the host is one step ahead, as in Trainer
    const double ms = milliseconds(steps, [&] {
      const long run = runs.run(0, [&] { loss = step(); });
      if (last >= 0) runs.wait(last);
      last = run;
    });
    const std::size_t held =
        detail::Pool<CudaTf32>::instance().held() + detail::Pool<cuda::WorkSpace>::instance().held();
    check(std::isfinite(loss.item()), "the loss is not finite, so the times say nothing");
    std::printf(R"({"work": "%s, batch %d", "program": "Vitral%s%s", "ms": %.3f, "mib": %zu, "graphs": %ld, )"
                R"("loss": %.4f})"
                "\n",
                name.c_str(), batch, recompute == Recompute::block ? ", blocks recomputed" : "",
                eager ? ", no graphs" : "", ms, held >> 20, runs.graphs_made(), static_cast<double>(loss.item()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool recompute = argc == 5 && std::string(argv[4]) == "recompute";
  if (argc != 4 && !recompute) return std::fputs("usage: step MODEL BATCH STEPS [recompute]\n", stderr), 2;
  try {
    time_steps(argv[1], std::stoi(argv[2]), std::stoi(argv[3]), recompute ? Recompute::block : Recompute::nothing);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
