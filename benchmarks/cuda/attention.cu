// Times attention in bf16 on a GPU, as pytorch.py does in PyTorch, and prints lines of JSON: heads of 64 and of 32
// channels, the tokens of 32-, 224- and 384-pixel images, forward alone and with backward.
//   attention 32768 10        tokens of all images together, runs of each timed loop
#include "measure.hpp"

#include <cstdio>
#include <string>

using namespace vitral;

namespace {

constexpr int width = 768;  // of a token: 12 or 24 heads

void time_attention(int channels, int tokens, int batch, int steps) {
  using Rows = Tensor<bf16, Shape<dyn, dyn, dyn>, Cuda>;
  const auto qkv = random_tensor<Rows>({batch, tokens, 3 * width}, 1);
  const auto dy = random_tensor<Rows>({batch, tokens, width}, 2);
  const Rows y(dy.shape()), dqkv(qkv.shape());
  const AttentionSize size{batch, width / channels, tokens, tokens, channels, 1 / std::sqrt(channels)};
  const auto part = [&](const Rows& x, int number) {
    return detail::part_of(x.data(), tokens, x.extent(2) / width, number, size);
  };
  detail::AttentionCore<float, Cuda> core{size, {}};  // what attention() runs on the tape
  const auto forward = [&] { core.forward(part(qkv, 0), part(qkv, 1), part(qkv, 2), part(y, 0)); };
  const auto backward = [&] {
    core.backward(part(qkv, 0), part(qkv, 1), part(qkv, 2), part(y, 0), part(dy, 0), part(dqkv, 0), part(dqkv, 1),
                  part(dqkv, 2), false);
  };
  const auto report = [&](const char* what, double ms) {
    std::printf(R"({"work": "attention %s, %d x %d tokens, heads of %d", "program": "Vitral", "ms": %.4f})"
                "\n",
                what, batch, tokens, channels, ms);
  };
  report("forward", milliseconds(steps, forward));
  report("forward and backward", milliseconds(steps, [&] { forward(), backward(); }));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: attention TOKENS STEPS\n", stderr), 2;
  try {
    for (const int channels : {64, 32})
      for (const int tokens : {65, 197, 577})
        time_attention(channels, tokens, std::stoi(argv[1]) / tokens, std::stoi(argv[2]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
