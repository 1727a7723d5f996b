// An autoencoder finds the two numbers behind signals of 32.
#include <vitral/data/batches.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

#include <iostream>

using namespace vitral;

// data
// Sine waves of any phase and height.
Tensor<float, Shape<dyn, 32>> waves(int count, Random random) {
  Tensor<float, Shape<dyn, 32>> x({count});
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint64_t>(2 * i);
    const float phase = 6.2832f * random.uniform_float(at), height = 1 + random.uniform_float(at + 1);
    for (int t = 0; t < 32; ++t) x(i, t) = height * std::sin(phase + 0.3f * static_cast<float>(t));
  }
  return x;
}
// end of data

struct Autoencoder {
  Linear<32, 64> in{Seed{1}};
  Linear<64, 2> code{Seed{2}};
  Linear<2, 64> back{Seed{3}};
  Linear<64, 32> out{Seed{4}};
  VITRAL_MEMBERS(in, code, back, out)
  auto encode(const auto& x) const { return code(gelu(in(x))); }
  auto operator()(const auto& x) const { return out(gelu(back(encode(x)))); }
};

int main() {
  const auto train = waves(2048, {1}), test = waves(256, {2});
  const Autoencoder net;
  Trainer(Supervised(net, mse), AdamW{.lr = 3e-3}, Schedule{.epochs = 20}).fit(Batches(train, {.batch = 64}));
  const float loss = mse(net(test), test).item(), variance = mean(square(test)).item();
  std::cout << "autoencoder: a mean squared error of " << loss << ", the signals' square is " << variance << '\n';
  return loss < 0.01f * variance ? 0 : 1;
}
