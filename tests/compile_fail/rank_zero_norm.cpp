// expect: works along the last axis, and an operand of rank 0
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<>> x;
  auto y = layer_norm(x);
}
