// A short run of SD-MoCo v3 with multi-crop on the device: everything stays finite, and comes out with the same bits
// whether each step is one graph or, as where memory is not page-locked, its kernels are queued one by one; with heads
// in lanes and without, with blocks kept or recomputed. (The golden files say whether the numbers are right.) What MoCo
// v3's network has not, LayerScale and others, gives PyTorch's features and gradients there, too; linear probes make
// PyTorch's steps.
#include "../eval/classifiers/probe_steps.hpp"
#include "../models/sources.hpp"
#include "../train/noise.hpp"

#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/backend/cuda/pinned.hpp>
#include <vitral/data/loader.hpp>
#include <vitral/eval/classifiers/probe.hpp>
#include <vitral/train/checkpoint.hpp>
#include <vitral/train/trainer.hpp>
#include <vitral/vitral.hpp>

#include <cmath>
#include <cstdio>

using namespace vitral;

namespace {

/// The loss of every step, and the parameters after the last; how many graphs were made.
template <class B, class T>
std::vector<float> numbers(long& graphs) {
  cuda::Steps::eager = false;
  const ViT<B, T> encoder(ViTSize{16, 4, 64, 2, 2}, Seed{1}, {.drop_path = 0.05});
  MoCoV3 method(encoder, {.hidden = 64, .out = 32, .momentum = 0.9}, SelfDistillation{.rises = true});
  method.local_encoder = at_resolution(encoder, 8);
  Trainer trainer(method, AdamW{.lr = 1e-3}, {.epochs = 2, .accumulate = 2, .clip_grad = 1}, Seed{3});
  Loader loader(vitral_tests::Noise{48, 16}, multi_crop(dino_multi_crop(16, 8, 2)),
                {.batch = 8, .seed = 3, .workers = 1});
  std::vector<float> out;
  trainer.fit(loader, [&](const StepReport& r) {
    const long done = r.step + 1, further = trainer.steps_done() - done;
    check(further == (done % 3 == 0 ? 0 : 1), "the device was ", further, " steps after step ", done, " of 3 an epoch");
    return out.push_back(static_cast<float>(r.loss)), true;
  });
  graphs = trainer.runs().graphs_made();
  for_each_parameter(trainer.task(), [&](const std::string&, const auto& p) {
    for (const float x : p.value.to_vector()) out.push_back(x);
  });
  return out;
}

/// Loss, gradients, running statistics, and the bytes that the device had to give for them. `lanes` lets each layer's
/// heads have a lane. Memory has to suffice from the second step on.
template <class B, class T>
struct Gradients {
  std::vector<float> numbers;
  std::size_t held = 0;  // without work spaces

