// expect: this operation needs floating numbers
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<int, Shape<2, 3>> x;
  auto y = l2_normalize(x);
}
