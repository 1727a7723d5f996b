// Training steps of SD-MoCo v3 on the device beside the same steps on paper: the loss falls, stays finite, and comes out
// with the same bits in a second run. (The golden files say whether it is the right loss.)
#include <vitral/backend/cuda/cuda.hpp>
#include <vitral/vitral.hpp>

#include <cmath>
#include <cstdio>

using namespace vitral;

namespace {

/// The losses of a few steps on one batch.
template <class B, class T>
std::vector<float> losses(int steps) {
  ViT<B, T> encoder(ViTSize{16, 4, 64, 2, 2}, Seed{1});
  auto method = self_distilled(MoCoV3(encoder, {.hidden = 64, .out = 32}));
  auto optimizer = make_optimizer(AdamW{.lr = 1e-3}, method);
  using Images = Tensor<float, Shape<dyn, 3, dyn, dyn>, B>;
  const auto view = [](std::uint64_t stream) {
    std::vector<float> pixels(16 * 3 * 16 * 16);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(Random{3, stream, 0}.normal(i));
    return Images::from(pixels, {16, 16, 16});
  };
  const Images first = view(0), second = view(1);
  Tape tape;
  std::vector<float> out;
  for (int i = 0; i < steps; ++i) {
    tape.zero_grad();
    const auto loss = method.loss(tape, first, second, Training{});
    out.push_back(static_cast<float>(loss.value().to_vector()[0]));
    tape.backward(loss);
    clip_grad_norm(optimizer.parameters(), tape, 1.0);
    optimizer.step(tape, method, 0.99);
  }
  return out;
}

template <class B, class T>
bool trains(const char* name) {
  const std::vector<float> first = losses<B, T>(5), second = losses<B, T>(5);
  bool right = first == second;
  for (const float loss : first) right = right && std::isfinite(loss);
  right = right && first.back() < first.front();
  std::printf("%s: loss %g to %g, %s\n", name, first.front(), first.back(), right ? "right" : "WRONG");
  return right;
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) return std::puts("skipped: no CUDA device"), 77;
  const bool right[] = {trains<Cuda, float>("float"), trains<CudaTf32, float>("TF32"), trains<Cuda, bf16>("bf16")};
  return right[0] && right[1] && right[2] ? 0 : 1;
}
