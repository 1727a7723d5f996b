// Times optimisation steps of SD-MoCo v3 in bf16 on a GPU, as pytorch.py does in PyTorch, and prints lines of JSON:
// kernels queued one by one, and each step as one CUDA graph, which is how Trainer runs it.
//   step ViT-S/16 128 4             model, batch, steps of each timed loop
//   step ViT-S/16 128 4 recompute   the same with Recompute::block
#include "measure.hpp"

#include <cstdio>
#include <map>
#include <string>

using namespace vitral;

namespace {

struct Model {
  ViTSize size;
  MethodOptions heads;
};
const std::map<std::string, Model> models{{"ViT-Ti/4", {vit_tiny_32, {.hidden = 1024, .out = 256}}},
                                          {"ViT-S/16", {vit_small_224, {.hidden = 4096, .out = 256}}},
                                          {"ViT-B/16", {vit_base_224, {.hidden = 4096, .out = 256}}}};

void time_steps(const std::string& name, int batch, int steps, Recompute recompute) {
  const auto found = models.find(name);
  check(found != models.end(), name, " is not one of ViT-Ti/4, ViT-S/16 and ViT-B/16");
  const auto& [size, heads] = found->second;
  auto method = self_distilled(MoCoV3(ViT<Cuda, bf16>(size, Seed{0}, {.recompute = recompute}), heads), {.ratio = 1.0});
  auto optimizer = make_optimizer(AdamW{.lr = 1e-4, .weight_decay = 0.1}, method);
  using Images = Tensor<float, Shape<dyn, 3, dyn, dyn>, Cuda>;
  const Images::shape_type shape{batch, size.image, size.image};
  const auto view1 = random_tensor<Images>(shape, 1), view2 = random_tensor<Images>(shape, 2);
  Tape tape;
  const auto step = [&] {
    tape.zero_grad();
    const auto loss = [&] {
      const RoundedWeights rounded(method);
      return method.loss(tape, view1, view2, Training{});
    }();
    tape.backward(loss);
    optimizer.step(tape, method, 0.996);
    return loss.value();
  };

  auto loss = step();
  for (const bool eager : {true, false}) {
    cuda::Steps::eager = eager;
    Cuda::Steps runs;
    long last = -1;  // the host is one step ahead, as in Trainer
    const double ms = milliseconds(steps, [&] {
      const long run = runs.run(0, [&] { loss = step(); });
      if (last >= 0) runs.wait(last);
      last = run;
    });
    const std::size_t held = detail::Pool<Cuda>::instance().held() + detail::Pool<cuda::WorkSpace>::instance().held();
    check(std::isfinite(loss.item()), "the loss is not finite, so the times say nothing");
    std::printf(R"({"work": "%s, batch %d", "program": "Vitral%s%s", "ms": %.3f, "mib": %zu, "graphs": %ld, )"
                R"("loss": %.4f})"
                "\n",
                name.c_str(), batch, recompute == Recompute::block ? ", blocks recomputed" : "",
                eager ? ", no graphs" : "", ms, held >> 20, runs.graphs_made(),
                static_cast<double>(loss.item()));
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
