// An operation of one's own, with its backward pass: squared distances to centres, which move to where the points are.
#include <vitral/vitral.hpp>

#include <iostream>

using namespace vitral;

// data
// Points around (0, 0), (2, 0) and (4, 0).
Tensor<float, Shape<dyn, 2>> three_heaps(int points, Random random) {
  const auto x = eval(0.1 * normal(random, Shape<dyn, 2>{points}));
  for (int i = 0; i < points; ++i) x(i, 0) += static_cast<float>(2 * (i % 3));
  return x;
}
// end of data

// x [n, d] and c [k, d] -> |x_i - c_j|^2 [n, k]
struct SquaredDistances {
  static constexpr int keeps_inputs = 2;
  static constexpr bool keeps_result = false;

  auto forward(auto, const auto& x, const auto& c) {
    return eval(sum<1, Axes::keep>(square(x)) - 2 * matmul(x, transpose<1, 0>(c)) + sum<1>(square(c)));
  }
  void backward(const auto& dy, const auto&, const auto& x, const auto& c) {
    const auto by_c = transpose<1, 0>(dy);
    if (x.wants_gradient()) put(x.gradient(), 2 * (x.value * sum<1, Axes::keep>(dy) - matmul(dy, c.value)));
    if (c.wants_gradient()) put(c.gradient(), 2 * (c.value * sum<1, Axes::keep>(by_c) - matmul(by_c, x.value)));
  }
};

int main() {
  const auto distances = [](const auto& x, const auto& c) { return apply(SquaredDistances{}, x, c); };
  const double error = gradcheck(distances, Tensor<double, Shape<2, 3>>::from({1, 2, -1, 0, 3, 1}, {}),
                                 Tensor<double, Shape<2, 3>>::from({0, 1, 1, 2, 2, -2}, {}));

  const auto points = three_heaps(300, {1});
  const Parameter<float, Shape<3, 2>> centres{Tensor<float, Shape<3, 2>>::from({1, 1, 2, 1, 3, 1}, {})};
  auto optimizer = make_optimizer(Adam{.lr = 0.05}, centres);
  for (int step = 0; step < 200; ++step) {
    Tape tape;
    tape.backward(-mean(logsumexp<1>(-distances(tape.constant(points), centres))));
    optimizer.step(tape);
  }
  const float apart = mean(-max<1>(-distances(points, centres.value))).item();
  std::cout << "own_operation: gradients within " << error << ", points " << apart << " from their centres\n";
  return error < 1e-7 && apart < 0.05f ? 0 : 1;
}