  explicit Gradients(bool lanes, Recompute recompute = Recompute::nothing, const SelfDistillation& distillation = {},
                     int steps = 4) {
    auto& pool = detail::Pool<B>::instance();
    pool.trim();
    const ViT<B, T> encoder(ViTSize{16, 4, 64, 6, 2}, Seed{1}, {.drop_path = 0.3, .recompute = recompute});
    const auto method = self_distilled(MoCoV3(encoder, {.hidden = 64, .out = 32}), distillation);
    using Images = Tensor<float, Shape<dyn, 3, dyn, dyn>, B>;
    const typename Images::shape_type shape{6, 16, 16};
    const auto view = [&](std::uint64_t stream) { return eval(Images(shape) + uniform(Random{7, stream, 0}, shape)); };
    const auto view1 = view(1), view2 = view(2);
    Tape tape;
    std::size_t before = 0;
    for (int step = 0; step < steps; ++step) {
      tape.zero_grad();
      const Training mode(Random{9, 0, static_cast<std::uint64_t>(step)});
      std::vector<decltype(method.loss(tape, view1, view2, mode))> loss;
      const auto forward = [&] { loss.push_back(method.loss(tape, view1, view2, mode)); };
      if (lanes)
        forward();
      else  // all in one lane, which has no lanes
        in_lanes<B>(1, [&](std::size_t) { forward(); });
      tape.backward(loss[0]);
      numbers.push_back(loss[0].item());
      for_each_parameter(method.student, [&](const std::string&, const auto& p) {
        if (p.trainable)
          for (const float x : tape.grad(p).to_vector()) numbers.push_back(x);
      });
      const std::size_t now = pool.held() + detail::Pool<cuda::WorkSpace>::instance().held();
      if (step >= 2) check(now == before, "step ", step, " took ", now - before, " bytes more");
      before = now;
    }
    held = pool.held();
    for_each_tensor(method.student, [&](const std::string&, const auto& member) {
      if constexpr (is_state<std::remove_cvref_t<decltype(member)>>)
        for (const float x : member.value.to_vector()) numbers.push_back(x);
    });
  }
};

template <class B, class T>
bool trains(const char* name) {
  const HostMemory pageable = host_memory;
  long made = 0, made_eagerly = 0;
  const std::vector<float> eager = numbers<B, T>(made_eagerly);
  const bool was_eager = cuda::Steps::eager;
  cuda::use_pinned_memory();
  const std::vector<float> graphs = numbers<B, T>(made);
  const bool was_graphs = !cuda::Steps::eager;
  host_memory = pageable;
  bool finite = true;
  for (const float x : graphs) finite = finite && std::isfinite(x);
  const bool same = graphs == eager;
  // A step has two parts and an update. Of six steps two are eager, one makes the graphs and three update them.
  const bool lasting = was_eager && was_graphs && made == 3 && made_eagerly == 0;
  const Gradients<B, T> kept(true), without_lanes(false), recomputed(true, Recompute::block);
  const SelfDistillation shares{.target = LowerTarget::student_final,
                                .heads = {.shared_projector = true, .shared_predictor = true}};
  const Gradients<B, T> shared(true, Recompute::nothing, shares, 1),
      shared_without(false, Recompute::nothing, shares, 1);
  const bool same_in_lanes = kept.numbers == without_lanes.numbers && shared.numbers == shared_without.numbers,
             same_again = kept.numbers == recomputed.numbers, less = recomputed.held * 4 < kept.held * 3;
  std::printf("%s: first loss %g%s%s%s%s, %ld graphs%s, %zu KiB, with blocks recomputed %zu KiB%s\n", name, graphs[0],
              finite ? "" : ", NOT FINITE", same ? "" : ", DIFFERS FROM EAGER STEPS",
              same_in_lanes ? "" : ", DIFFERS WITHOUT LANES", same_again ? "" : ", DIFFERS WHERE BLOCKS ARE RECOMPUTED",
              made, lasting ? "" : " INSTEAD OF 3, OR NONE WHERE MEMORY IS PAGEABLE", kept.held >> 10,
              recomputed.held >> 10, less ? "" : ", TOO MUCH");
  return finite && same && same_in_lanes && same_again && lasting && less;
}

bool agrees_with_pytorch() {
  const SafetensorsFile file("tests/fixtures/sources.safetensors");
  bool right = true;
  for (const vitral_tests::Source& source : {vitral_tests::registers, vitral_tests::quick_gelu}) {
    const double features = vitral_tests::distance_of_features<Cuda>(source, file, source.others[1]),
                 gradients = vitral_tests::distance_of_gradients<Cuda>(source, file);
    std::printf("%s: features within %g of PyTorch's, gradients within %g\n", source.name, features, gradients);
    right = right && features < 1e-5 && gradients < 1e-4;
  }
  return right;
}

/// Features of two layers whose classes have directions of their own: the second layer's lie farther apart.
std::vector<Features> clusters(int images, std::uint64_t stream) {
  constexpr int width = 24, classes = 4;
  std::vector<Features> out;
  for (const double apart : {0.4, 1.0}) {
    Features layer{std::vector<float>(static_cast<std::size_t>(images) * width), width, {}, classes};
    const Random own{5, stream, 0}, common{5, 0, 0};
    for (int i = 0; i < images; ++i) {
      layer.labels.push_back(i % classes);
      for (int j = 0; j < width; ++j) {
        const auto at = static_cast<std::uint64_t>(i * width + j);
        layer.rows[at] = static_cast<float>(
            0.2 * (own.normal(at) + apart * common.normal(static_cast<std::uint64_t>(i % classes * width + j))));
      }
    }
    out.push_back(layer);
  }
  return out;
}

/// How many images are classified rightly by each layer and rate.
template <class B>
std::vector<long> right_by_probes() {
  std::vector<long> out;
  const ProbeOptions options{.rates = {0.01, 0.3}, .epochs = 6, .batch = 32};
  for (const LayerProbe& layer : sgd_probes<B>(clusters(90, 1), clusters(200, 2), options))
    for (const RateScores& scores : layer.rates) out.insert(out.end(), {scores.held_out.first, scores.test.first});
  return out;
}

/// Classifiers make PyTorch's steps, and whole sweeps are right as often as on the CPU but for two images, whether
/// steps are graphs or not.
bool probes() {
  const HostMemory pageable = host_memory;
  cuda::use_pinned_memory();
  cuda::Steps::eager = false;
  const vitral_tests::StepsFound steps =
      vitral_tests::steps_of<Cuda>(SafetensorsFile("tests/fixtures/probe.safetensors"));
  const std::vector<long> graphs = right_by_probes<Cuda>();
  cuda::Steps::eager = true;
  bool right = steps.deviation < 1e-5 && steps.same_counts && graphs == right_by_probes<Cuda>();
  host_memory = pageable;
  // On the CPU: rates of 0.01 and 0.3, the images held out and those of the test, of either layer.
  const std::vector<long> expected{2, 82, 4, 154, 7, 196, 8, 200};
  std::printf("probes: within %g of PyTorch's steps, right", steps.deviation);
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    std::printf(" %ld (%ld)", graphs[i], expected.at(i));
    right = right && std::abs(graphs[i] - expected[i]) <= 2;
  }
  std::puts(right ? "" : " WRONG");
  return right;
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  const bool right[] = {trains<Cuda, float>("float"), trains<Cuda, bf16>("bf16"), agrees_with_pytorch(), probes()};
  return right[0] && right[1] && right[2] && right[3] ? 0 : 1;
}
