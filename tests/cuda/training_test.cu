// A short run of SD-MoCo v3 on the device: everything stays finite, and comes out with the same bits whether each step is
// one graph or its kernels are queued one by one, as they are where memory is not page-locked. (The golden files say
// whether the numbers are right.)
#include "../train/noise.hpp"

#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/backend/cuda/pinned.hpp>
#include <vitral/train/trainer.hpp>
#include <vitral/vitral.hpp>

#include <cmath>
#include <cstdio>

using namespace vitral;

namespace {

/// The loss of every step, and the parameters after the last.
template <class B, class T>
std::vector<float> numbers() {
  cuda::Steps::eager = false;
  const ViT<B, T> encoder(ViTSize{16, 4, 64, 2, 2}, Seed{1}, {.drop_path = 0.05});
  Trainer trainer(MoCoV3(encoder, {.hidden = 64, .out = 32}, SelfDistillation{}), AdamW{.lr = 1e-3},
                  {.epochs = 4, .warmup_epochs = 0, .momentum = 0.9, .ratio_rises = true, .accumulate = 2,
                   .clip_grad = 1}, Seed{3});
  Loader loader(vitral_tests::Noise{16, 16}, two_views(moco_v3_augmentation(16)),
                {.batch = 8, .seed = 3, .workers = 1});
  std::vector<float> out;
  trainer.fit(loader, [&](const StepReport& r) { return out.push_back(static_cast<float>(r.loss)), true; });
  for_each_parameter(trainer.method(), [&](const std::string&, const auto& p) {
    for (const float x : p.value.to_vector()) out.push_back(x);
  });
  return out;
}

template <class B, class T>
bool trains(const char* name) {
  const HostMemory pageable = host_memory;
  const std::vector<float> eager = numbers<B, T>();
  const bool was_eager = cuda::Steps::eager;
  cuda::use_pinned_memory();
  const std::vector<float> graphs = numbers<B, T>();
  const bool was_graphs = !cuda::Steps::eager;
  host_memory = pageable;
  bool finite = true;
  for (const float x : graphs) finite = finite && std::isfinite(x);
  const bool same = graphs == eager;
  std::printf("%s: first loss %g%s%s%s\n", name, graphs[0], finite ? "" : ", NOT FINITE",
              same ? "" : ", DIFFERS FROM EAGER STEPS", was_eager && was_graphs ? "" : ", NOT EAGER OR NOT GRAPHS");
  return finite && same && was_eager && was_graphs;
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  const bool right[] = {trains<Cuda, float>("float"), trains<Cuda, bf16>("bf16")};
  return right[0] && right[1] ? 0 : 1;
}
