#include <vitral/vitral.hpp>

#include <cstdio>

int main() {
  using namespace vitral;
  const auto x = eval(Tensor<float, Shape<dyn, 3>>({2}) + 1.0f);
  const auto w = eval(Tensor<float, Shape<3, 4>>{} + 0.5f);
  const auto y = eval(matmul(x, w) + 1.0f);
  std::printf("%g\n", static_cast<double>(y(1, 3)));
  return y(1, 3) == 2.5f ? 0 : 1;
}
