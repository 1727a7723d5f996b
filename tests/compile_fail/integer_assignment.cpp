// expect: floating numbers do not fit an integer tensor
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<int, Shape<3>> x;
  assign(x, x * 0.5);
}
