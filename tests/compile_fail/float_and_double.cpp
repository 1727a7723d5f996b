// expect: an expression mixes float with double tensors
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<3>> x;
  Tensor<double, Shape<3>> y;
  auto allowed = eval(x * 0.5);
  auto z = eval(x + y);
}
