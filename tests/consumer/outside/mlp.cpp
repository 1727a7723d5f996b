// A multi-layer perceptron tells the arms of a spiral apart.
#include <vitral/data/batches.hpp>
#include <vitral/train.hpp>
#include <vitral/vitral.hpp>

#include <iostream>

using namespace vitral;

// data
struct Spiral {
  Tensor<float, Shape<dyn, 2>> x;
  Tensor<int, Shape<dyn>> arm;

  Spiral(int points, Random random) : x({points}), arm({points}) {
    for (int i = 0; i < points; ++i) {
      arm(i) = i % 2;
      const float radius = random.uniform_float(static_cast<std::uint64_t>(i));
      const float angle = 7 * radius + 3.1416f * static_cast<float>(arm(i));
      x(i, 0) = radius * std::cos(angle);
      x(i, 1) = radius * std::sin(angle);
    }
  }
};
// end of data

int main() {
  const Spiral train(2048, {1}), test(512, {2});
  const Sequential net(Linear<2, 64>(Seed{1}), op::Relu{}, Linear<64, 64>(Seed{2}), op::Relu{}, Linear<64, 2>(Seed{3}));
  Trainer(Supervised(net), AdamW{.lr = 1e-2}, Schedule{.epochs = 20}).fit(Batches(train.x, train.arm, {.batch = 64}));
  const float right = accuracy(net(test.x), test.arm).item();
  std::cout << "mlp: right on " << 100 * right << " % of the points\n";
  return right > 0.95f ? 0 : 1;
}
