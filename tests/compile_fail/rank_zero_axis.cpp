// expect: the axis does not exist in this shape
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<>> x;
  auto y = sum<0>(x);
}
