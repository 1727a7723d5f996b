// expect: inner_extents_match<384, 768>
#include <vitral/vitral.hpp>

int main() {
  using namespace vitral;
  Tensor<float, Shape<dyn, 384>> x({2});
  Tensor<float, Shape<768, 192>> w;
  auto y = matmul(x, w);
}
