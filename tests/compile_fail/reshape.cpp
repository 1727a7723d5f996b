// expect: vitral: reshape: .*number of elements
// expect: reshape_rule<.*4, 192>.*4, 3, 65>
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<4, 192>> x;
  auto y = reshape<Shape<4, 3, 65>>(x);
}
